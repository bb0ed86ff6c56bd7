#include "worker/agent/slots.h"

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/process.h"

namespace vlm::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

// A machine out of files below a directory of its own.
class SlotsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string cpus;
    for (int i = 0; i < 8; ++i) cpus += "processor\t: 0\nmodel name\t: Test CPU 3 GHz\n\n";
    Put("/proc/cpuinfo", cpus);
    Put("/proc/meminfo", "MemTotal:       16000000 kB\nMemAvailable:    8000000 kB\n");
    Put("/proc/self/cgroup", "0::/job\n");
  }
  void Put(const std::string& path, const std::string& text) {
    const std::filesystem::path full = dir_.path() + path;
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full) << text;
  }
  void PutGpu(const std::string& bus, const std::string& model) {
    Put("/proc/driver/nvidia/gpus/" + bus + "/information",
        "Model: \t\t " + model + "\nIRQ:   \t\t 42\n");
  }
  Machine Read() { return ReadMachine(dir_.path()); }

  testing::TempDir dir_;
};

TEST_F(SlotsTest, ProcessorsAreSharedByOneThreadEach) {
  const auto slots = MakeSlots(Read(), {});
  ASSERT_TRUE(slots.ok());
  ASSERT_THAT(*slots, SizeIs(8));
  EXPECT_EQ((*slots)[7].index(), 7);
  EXPECT_EQ((*slots)[7].kind(), v1::SLOT_KIND_CPU);
  EXPECT_EQ((*slots)[7].device(), "cpu");
  EXPECT_EQ((*slots)[7].model(), "Test CPU 3 GHz");
  EXPECT_EQ((*slots)[7].threads(), 1);
  EXPECT_EQ((*slots)[7].memory_bytes(), int64_t{16'000'000} * 1024 / 8);
}

TEST_F(SlotsTest, ThreadsPerSlotDecideHowManyThereAre) {
  const auto slots = MakeSlots(Read(), {.threads_per_slot = 3});
  ASSERT_THAT(*slots, SizeIs(2));
  EXPECT_EQ((*slots)[0].threads(), 3);
}

TEST_F(SlotsTest, SlotsDecideTheirThreads) {
  const auto slots = MakeSlots(Read(), {.slots = 2});
  ASSERT_THAT(*slots, SizeIs(2));
  EXPECT_EQ((*slots)[0].threads(), 4);
}

TEST_F(SlotsTest, MoreSlotsThanCoresGetOneThread) {
  EXPECT_EQ(MakeSlots(Read(), {.slots = 20})->back().threads(), 1);
}

TEST_F(SlotsTest, CgroupLimitsCount) {
  Put("/sys/fs/cgroup/job/cpu.max", "250000 100000\n");
  Put("/sys/fs/cgroup/job/memory.max", "3000000000\n");
  EXPECT_EQ(Read().cores, 3);
  EXPECT_EQ(Read().memory_bytes, 3'000'000'000);
}

TEST_F(SlotsTest, UnlimitedCgroupChangesNothing) {
  Put("/sys/fs/cgroup/job/cpu.max", "max 100000\n");
  Put("/sys/fs/cgroup/job/memory.max", "max\n");
  EXPECT_EQ(Read().cores, 8);
  EXPECT_EQ(Read().memory_bytes, int64_t{16'000'000} * 1024);
}

TEST_F(SlotsTest, EachGpuIsASlot) {
  PutGpu("0000:17:00.0", "NVIDIA A100-SXM4-40GB");
  PutGpu("0000:65:00.0", "NVIDIA H100 80GB HBM3");
  const auto slots = MakeSlots(Read(), {});
  ASSERT_THAT(*slots, SizeIs(2));
  EXPECT_EQ((*slots)[1].kind(), v1::SLOT_KIND_GPU);
  EXPECT_EQ((*slots)[1].device(), "cuda:1");
  EXPECT_EQ((*slots)[1].model(), "NVIDIA H100 80GB HBM3");
  EXPECT_EQ((*slots)[1].threads(), 4);
}

TEST_F(SlotsTest, DevicesWithoutTheDriversFolderAreGpusToo) {
  Put("/dev/nvidia0", "");
  Put("/dev/nvidia1", "");
  Put("/dev/nvidiactl", "");
  EXPECT_THAT(Read().gpus, SizeIs(2));
}

TEST_F(SlotsTest, ProcessorsCanBeAskedForBesideGpus) {
  PutGpu("0000:17:00.0", "NVIDIA A100");
  EXPECT_THAT(*MakeSlots(Read(), {.device = "cpu"}), SizeIs(8));
}

TEST_F(SlotsTest, ImpossibleWishesAreRefused) {
  EXPECT_THAT(MakeSlots(Read(), {.device = "cuda"}).status().message(),
              HasSubstr("no NVIDIA driver is loaded"));
  EXPECT_THAT(MakeSlots(Read(), {.device = "tpu"}).status().message(), HasSubstr("\"tpu\""));
  PutGpu("0000:17:00.0", "NVIDIA A100");
  EXPECT_THAT(MakeSlots(Read(), {.slots = 2}).status().message(), HasSubstr("there are 1 GPUs"));
}

TEST_F(SlotsTest, MachineThatTellsNothingHasOneCore) {
  const Machine machine = ReadMachine(dir_ / "nowhere");
  EXPECT_EQ(machine.cores, 1);
  EXPECT_EQ(machine.memory_bytes, 0);
  EXPECT_EQ(FreeMemoryBytes(dir_ / "nowhere"), 0);
}

TEST_F(SlotsTest, OutOfMemoryKillsAreCounted) {
  Put("/proc/vmstat", "nr_free_pages 5\noom_kill 3\n");
  Put("/sys/fs/cgroup/job/memory.events", "low 0\noom 1\noom_kill 1\noom_group_kill 0\n");
  const OomCount before = ReadOomCount(dir_.path());
  EXPECT_FALSE(ReadOomCount(dir_.path()).MovedSince(before));
  Put("/proc/vmstat", "nr_free_pages 5\noom_kill 4\n");
  EXPECT_TRUE(ReadOomCount(dir_.path()).MovedSince(before));
}

}  // namespace
}  // namespace vlm::agent
