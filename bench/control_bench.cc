// The coordinator from outside, as a real process: how long a submit takes, what an idle system
// costs, and how fast a granted trial makes its first step.
//
// control_bench BIN_DIR [SECONDS]: SECONDS (default 20) is how long the idle system is watched.
// Ends with 1 when a figure is missed. What needs a program that is not in BIN_DIR is named and
// left out.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "bench/control_cluster.h"
#include "common/channel.h"
#include "common/ids.h"
#include "common/status.h"

namespace vlm::bench {
namespace {

constexpr double kSubmitMs = 100;
constexpr double kFirstStepMs = 100;
constexpr double kIdlePercent = 1;
constexpr double kRssMb = 50;

bool all_met = true;

void Figure(const std::string& name, double value, double limit, const char* unit) {
  const bool met = value <= limit;
  all_met &= met;
  std::printf("control: %-44s %9.3f %-4s (figure: at most %g) %s\n", name.c_str(), value, unit,
              limit, met ? "met" : "MISSED");
  std::fflush(stdout);
}

double Percentile(std::vector<double> values, double p) {
  std::sort(values.begin(), values.end());
  const auto at = static_cast<size_t>(p * static_cast<double>(values.size() - 1));
  return values[at];
}

std::string Configuration(const std::string& data, int trials, int steps) {
  return absl::StrCat("input_path: ", data,
                      "\nhyperparameter_tuning: true\ncuda_enabled: false\nn_trials: ", trials,
                      "\nn_embd: 32\nimage_embed_dim: 32\nn_layer: 1\nnum_blks: 1\nnum_head: 4\n"
                      "img_size: 32\npatch_size: 16\nblock_size: 32\nbatch_size: 4\n"
                      "val_batch_size: 4\neval_iters: 1\nmax_iters: ",
                      steps, "\neval_interval: ", steps,
                      "\nstudy:\n  pruner: {name: none}\n  search_space:\n    learning_rate: "
                      "{type: float, low: 0.001, high: 0.006, log: true}\n");
}

absl::StatusOr<v1::Study> Submit(Cluster* cluster, const std::string& config,
                                 const std::string& name, bool paused) {
  v1::SubmitRequest request;
  request.set_request_id(NewUuid());
  request.set_config_text(config);
  request.set_config_path("/bench.yaml");
  request.set_name(name);
  request.set_paused(paused);
  request.set_owner("bench");
  v1::SubmitResponse response;
  auto context = MakeContext();
  RETURN_IF_ERROR(FromGrpc(cluster->control()->Submit(context.get(), request, &response)));
  return response.study();
}

absl::Status SubmitRoundTrip(Cluster* cluster) {
  const std::string config = Configuration("/nowhere/data.csv", 10, 100);
  std::vector<double> ms;
  for (int i = 0; i < 220; ++i) {
    const absl::Time start = absl::Now();
    const auto study = Submit(cluster, config, absl::StrCat("submit-", i), true);
    RETURN_IF_ERROR(study.status());
    if (i >= 20) ms.push_back(absl::ToDoubleMilliseconds(absl::Now() - start));
  }
  Figure("submit round trip p50", Percentile(ms, 0.5), kSubmitMs, "ms");
  Figure("submit round trip p99", Percentile(ms, 0.99), kSubmitMs, "ms");
  return absl::OkStatus();
}

void Idle(const std::string& name, const Usage& before, const Usage& after, double seconds) {
  Figure(name + " idle, share of a core", (after.cpu_s - before.cpu_s) / seconds * 100,
         kIdlePercent, "%");
  Figure(name + " resident memory", after.rss_mb, kRssMb, "MB");
}

void IdleSystem(Cluster* cluster, bool worker, double seconds) {
  absl::SleepFor(absl::Seconds(2));  // What starting up still has to do is not idling.
  const Usage coordinator = UsageOf(cluster->coordinator());
  const Usage agent = worker ? UsageOf(cluster->worker()) : Usage();
  absl::SleepFor(absl::Seconds(seconds));
  const Usage coordinator_after = UsageOf(cluster->coordinator());
  const Usage agent_after = worker ? UsageOf(cluster->worker()) : Usage();
  Idle("coordinator", coordinator, coordinator_after, seconds);
  if (!worker) return;
  Idle("agent", agent, agent_after, seconds);
  Figure("coordinator + agent idle, share of a core",
         (coordinator_after.cpu_s - coordinator.cpu_s + agent_after.cpu_s - agent.cpu_s) / seconds *
             100,
         kIdlePercent, "%");
}

// From the commit of the lease to the end of the first optimizer step, of one ended trial.
absl::StatusOr<double> GrantToFirstStep(Cluster* cluster, const std::string& trial) {
  v1::GetTrialRequest get;
  get.set_trial(trial);
  v1::GetTrialResponse got;
  auto context = MakeContext();
  RETURN_IF_ERROR(FromGrpc(cluster->control()->GetTrial(context.get(), get, &got)));
  v1::ReadMetricsRequest read;
  read.set_trial(trial);
  read.add_names("train_loss");
  v1::ReadMetricsResponse series;
  context = MakeContext();
  RETURN_IF_ERROR(FromGrpc(cluster->control()->ReadMetrics(context.get(), read, &series)));
  if (got.trial().attempts().empty() || series.series().empty() ||
      series.series(0).points().empty()) {
    return absl::InternalError(absl::StrCat("trial ", trial, " (", got.trial().reason(),
                                            ") has no attempt or no train_loss"));
  }
  const auto& granted = got.trial().attempts(0).create_time();
  const double granted_ms =
      static_cast<double>(granted.seconds()) * 1e3 + static_cast<double>(granted.nanos()) / 1e6;
  return static_cast<double>(series.series(0).points(0).time_ms()) - granted_ms;
}

// The figure is about a warm trainer: trials last longer (about 3 s) than the spare that the agent
// starts behind each of them takes to load LibTorch (about 1 s on these cores).
absl::Status FirstStep(Cluster* cluster) {
  constexpr int kTrials = 12;
  constexpr int kSteps = 1000;
  ASSIGN_OR_RETURN(const std::string data, cluster->MakeData(64));
  ASSIGN_OR_RETURN(const v1::Study study,
                   Submit(cluster, Configuration(data, kTrials, kSteps), "first-step", false));
  v1::GetStudyRequest request;
  request.set_study("first-step");
  v1::GetStudyResponse response;
  const bool ended = testing::Eventually(absl::Seconds(180), [&] {
    auto context = MakeContext();
    return cluster->control()->GetStudy(context.get(), request, &response).ok() &&
           response.study().state() >= v1::STUDY_STATE_COMPLETED;
  });
  if (!ended || response.study().state() != v1::STUDY_STATE_COMPLETED) {
    return absl::InternalError(
        absl::StrCat("the study did not complete: ", response.study().reason()));
  }
  std::vector<double> ms;
  for (int i = 2; i < kTrials; ++i) {  // The first ones may find no warm trainer yet.
    ASSIGN_OR_RETURN(const double one, GrantToFirstStep(cluster, absl::StrCat("first-step/", i)));
    ms.push_back(one);
  }
  Figure("granted to first step, warm trainer, p50", Percentile(ms, 0.5), kFirstStepMs, "ms");
  std::printf("control: granted to first step: min %.1f ms, max %.1f ms over %zu trials\n",
              Percentile(ms, 0), Percentile(ms, 1), ms.size());
  return absl::OkStatus();
}

absl::Status Run(const std::string& bin, double seconds) {
  ASSIGN_OR_RETURN(auto cluster, Cluster::Start(bin));
  RETURN_IF_ERROR(SubmitRoundTrip(cluster.get()));
  const bool worker = cluster->Has("vlm-worker") && cluster->Has("vlm-trainer");
  if (worker) {
    RETURN_IF_ERROR(cluster->StartWorker(1));
  } else {
    std::printf("control: vlm-worker or vlm-trainer is not built: the agent is not measured\n");
  }
  IdleSystem(cluster.get(), worker, seconds);
  if (worker && cluster->Has("vlmctl")) RETURN_IF_ERROR(FirstStep(cluster.get()));
  return absl::OkStatus();
}

}  // namespace
}  // namespace vlm::bench

int main(int argc, char** argv) {
  double seconds = 20;
  if (argc < 2 || (argc > 2 && !absl::SimpleAtod(argv[2], &seconds))) {
    std::fprintf(stderr, "usage: control_bench BIN_DIR [SECONDS]\n");
    return 2;
  }
  const absl::Status status = vlm::bench::Run(argv[1], seconds);
  if (!status.ok()) {
    std::fprintf(stderr, "control_bench: %s\n", std::string(status.message()).c_str());
    return EXIT_FAILURE;
  }
  return vlm::bench::all_met ? EXIT_SUCCESS : EXIT_FAILURE;
}
