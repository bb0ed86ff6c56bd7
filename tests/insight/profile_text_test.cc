// Tables of profiles: the columns of PyTorch's key_averages().table().
#include "insight/profile_text.h"

#include <limits>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace vlm::insight {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::OperatorSummary* AddOp(v1::ProfileSummary* s, const char* name, int64_t count, double self,
                           double total) {
  v1::OperatorSummary* op = s->add_operators();
  op->set_name(name);
  op->set_count(count);
  op->set_self_cpu_us(self);
  op->set_total_cpu_us(total);
  return op;
}

v1::PhaseSummary Phases() {
  v1::PhaseSummary s;
  s.set_first_step(10);
  s.set_last_step(19);
  s.set_data_wait_ms(1);
  s.set_forward_ms(3);
  s.set_backward_ms(5);
  s.set_optimizer_ms(1);
  s.set_wall_ms(12);
  s.set_samples(160);
  s.set_tokens(48000);
  return s;
}

double SumOfShares(const v1::PhaseSummary& s) {
  double sum = 0;
  const nlohmann::ordered_json json = PhaseJson(s);
  for (const auto& row : json["phases"]) sum += row["share_percent"].get<double>();
  return sum;
}

TEST(OperatorTableTest, IsPyTorchsTable) {
  v1::ProfileSummary s;
  AddOp(&s, "aten::addmm", 120, 750'000, 800'000);
  AddOp(&s, "aten::copy_", 3, 250'000, 250'000);

  EXPECT_EQ(OperatorTable(s, 0),
            "-----------  ----------  ---------  -----------  ---------  ------------  ----------\n"
            "Name         Self CPU %   Self CPU  CPU total %  CPU total  CPU time avg  # of Calls\n"
            "-----------  ----------  ---------  -----------  ---------  ------------  ----------\n"
            "aten::addmm      75.00%  750.000ms       80.00%  800.000ms       6.667ms         120\n"
            "aten::copy_      25.00%  250.000ms       25.00%  250.000ms      83.333ms           3\n"
            "-----------  ----------  ---------  -----------  ---------  ------------  ----------\n"
            "Self CPU time total: 1.000s\n");
}

TEST(OperatorTableTest, ShowsMemoryAndDeviceColumnsOnlyWhenPresent) {
  v1::ProfileSummary s;
  v1::OperatorSummary* op = AddOp(&s, "aten::mm", 1, 1, 1);
  EXPECT_THAT(OperatorTable(s, 0), Not(HasSubstr("Mem")));

  op->set_self_cpu_memory_bytes(-3 << 20);
  op->set_self_device_us(5);

  EXPECT_THAT(OperatorTable(s, 0), HasSubstr("-3.00 MB"));
  EXPECT_THAT(OperatorTable(s, 0), HasSubstr("Self CUDA"));
}

TEST(OperatorTableTest, CutsRowsAndSaysSo) {
  v1::ProfileSummary s;
  for (int i = 0; i < 5; ++i) AddOp(&s, "op", 1, 1, 1);

  EXPECT_THAT(OperatorTable(s, 2), HasSubstr("3 more operators are not shown\n"));
}

TEST(OperatorTableTest, SaysWhenNothingWasRecorded) {
  EXPECT_EQ(OperatorTable({}, 0), "no operators were recorded\n");
}

TEST(OperatorTableTest, CutsLongNamesBetweenCharacters) {
  v1::ProfileSummary s;
  std::string name(47, 'x');
  for (int i = 0; i < 10; ++i) name += "é";
  AddOp(&s, name.c_str(), 0, 0, 0);

  EXPECT_THAT(OperatorTable(s, 0), HasSubstr(std::string(47, 'x') + "...  "));
}

TEST(PhaseTableTest, SharesAddUpToOneHundred) {
  EXPECT_NEAR(SumOfShares(Phases()), 100, 1e-9);
  v1::PhaseSummary thirds;
  thirds.set_forward_ms(1);
  thirds.set_backward_ms(1);
  thirds.set_optimizer_ms(1);
  thirds.set_wall_ms(3);
  EXPECT_NEAR(SumOfShares(thirds), 100, 1e-9);
}

TEST(PhaseTableTest, TimeWithoutAPhaseIsOther) {
  const std::string table = PhaseTable(Phases());

  EXPECT_THAT(table, HasSubstr("Steps 10 to 19, 13333.3 samples/s, 4000000 tokens/s\n"));
  EXPECT_THAT(table, HasSubstr("other         2.000        0.200   16.7 %\n"));
  EXPECT_THAT(table, HasSubstr("wall         12.000        1.200  100.0 %\n"));
}

TEST(PhaseTableTest, PhasesBeyondTheWallTimeStillAddUp) {
  v1::PhaseSummary s = Phases();
  s.set_wall_ms(1);
  s.set_copy_ms(std::numeric_limits<double>::quiet_NaN());

  EXPECT_NEAR(SumOfShares(s), 100, 1e-9);
}

TEST(PhaseTableTest, AnEmptyWindowHasNoShares) {
  EXPECT_EQ(SumOfShares({}), 0);
  EXPECT_THAT(PhaseTable({}), HasSubstr("wall"));
}

TEST(OperatorJsonTest, HoldsWhatTheTableShows) {
  v1::ProfileSummary s;
  s.set_rank(1);
  AddOp(&s, "aten::mm", 4, 8, 12);

  const nlohmann::ordered_json json = OperatorJson(s);

  EXPECT_EQ(json["rank"], 1);
  EXPECT_EQ(json["operators"][0]["average_cpu_us"], 3);
  EXPECT_EQ(json["self_cpu_total_us"], 8);
}

}  // namespace
}  // namespace vlm::insight
