// Data parallel training of the model: the gradients are those of one process with the whole batch.
#include <gtest/gtest.h>

#include <memory>

#include "tests/trainer/support/two_ranks.h"
#include "worker/trainer/model/vlm.h"
#include "worker/trainer/parallel/data_parallel.h"

namespace vlm::trainer {
namespace {

using testing::AsTwoRanks;

class GradientsTest : public ::testing::Test {
 protected:
  GradientsTest() {
    torch::set_num_threads(1);
    shape_.n_embd = shape_.image_embed_dim = 16;
    shape_.vocab_size = 11;
    shape_.n_layer = shape_.num_blks = 2;
    shape_.num_head = 2;
    shape_.img_size = 16;
    shape_.patch_size = 8;
    torch::manual_seed(3);
    images_ = torch::randn({4, 3, 16, 16});
    tokens_ = torch::randint(0, 11, {4, 9}, torch::kInt64);
    targets_ = torch::randint(0, 11, {4, 9}, torch::kInt64);
  }
  std::unique_ptr<VlmModel> Model() const {
    torch::manual_seed(5);
    auto model = std::make_unique<VlmModel>(shape_);
    model->eval();  // Without dropout; gradients flow all the same.
    return model;
  }
  at::Tensor Loss(VlmModel* model, int64_t begin, int64_t end) const {
    return model->Loss(images_.slice(0, begin, end), tokens_.slice(0, begin, end),
                       targets_.slice(0, begin, end));
  }
  static void ExpectEqualGradients(const VlmModel& a, const VlmModel& b) {
    const NamedTensors x = a.GradDict();
    const NamedTensors y = b.GradDict();
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_TRUE(torch::allclose(x[i].second, y[i].second, 1e-4, 1e-6)) << x[i].first;
    }
  }

  ModelShape shape_;
  at::Tensor images_, tokens_, targets_;
};

TEST_F(GradientsTest, TwoRanksGiveTheGradientsOfTheWholeBatch) {
  const auto whole = Model();
  Loss(whole.get(), 0, 4).backward();
  const std::unique_ptr<VlmModel> models[] = {Model(), Model()};
  AsTwoRanks([&](ProcessGroup* group) {
    VlmModel* model = models[group->rank()].get();
    auto parallel = DataParallel::Create(group, NamedParameters(*model));
    ASSERT_TRUE(parallel.ok()) << parallel.status();
    for (int step = 0; step < 3; ++step) {  // Before and after the buckets are rebuilt.
      for (const auto& [name, parameter] : NamedParameters(*model)) {
        if (parameter.grad().defined()) parameter.grad().zero_();
      }
      (*parallel)->PrepareForward(true);
      const at::Tensor loss = Loss(model, 2 * group->rank(), 2 * group->rank() + 2);
      (*parallel)->PrepareBackward(true);
      loss.backward();
    }
  });
  ExpectEqualGradients(*models[0], *whole);
  ExpectEqualGradients(*models[1], *whole);
}

}  // namespace
}  // namespace vlm::trainer
