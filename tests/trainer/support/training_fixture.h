// A tiny training on pictures made for it, in this process, and an observer that remembers.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "insight/shapes/shapes.h"
#include "tests/support/process.h"
#include "worker/trainer/loop/trainer.h"

namespace vlm::trainer::testing {

class RecordingObserver : public Observer {
 public:
  void OnStart(int64_t first, int64_t total, int64_t, int64_t) override {
    first_step = first;
    total_steps = total;
  }
  void OnStep(const StepRecord& record) override {
    steps.push_back(record);
    if (after_step) after_step(record);
  }
  void OnProfile(const v1::ProfileSummary& profile) override { profiles.push_back(profile); }
  void OnCheckpoint(const v1::Checkpoint& checkpoint) override {
    checkpoints.push_back(checkpoint);
  }
  void OnNote(const std::string& text) override { notes.push_back(text); }
  v1::Command::Action Pending() override { return order; }

  std::vector<double> Losses() const {
    std::vector<double> losses;
    for (const StepRecord& record : steps) losses.push_back(record.loss);
    return losses;
  }

  int64_t first_step = -1;
  int64_t total_steps = -1;
  std::vector<StepRecord> steps;
  std::vector<v1::ProfileSummary> profiles;
  std::vector<v1::Checkpoint> checkpoints;
  std::vector<std::string> notes;
  v1::Command::Action order = v1::Command::ACTION_UNSPECIFIED;
  std::function<void(const StepRecord&)> after_step;
};

// A model of some 10,000 weights that trains in milliseconds.
inline v1::TrainConfig TinyConfig() {
  v1::TrainConfig config;
  config.set_precision_mode(v1::PRECISION_FP32);
  config.set_amp_enabled(true);
  config.set_num_workers(0);
  config.set_n_embd(16);
  config.set_image_embed_dim(16);
  config.set_n_layer(1);
  config.set_num_blks(1);
  config.set_num_head(2);
  config.set_img_size(16);
  config.set_patch_size(8);
  config.set_batch_size(4);
  config.set_val_batch_size(2);
  config.set_max_iters(6);
  config.set_epochs(1);
  config.set_eval_interval(3);
  config.set_eval_iters(2);
  config.set_learning_rate(3e-3);
  config.set_weight_decay(0.01);
  config.set_seed(7);
  config.mutable_optimizer()->set_beta1(0.9);
  config.mutable_optimizer()->set_beta2(0.999);
  config.mutable_optimizer()->set_eps(1e-8);
  config.mutable_data()->set_repeat(1);
  config.mutable_data()->set_train_fraction(0.9);
  config.mutable_data()->set_max_pixels(int64_t{1} << 26);
  config.mutable_checkpoint()->set_keep(2);
  return config;
}

class TrainingTest : public ::testing::Test {
 protected:
  TrainingTest() {
    setenv("VLM_CACHE_DIR", (dir_ / "cache").c_str(), 1);
    MakePictures(20);
    job_.launch.set_work_dir(dir_ / "work");
    job_.launch.set_world_size(1);
    job_.launch.set_device("cpu");
    job_.launch.set_threads(1);
    job_.launch.set_attempt_id(3);
  }

  void MakePictures(int64_t n) {
    insight::ShapesOptions options;
    options.out = dir_ / absl::StrCat("shapes", n);
    options.n = n;
    options.image_size = 16;
    ASSERT_TRUE(insight::WriteShapes(options).ok());
    config_.set_input_path(options.out + "/captions.csv");
  }

  v1::Outcome Train() {
    *job_.launch.mutable_config() = config_;
    return Trainer(job_, &observer_).Run();
  }
  // The class and the reason of a training that must fail.
  void ExpectFailure(v1::FailureClass failure_class, const std::string& reason) {
    const v1::Outcome outcome = Train();
    EXPECT_EQ(outcome.state(), v1::ATTEMPT_STATE_FAILED);
    EXPECT_EQ(outcome.failure_class(), failure_class) << outcome.reason();
    EXPECT_THAT(outcome.reason(), ::testing::HasSubstr(reason));
  }

  const vlm::testing::TempDir dir_;
  v1::TrainConfig config_ = TinyConfig();
  Job job_;
  RecordingObserver observer_;
};

}  // namespace vlm::trainer::testing
