// configs/demo.yaml stays what `make demo` promises.
#include <gtest/gtest.h>

#include <set>

#include "common/config/config.h"
#include "tests/data/support.h"

namespace vlm {
namespace {

class DemoConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string path = data::testing::TestFile("../../configs/demo.yaml");
    result_ = config::Load(data::testing::ReadFile(path), path);
  }
  config::LoadResult result_;
};

TEST_F(DemoConfigTest, HasNoErrorAndNoWarning) {
  for (const v1::ConfigIssue& issue : result_.issues) ADD_FAILURE() << config::FormatIssue(issue);
}

TEST_F(DemoConfigTest, SearchesThreeKeysInAtLeastSixTrialsTwoAtATime) {
  std::set<std::string> names;
  for (const v1::SearchParam& param : result_.spec.search_space()) names.insert(param.name());

  EXPECT_EQ(names, (std::set<std::string>{"batch_size", "learning_rate", "n_embd"}));
  EXPECT_GE(result_.spec.n_trials(), 6);
  EXPECT_EQ(result_.spec.parallelism(), 2);
}

TEST_F(DemoConfigTest, PruningStartsEarlyEnoughToHappen) {
  const v1::StudySpec& spec = result_.spec;

  EXPECT_EQ(spec.pruner().name(), "median");
  EXPECT_LT(spec.pruner().n_startup_trials(), spec.n_trials());
  EXPECT_LT(spec.pruner().n_warmup_steps(), spec.train().max_iters() / 2);
}

}  // namespace
}  // namespace vlm
