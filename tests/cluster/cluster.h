// A coordinator and workers as real processes, with fake-trainer in the trainer's place, driven
// over vlm.v1.Control: the fixture of the cluster tests.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/process.h"
#include "vlm/v1/control.grpc.pb.h"

namespace vlm::testing {

// 1, 2, ... last: the steps of a whole series.
std::vector<int64_t> UpTo(int64_t last);

class ClusterTest : public ::testing::Test {
 protected:
  void SetUp() override { StartCoordinator(); }

  // On the port that it had before, if any; a kill and this is a restart.
  void StartCoordinator();
  void KillCoordinator();
  // A worker with `slots` slots that has attached. Its work directory is named after it.
  Process& StartWorker(const std::string& name, int slots = 2, Process::Env env = {},
                       std::vector<std::string> flags = {});
  // The same without waiting for it to attach.
  Process& LaunchWorker(const std::string& name, int slots, Process::Env env,
                        std::vector<std::string> flags);
  void KillWorker(const std::string& name);
  std::string WorkDir(const std::string& name) const { return dir_ / name; }

  // Submits a study of `n_trials` whose trials follow `plan` (see fake_trainer.cc). `overrides` are
  // as those of vlmctl --set.
  void Submit(const std::string& plan, int n_trials, const std::vector<std::string>& overrides = {},
              const std::string& study = "s");
  void SubmitText(const std::string& config, const std::vector<std::string>& overrides,
                  const std::string& study = "s");
  v1::Study GetStudy(const std::string& study = "s");
  v1::Trial GetTrial(int number, const std::string& study = "s");
  std::vector<v1::Trial> Trials();
  // Waits for an end state of the study.
  v1::Study WaitForEnd(absl::Duration timeout = absl::Seconds(60), const std::string& study = "s");
  // Waits until the trial has reported at least `step` steps.
  bool WaitForStep(int number, int64_t step, absl::Duration timeout = absl::Seconds(30));
  void StopTrial(int number);
  // Steps of the stored points of train_loss.
  std::vector<int64_t> Steps(int number);
  std::vector<v1::LogLine> Logs(int number);
  std::vector<v1::Checkpoint> Checkpoints(int number);
  std::vector<v1::Worker> Workers();
  // The pids of launched and spare trainers of all workers of this test.
  std::vector<pid_t> TrainerPids();

  v1::Control::Stub& control() { return *control_; }

  // The program that workers start, as Binary() takes it.
  std::string trainer_ = "../test-bin/fake-trainer";
  TempDir dir_;
  std::string address_;
  std::unique_ptr<Process> coordinator_;
  std::map<std::string, std::unique_ptr<Process>> workers_;
  std::unique_ptr<v1::Control::Stub> control_;
};

}  // namespace vlm::testing
