// Collectives between two ranks, here two threads of one process.
#include "worker/trainer/parallel/process_group.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/trainer/support/two_ranks.h"
#include "worker/trainer/parallel/data_parallel.h"

namespace vlm::trainer {
namespace {

using testing::AsTwoRanks;

TEST(ProcessGroupTest, AllReduceSums) {
  AsTwoRanks([](ProcessGroup* group) {
    const at::Tensor tensor = torch::full({1000}, group->rank() + 1.0);
    ASSERT_TRUE(group->AllReduceSum(tensor).ok());
    EXPECT_TRUE(torch::equal(tensor, torch::full({1000}, 3.0)));
  });
}

TEST(ProcessGroupTest, BroadcastCopiesRankZero) {
  AsTwoRanks([](ProcessGroup* group) {
    const at::Tensor tensor = torch::full({10}, group->rank() == 0 ? 5.0 : -1.0);
    ASSERT_TRUE(group->Broadcast(tensor).ok());
    EXPECT_EQ(tensor.sum().item<double>(), 50.0);
    EXPECT_TRUE(group->Barrier().ok());
  });
}

TEST(ProcessGroupTest, APeerThatLeftIsAnErrorNotAHang) {
  AsTwoRanks([](ProcessGroup* group) {
    if (group->rank() == 1) return;
    absl::Status status;
    // The first may still be served out of buffers.
    for (int i = 0; i < 3 && status.ok(); ++i) {
      status = group->AllReduceSum(torch::ones({1 << 20}));
    }
    EXPECT_TRUE(absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status)) << status;
  });
}

TEST(ProcessGroupTest, NobodyAtTheRendezvousIsAnError) {
  GroupOptions options;
  options.rank = 1;
  options.world_size = 2;
  options.host = "127.0.0.1";
  options.port = 1;  // Nothing listens there.
  options.join_timeout = std::chrono::seconds(1);
  const auto group = ProcessGroup::Create(options);
  ASSERT_FALSE(group.ok());
  EXPECT_THAT(std::string(group.status().message()), ::testing::HasSubstr("127.0.0.1:1"));
}

TEST(DataParallelTest, GradientsAreTheMeanOverTheRanks) {
  AsTwoRanks([](ProcessGroup* group) {
    at::Tensor weight = torch::full({4}, group->rank() == 0 ? 2.0 : 9.0).requires_grad_();
    auto parallel = DataParallel::Create(group, {{"weight", weight}});
    ASSERT_TRUE(parallel.ok()) << parallel.status();
    EXPECT_EQ(weight[0].item<double>(), 2.0);  // Rank 0's values.
    for (int step = 0; step < 3; ++step) {
      weight.mutable_grad().reset();
      (*parallel)->PrepareForward(true);
      const at::Tensor loss = (weight * (group->rank() + 1.0)).sum();
      (*parallel)->PrepareBackward(true);
      loss.backward();
      EXPECT_TRUE(torch::equal(weight.grad(), torch::full({4}, 1.5)));
    }
    EXPECT_EQ((*parallel)->rebuilds(), 1);
  });
}

TEST(DataParallelTest, AccumulationCommunicatesOnce) {
  AsTwoRanks([](ProcessGroup* group) {
    at::Tensor weight = torch::ones({4}).requires_grad_();
    auto parallel = DataParallel::Create(group, {{"weight", weight}});
    ASSERT_TRUE(parallel.ok()) << parallel.status();
    for (const bool sync : {false, true}) {
      (*parallel)->PrepareForward(sync);
      const at::Tensor loss = (weight * (group->rank() + 1.0)).sum();
      (*parallel)->PrepareBackward(sync);
      loss.backward();
    }
    EXPECT_TRUE(torch::equal(weight.grad(), torch::full({4}, 3.0)));
  });
}

}  // namespace
}  // namespace vlm::trainer
