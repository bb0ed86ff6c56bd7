// The operator table on events whose table can be worked out by hand.
#include "worker/trainer/profile/operators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace vlm::trainer {
namespace {

TraceEvent Event(const std::string& name, uint64_t start_us, uint64_t end_us, uint64_t thread = 1) {
  TraceEvent event;
  event.name = name;
  event.start_ns = start_us * 1000;
  event.end_ns = end_us * 1000;
  event.thread = thread;
  return event;
}

std::map<std::string, v1::OperatorSummary> Table(std::vector<TraceEvent> events) {
  std::map<std::string, v1::OperatorSummary> table;
  for (auto& row : SummarizeOperators(std::move(events), 100)) table[row.name()] = row;
  return table;
}

TEST(OperatorTableTest, OwnTimeIsTotalLessChildren) {
  auto table = Table(
      {Event("aten::linear", 0, 100), Event("aten::addmm", 10, 90), Event("aten::copy_", 20, 30)});
  EXPECT_EQ(table["aten::linear"].self_cpu_us(), 20);
  EXPECT_EQ(table["aten::linear"].total_cpu_us(), 100);
  EXPECT_EQ(table["aten::addmm"].self_cpu_us(), 70);
  EXPECT_EQ(table["aten::copy_"].self_cpu_us(), 10);
}

TEST(OperatorTableTest, EqualNamesAreOneRow) {
  auto table = Table({Event("aten::add", 0, 10), Event("aten::add", 20, 25)});
  EXPECT_EQ(table["aten::add"].count(), 2);
  EXPECT_EQ(table["aten::add"].total_cpu_us(), 15);
}

TEST(OperatorTableTest, ThreadsDoNotNest) {
  auto table = Table({Event("a", 0, 100, 1), Event("b", 10, 20, 2)});
  EXPECT_EQ(table["a"].self_cpu_us(), 100);
}

TEST(OperatorTableTest, AnOnlyChildOfTheSameNameIsTheSameCall) {
  auto table =
      Table({Event("aten::to", 0, 100), Event("aten::to", 10, 90), Event("aten::copy_", 20, 60)});
  EXPECT_EQ(table["aten::to"].count(), 1);
  EXPECT_EQ(table["aten::to"].self_cpu_us(), 60);
}

TEST(OperatorTableTest, ProfilerStepsAreOneRow) {
  auto table = Table({Event("ProfilerStep#2", 0, 10), Event("ProfilerStep#3", 20, 30)});
  EXPECT_EQ(table["ProfilerStep*"].count(), 2);
}

TEST(OperatorTableTest, MemoryFallsToWhoeverRan) {
  TraceEvent record = Event("[memory]", 15, 15);
  record.bytes = 4096;
  auto table = Table({Event("outer", 0, 100), Event("inner", 10, 20), record});
  EXPECT_EQ(table.count("[memory]"), 0u);
  EXPECT_EQ(table["outer"].cpu_memory_bytes(), 4096);
  EXPECT_EQ(table["outer"].self_cpu_memory_bytes(), 0);
  EXPECT_EQ(table["inner"].self_cpu_memory_bytes(), 4096);
}

TEST(OperatorTableTest, KernelsBelongToTheirLauncher) {
  TraceEvent launcher = Event("aten::mm", 10, 20);
  launcher.correlation = 7;
  TraceEvent kernel = Event("gemm_kernel", 500, 800, 99);
  kernel.on_device = true;
  kernel.linked = 7;
  auto table = Table({Event("aten::linear", 0, 30), launcher, kernel});
  EXPECT_EQ(table["aten::mm"].self_device_us(), 300);
  EXPECT_EQ(table["aten::linear"].self_device_us(), 0);
  EXPECT_EQ(table["aten::linear"].total_device_us(), 300);
  EXPECT_EQ(table["gemm_kernel"].self_device_us(), 300);
  EXPECT_EQ(table["gemm_kernel"].self_cpu_us(), 0);
}

TEST(OperatorTableTest, TheLargestComeFirstAndTheRestIsCut) {
  std::vector<TraceEvent> events;
  for (uint64_t i = 1; i <= 150; ++i) {
    events.push_back(Event("op" + std::to_string(i), i * 1000, i * 1000 + i));
  }
  const auto table = SummarizeOperators(std::move(events), 100);
  ASSERT_EQ(table.size(), 100u);
  EXPECT_EQ(table.front().name(), "op150");
  EXPECT_EQ(table.back().name(), "op51");
}

}  // namespace
}  // namespace vlm::trainer
