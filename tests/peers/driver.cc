// Plays people and a worker for tests/peers/optuna_test.py: submits a study to the coordinator at
// argv[1], ends trials in every way there is, leaves one running, says "ready", and then reports
// one more value of it for each line it reads.
#include <atomic>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <limits>
#include <thread>

#include "tests/contract/coordinator_fixture.h"

namespace vlm {
namespace {

v1::ReportBatch WithValue(const ScriptedWorker& worker, const v1::Offer& offer, int64_t sequence,
                          double value) {
  v1::ReportBatch batch = worker.Batch(offer, sequence);
  batch.mutable_report()->add_validations()->set_step(sequence * 10);
  batch.mutable_report()->mutable_validations(0)->set_value(value);
  return batch;
}

// Accepts the next trial, reports a value, and ends it so.
void RunToEnd(ScriptedWorker& worker, v1::AttemptState state, double value) {
  const v1::Offer offer = worker.ReceiveOffer();
  worker.Accept(offer);
  worker.Receive();
  worker.Report(WithValue(worker, offer, 1, value));
  v1::ReportBatch end = worker.Batch(offer, 2);
  v1::Outcome& outcome = *end.mutable_report()->mutable_outcome();
  outcome.set_state(state);
  if (state == v1::ATTEMPT_STATE_FAILED) outcome.set_failure_class(v1::FAILURE_CLASS_USER_ERROR);
  outcome.add_values(value);
  worker.Report(end);
}

int Run(const std::string& address) {
  const auto channel = MakeChannel(address);
  auto control = v1::Control::NewStub(channel);
  v1::SubmitRequest request;
  request.set_name("peers");
  request.set_config_text(
      "input_path: /data/a.csv\ncuda_enabled: false\nhyperparameter_tuning: true\nn_trials: 20\n"
      "study:\n  pruner: none\n  search_space:\n"
      "    learning_rate: {type: float, low: 0.001, high: 0.1, log: true}\n"
      "    dropout: {type: float, low: 0, high: 0.5, step: 0.1}\n"
      "    n_layer: {type: int, low: 1, high: 8}\n"
      "    batch_size: [8, 16, 32]\n    optimizer.schedule: [constant, cosine]\n"
      "    amp_enabled: [true, false]\n");
  v1::SubmitResponse response;
  const auto status = control->Submit(MakeContext().get(), request, &response);
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", status.error_message().c_str());
    return 1;
  }
  ScriptedWorker worker(channel, "w1");
  worker.Hello();
  RunToEnd(worker, v1::ATTEMPT_STATE_SUCCEEDED, 0.5);
  RunToEnd(worker, v1::ATTEMPT_STATE_SUCCEEDED, 0.25);
  RunToEnd(worker, v1::ATTEMPT_STATE_PRUNED, 0.75);
  RunToEnd(worker, v1::ATTEMPT_STATE_FAILED, 0.9);
  RunToEnd(worker, v1::ATTEMPT_STATE_SUCCEEDED, std::numeric_limits<double>::infinity());
  RunToEnd(worker, v1::ATTEMPT_STATE_SUCCEEDED, NAN);
  const v1::Offer running = worker.ReceiveOffer();
  worker.Accept(running);
  worker.Receive();
  worker.Report(WithValue(worker, running, 1, 0.6));
  // From here on the main thread only reports; the lease is kept by beats.
  std::atomic<bool> ending = false;
  std::thread beats([&] {
    v1::WorkerMessage beat;
    beat.mutable_beat()->add_leases()->set_attempt_id(running.attempt_id());
    beat.mutable_beat()->mutable_leases(0)->set_epoch(running.epoch());
    while (!ending) {
      worker.Send(beat);
      worker.Receive();
      absl::SleepFor(absl::Milliseconds(200));
    }
  });
  std::printf("ready\n");
  std::fflush(stdout);
  std::string line;
  for (int64_t sequence = 2; std::getline(std::cin, line); ++sequence) {
    worker.Report(WithValue(worker, running, sequence, 0.6 / static_cast<double>(sequence)));
    std::printf("reported\n");
    std::fflush(stdout);
  }
  ending = true;
  beats.join();
  return 0;
}

}  // namespace
}  // namespace vlm

int main(int argc, char** argv) { return argc == 2 ? vlm::Run(argv[1]) : 2; }
