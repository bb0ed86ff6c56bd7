// Studies from submit to the end over real processes.
#include "tests/cluster/cluster.h"

namespace vlm::testing {
namespace {

using ::testing::Each;
using ::testing::ElementsAreArray;
using ::testing::Property;

TEST_F(ClusterTest, StudyOnTwoSlotsCompletesWithEveryPointStored) {
  StartWorker("a", 2);
  Submit("steps=20,sleep_ms=2", 6);

  EXPECT_EQ(WaitForEnd().state(), v1::STUDY_STATE_COMPLETED);

  EXPECT_THAT(Trials(), ::testing::SizeIs(6));
  EXPECT_THAT(Trials(), Each(Property(&v1::Trial::state, v1::TRIAL_STATE_COMPLETE)));
  for (int number = 0; number < 6; ++number) EXPECT_THAT(Steps(number), ElementsAreArray(UpTo(20)));
}

}  // namespace
}  // namespace vlm::testing
