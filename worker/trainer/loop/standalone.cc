#include "worker/trainer/loop/standalone.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/config/config.h"
#include "common/status.h"
#include "worker/trainer/cuda/plugin.h"
#include "worker/trainer/loop/json_observer.h"
#include "worker/trainer/loop/ranks.h"
#include "worker/trainer/loop/trainer.h"
#include "worker/trainer/loop/warm_up.h"

namespace vlm::trainer {
namespace {

constexpr int kUserError = 2;

std::atomic<bool> g_stop{false};  // Set by a signal handler, therefore global.

void StopOnSignals() {
  struct sigaction action {};
  action.sa_handler = [](int) { g_stop.store(true); };
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // The second Ctrl-C ends at once.
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

absl::StatusOr<v1::TrainConfig> ReadConfig(const StandaloneOptions& options) {
  const std::ifstream file(options.config_path);
  if (!file) {
    return absl::NotFoundError(absl::StrCat(options.config_path, ": cannot be read"));
  }
  std::stringstream text;
  text << file.rdbuf();
  const config::LoadResult loaded =
      config::Load(text.str(), options.config_path, options.overrides);
  for (const v1::ConfigIssue& issue : loaded.issues) {
    std::fprintf(stderr, "%s\n", config::FormatIssue(issue).c_str());
  }
  if (!loaded.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(options.config_path, ": see above"));
  }
  return loaded.spec.train();
}

int TrainOneRank(const StandaloneOptions& options, v1::TrainConfig config, const RankPlace& place) {
  StopOnSignals();
  Job job;
  job.launch.set_rank(place.rank);
  job.launch.set_world_size(place.world_size);
  job.launch.set_local_rank(place.rank);
  job.launch.set_rendezvous_host("127.0.0.1");
  job.launch.set_rendezvous_port(place.port);
  job.listen_fd = place.listen_fd;
  job.launch.set_work_dir(options.out);
  job.launch.set_resume_from(options.resume);
  job.launch.set_worker_name("local");
  const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  job.launch.set_threads(options.threads > 0 ? options.threads
                                             : std::max(1, cores / place.world_size));
  const bool cuda =
      config.cuda_enabled() && LoadCudaIfPresent() && place.rank < CudaPlugin::Get().device_count();
  job.launch.set_device(cuda ? absl::StrCat("cuda:", place.rank) : "cpu");
  *job.launch.mutable_config() = std::move(config);
  JsonObserver observer(stdout, place.rank, &g_stop);
  Trainer trainer(std::move(job), &observer);
  const v1::Outcome outcome = trainer.Run();
  if (outcome.state() != v1::ATTEMPT_STATE_FAILED) return 0;
  std::fprintf(stderr, "vlm-trainer: %s%s\n",
               place.world_size > 1 ? absl::StrCat("rank ", place.rank, ": ").c_str() : "",
               outcome.reason().c_str());
  return outcome.failure_class() == v1::FAILURE_CLASS_USER_ERROR ? kUserError : 1;
}

}  // namespace

int RunStandalone(const StandaloneOptions& options) {
  absl::StatusOr<v1::TrainConfig> config = ReadConfig(options);
  if (!config.ok()) {
    std::fprintf(stderr, "vlm-trainer: %s\n", std::string(config.status().message()).c_str());
    return kUserError;
  }
  const int world_size =
      options.world_size > 0 ? options.world_size : std::max(1, config->resources().world_size());
  const std::optional<RankPlace> place = RankFromEnvironment();
  if (place.has_value()) return TrainOneRank(options, *std::move(config), *place);
  if (world_size == 1) return TrainOneRank(options, *std::move(config), RankPlace{});
  const absl::StatusOr<int> code = RunRanks(world_size);
  if (code.ok()) return *code;
  std::fprintf(stderr, "vlm-trainer: %s\n", std::string(code.status().message()).c_str());
  return 1;
}

}  // namespace vlm::trainer
