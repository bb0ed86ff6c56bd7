// A real profile of a real (tiny) training: file and summary.
#include <zlib.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/trainer/support/training_fixture.h"
#include "worker/trainer/profile/trace_file.h"

namespace vlm::trainer {
namespace {

std::string Gunzip(const std::string& path) {
  gzFile file = gzopen(path.c_str(), "rb");
  EXPECT_NE(file, nullptr) << path;
  std::string text;
  char chunk[65536];
  for (int got = 0; (got = gzread(file, chunk, sizeof(chunk))) > 0;) {
    text.append(chunk, static_cast<size_t>(got));
  }
  gzclose(file);
  return text;
}

class TraceTest : public testing::TrainingTest {
 protected:
  TraceTest() {
    v1::ProfilerConfig* profiler = config_.mutable_profiler();
    profiler->set_enabled(true);
    profiler->set_wait(1);
    profiler->set_warmup(1);
    profiler->set_active(2);
    profiler->set_repeat(1);
    profiler->set_record_shapes(true);
    profiler->set_profile_memory(true);
    profiler->set_with_flops(true);
    job_.launch.set_worker_name("node-a");
  }
};

TEST_F(TraceTest, LeavesATraceThatParsesWithPythonsNames) {
  ASSERT_EQ(Train().state(), v1::ATTEMPT_STATE_SUCCEEDED);
  ASSERT_EQ(observer_.profiles.size(), 1u);
  const std::string path = observer_.profiles[0].trace_file();
  EXPECT_THAT(path, ::testing::HasSubstr("/node-a_rank0."));
  EXPECT_THAT(path, ::testing::EndsWith(".pt.trace.json.gz"));
  const auto trace = nlohmann::json::parse(Gunzip(path));
  std::set<std::string> names;
  for (const auto& event : trace.at("traceEvents")) names.insert(event.value("name", ""));
  for (const char* name : {"ProfilerStep#2", "ProfilerStep#3", "Optimizer.step#AdamW.step",
                           "Optimizer.zero_grad#AdamW.zero_grad", "vlm::forward", "vlm::backward",
                           "enumerate(DataLoader)#_SingleProcessDataLoaderIter.__next__"}) {
    EXPECT_TRUE(names.count(name)) << name;
  }
  EXPECT_FALSE(names.count("ProfilerStep#1"));
}

TEST_F(TraceTest, SummarisesTheWindow) {
  ASSERT_EQ(Train().state(), v1::ATTEMPT_STATE_SUCCEEDED);
  ASSERT_EQ(observer_.profiles.size(), 1u);
  const v1::ProfileSummary& profile = observer_.profiles[0];
  EXPECT_EQ(profile.first_step(), 3);
  EXPECT_EQ(profile.last_step(), 4);
  EXPECT_EQ(profile.attempt_id(), 3);
  EXPECT_EQ(profile.phases().first_step(), 3);
  EXPECT_EQ(profile.phases().last_step(), 4);
  EXPECT_GT(profile.overhead_ms(), 0);
  EXPECT_EQ(profile.trace_bytes(),
            static_cast<int64_t>(std::filesystem::file_size(profile.trace_file())));
  EXPECT_LE(profile.operators_size(), 100);
}

TEST_F(TraceTest, OperatorsHaveTimesCountsMemoryAndFlops) {
  ASSERT_EQ(Train().state(), v1::ATTEMPT_STATE_SUCCEEDED);
  ASSERT_EQ(observer_.profiles.size(), 1u);
  bool aten = false;
  double flops = 0;
  int64_t memory = 0;
  for (const v1::OperatorSummary& row : observer_.profiles[0].operators()) {
    aten = aten || row.name().rfind("aten::", 0) == 0;
    flops += row.flops();
    memory += row.cpu_memory_bytes() > 0 ? row.cpu_memory_bytes() : 0;
    EXPECT_GE(row.total_cpu_us() + 1e-6, row.self_cpu_us()) << row.name();
    EXPECT_GT(row.count(), 0);
  }
  EXPECT_TRUE(aten);
  EXPECT_GT(flops, 0);
  EXPECT_GT(memory, 0);
}

TEST_F(TraceTest, ATrainingThatEndsInsideTheWindowStillSaves) {
  config_.set_max_iters(3);
  ASSERT_EQ(Train().state(), v1::ATTEMPT_STATE_SUCCEEDED);
  ASSERT_EQ(observer_.profiles.size(), 1u);
  EXPECT_EQ(observer_.profiles[0].last_step(), 3);
}

TEST_F(TraceTest, WithoutTheSectionThereIsNoProfile) {
  config_.clear_profiler();
  ASSERT_EQ(Train().state(), v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_TRUE(observer_.profiles.empty());
}

TEST(GzipTraceTest, AFolderThatIsGoneIsAnError) {
  const vlm::testing::TempDir dir;
  EXPECT_FALSE(GzipTrace(dir / "none.json", dir / "none.json.gz").ok());
}

}  // namespace
}  // namespace vlm::trainer
