#include "tests/cluster/cluster.h"

#include <signal.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/channel.h"
#include "common/ids.h"

namespace vlm::testing {
namespace {

// The trainer is copied under a name of its own per test, so that its processes can be told from
// those of a test that runs beside it.
std::string TrainerPath(const TempDir& dir, const std::string& program) {
  const std::string path = dir / "trainer";
  std::error_code error;
  std::filesystem::copy_file(Binary(program), path, std::filesystem::copy_options::skip_existing,
                             error);
  return path;
}

}  // namespace

std::vector<int64_t> UpTo(int64_t last) {
  std::vector<int64_t> steps;
  for (int64_t step = 1; step <= last; ++step) steps.push_back(step);
  return steps;
}

void ClusterTest::StartCoordinator() {
  const std::string listen = address_.empty() ? "127.0.0.1:0" : address_;
  auto started =
      Process::Start({Binary("vlm-coordinator"), "--data", dir_ / "data", "--listen", listen});
  ASSERT_TRUE(started.ok()) << started.status();
  coordinator_ = *std::move(started);
  const auto address = coordinator_->WaitForLine("listening on ");
  ASSERT_TRUE(address.ok()) << address.status();
  address_ = *address;
  control_ = v1::Control::NewStub(MakeChannel(address_));
}

void ClusterTest::KillCoordinator() { coordinator_->Kill(); }

Process& ClusterTest::LaunchWorker(const std::string& name, int slots, Process::Env env,
                                   std::vector<std::string> flags) {
  std::vector<std::string> argv = {
      Binary("vlm-worker"), "--coordinator", address_,     "--name", name, "--slots",
      absl::StrCat(slots),  "--work-dir",    WorkDir(name)};
  if (std::find(flags.begin(), flags.end(), "--trainer") == flags.end()) {
    argv.insert(argv.end(), {"--trainer", TrainerPath(dir_, trainer_)});
  }
  argv.insert(argv.end(), flags.begin(), flags.end());
  auto started = Process::Start(argv, env);
  EXPECT_TRUE(started.ok()) << started.status();
  workers_[name] = *std::move(started);
  return *workers_[name];
}

Process& ClusterTest::StartWorker(const std::string& name, int slots, Process::Env env,
                                  std::vector<std::string> flags) {
  Process& worker = LaunchWorker(name, slots, std::move(env), std::move(flags));
  const auto attached = worker.WaitForLine("attached to ");
  EXPECT_TRUE(attached.ok()) << attached.status();
  return worker;
}

void ClusterTest::KillWorker(const std::string& name) { workers_.at(name)->Kill(); }

void ClusterTest::Submit(const std::string& plan, int n_trials,
                         const std::vector<std::string>& overrides, const std::string& study) {
  SubmitText(absl::StrCat(
                 "input_path: /fake/", plan, "\nhyperparameter_tuning: true\nn_trials: ", n_trials,
                 "\nstudy:\n  search_space: {learning_rate: {type: float, low: 0.001, high: 0.1}}\n"
                 "  sampler: {name: random}\n  pruner: {name: none}\nretry: {backoff_s: 0}\n"),
             overrides, study);
}

void ClusterTest::SubmitText(const std::string& config, const std::vector<std::string>& overrides,
                             const std::string& study) {
  v1::SubmitRequest request;
  request.set_request_id(NewUuid());
  request.set_name(study);
  request.set_config_text(config);
  for (const std::string& o : overrides) request.add_overrides(o);
  v1::SubmitResponse response;
  const grpc::Status status = control().Submit(MakeContext().get(), request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
}

v1::Study ClusterTest::GetStudy(const std::string& study) {
  v1::GetStudyRequest request;
  request.set_study(study);
  v1::GetStudyResponse response;
  (void)control().GetStudy(MakeContext().get(), request, &response);
  return response.study();
}

v1::Trial ClusterTest::GetTrial(int number, const std::string& study) {
  v1::GetTrialRequest request;
  request.set_trial(absl::StrCat(study, "/", number));
  v1::GetTrialResponse response;
  (void)control().GetTrial(MakeContext().get(), request, &response);
  return response.trial();
}

std::vector<v1::Trial> ClusterTest::Trials() {
  v1::ListTrialsRequest request;
  request.set_study("s");
  v1::ListTrialsResponse response;
  (void)control().ListTrials(MakeContext().get(), request, &response);
  return {response.trials().begin(), response.trials().end()};
}

v1::Study ClusterTest::WaitForEnd(absl::Duration timeout, const std::string& name) {
  v1::Study study;
  const bool ended = Eventually(timeout, [&] {
    study = GetStudy(name);
    return study.state() >= v1::STUDY_STATE_COMPLETED;
  });
  EXPECT_TRUE(ended) << study.DebugString() << coordinator_->Stderr();
  for (const auto& [worker_name, worker] : workers_) {
    if (!ended) ADD_FAILURE() << worker_name << ":\n" << worker->Stderr();
  }
  return study;
}

bool ClusterTest::WaitForStep(int number, int64_t step, absl::Duration timeout) {
  return Eventually(timeout, [&] { return GetTrial(number).last_step() >= step; });
}

void ClusterTest::StopTrial(int number) {
  v1::StopTrialRequest request;
  request.set_request_id(NewUuid());
  request.set_trial(absl::StrCat("s/", number));
  v1::StopTrialResponse response;
  const grpc::Status status = control().StopTrial(MakeContext().get(), request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

std::vector<int64_t> ClusterTest::Steps(int number) {
  v1::ReadMetricsRequest request;
  request.set_trial(absl::StrCat("s/", number));
  request.add_names("train_loss");
  v1::ReadMetricsResponse response;
  const grpc::Status status = control().ReadMetrics(MakeContext().get(), request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  std::vector<int64_t> steps;
  for (const v1::Series& series : response.series()) {
    for (const v1::Point& point : series.points()) steps.push_back(point.step());
  }
  return steps;
}

std::vector<v1::LogLine> ClusterTest::Logs(int number) {
  v1::TailLogsRequest request;
  request.set_trial(absl::StrCat("s/", number));
  const auto context = MakeContext();
  const auto reader = control().TailLogs(context.get(), request);
  std::vector<v1::LogLine> lines;
  v1::TailLogsResponse response;
  while (reader->Read(&response)) {
    lines.insert(lines.end(), response.lines().begin(), response.lines().end());
  }
  (void)reader->Finish();
  return lines;
}

std::vector<v1::Checkpoint> ClusterTest::Checkpoints(int number) {
  v1::ListCheckpointsRequest request;
  request.set_trial(absl::StrCat("s/", number));
  v1::ListCheckpointsResponse response;
  (void)control().ListCheckpoints(MakeContext().get(), request, &response);
  return {response.checkpoints().begin(), response.checkpoints().end()};
}

std::vector<v1::Worker> ClusterTest::Workers() {
  v1::ListWorkersResponse response;
  (void)control().ListWorkers(MakeContext().get(), v1::ListWorkersRequest(), &response);
  return {response.workers().begin(), response.workers().end()};
}

std::vector<pid_t> ClusterTest::TrainerPids() {
  std::vector<pid_t> pids;
  for (pid_t pid : FindProcesses(dir_ / "trainer")) {
    // A worker's own command line names its trainer too.
    bool is_worker = false;
    for (const auto& [name, worker] : workers_) is_worker = is_worker || worker->pid() == pid;
    if (!is_worker) pids.push_back(pid);
  }
  return pids;
}

}  // namespace vlm::testing
