// How many durable trials a second programs that train elsewhere get through: 64 clients, each with
// a connection of its own, ask for a trial of three parameters and tell its value. Then the
// coordinator is killed in the middle of it, and every tell that it had acknowledged must be in the
// file.
//
// study_bench BIN_DIR SAMPLER TRIALS [CLIENTS]: prints one JSON object on stdout.
// Ends with 1 when an acknowledged tell is lost.
#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "SQLiteCpp/SQLiteCpp.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bench/control_cluster.h"
#include "common/channel.h"
#include "common/ids.h"
#include "common/status.h"
#include "grpcpp/grpcpp.h"

namespace vlm::bench {
namespace {

struct Load {
  std::string study;
  int64_t trials = 0;
  std::atomic<int64_t> told{0};
  std::mutex mutex;
  std::vector<std::pair<int64_t, double>> acknowledged;  // trial_id, value
};

std::string Configuration(const std::string& sampler, int64_t trials) {
  return absl::StrCat("input_path: /nowhere/data.csv\nhyperparameter_tuning: true\n",
                      "cuda_enabled: false\nn_trials: ", trials,
                      "\nstudy:\n  sampler: {name: ", sampler,
                      "}\n  pruner: {name: none}\n  search_space:\n",
                      "    learning_rate: {type: float, low: 0.00001, high: 0.1, log: true}\n",
                      "    weight_decay: {type: float, low: 0.0, high: 0.3}\n",
                      "    batch_size: {type: int, low: 4, high: 64}\n");
}

double Objective(const v1::Trial& trial) {
  double sum = 0;
  for (const v1::Param& param : trial.params()) {
    const double x = param.value().has_int_value()
                         ? static_cast<double>(param.value().int_value()) / 64 - 0.5
                         : std::log10(param.value().float_value() + 1e-9) + 3;
    sum += x * x;
  }
  return sum;
}

std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
  grpc::ChannelArguments own;  // Otherwise all clients of this process would share a connection.
  own.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  auto channel = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), own);
  channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(10));
  return channel;
}

// One program: asks, tells, asks, until the trials are used up or the coordinator is gone. A few
// threads drive all of them, since 64 threads of this process would cost the machine more than 64
// programs elsewhere do.
class Program {
 public:
  Program(const std::shared_ptr<grpc::Channel>& channel, grpc::CompletionQueue* queue, Load* load)
      : stub_(v1::Control::NewStub(channel)), queue_(queue), load_(load) {}

  // The first call; false: there is nothing to do.
  bool Ask() {
    told_ = {};
    if (load_->told >= load_->trials) return false;
    v1::AskRequest request;
    request.set_request_id(NewUuid());
    request.set_study(load_->study);
    context_ = MakeContext();
    asking_ = stub_->AsyncAsk(context_.get(), request, queue_);
    asking_->Finish(&asked_, &status_, this);
    return true;
  }
  // A call has ended. False: that was the last one.
  bool GoOn() {
    if (!status_.ok()) return false;
    if (asking_ != nullptr) {
      asking_ = nullptr;
      Tell();
      return true;
    }
    mine_.emplace_back(asked_.trial().trial_id(), value_);
    ++load_->told;
    return Ask();
  }
  const std::vector<std::pair<int64_t, double>>& acknowledged() const { return mine_; }

 private:
  void Tell() {
    v1::TellRequest request;
    request.set_request_id(NewUuid());
    request.set_trial(absl::StrCat(load_->study, "/", asked_.trial().number()));
    request.set_state(v1::TRIAL_STATE_COMPLETE);
    value_ = Objective(asked_.trial());
    request.add_values(value_);
    context_ = MakeContext();
    telling_ = stub_->AsyncTell(context_.get(), request, queue_);
    telling_->Finish(&told_, &status_, this);
  }

  std::unique_ptr<v1::Control::Stub> stub_;
  grpc::CompletionQueue* queue_;
  Load* load_;
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<v1::AskResponse>> asking_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<v1::TellResponse>> telling_;
  grpc::Status status_;
  v1::AskResponse asked_;
  v1::TellResponse told_;
  double value_ = 0;
  std::vector<std::pair<int64_t, double>> mine_;
};

// Every kThreads-th program from the `first` on, until their last calls have ended.
constexpr size_t kThreads = 8;
void Drive(const std::vector<std::shared_ptr<grpc::Channel>>& channels, size_t first, Load* load) {
  grpc::CompletionQueue queue;
  std::vector<std::unique_ptr<Program>> programs;
  size_t running = 0;
  for (size_t i = first; i < channels.size(); i += kThreads) {
    programs.push_back(std::make_unique<Program>(channels[i], &queue, load));
    running += programs.back()->Ask() ? 1 : 0;
  }
  void* tag = nullptr;
  bool ok = false;
  while (running > 0 && queue.Next(&tag, &ok)) {
    if (!static_cast<Program*>(tag)->GoOn()) --running;
  }
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
  const std::lock_guard lock(load->mutex);
  for (const auto& program : programs) {
    const auto& mine = program->acknowledged();
    load->acknowledged.insert(load->acknowledged.end(), mine.begin(), mine.end());
  }
}

// Acknowledged tells that the file does not have.
int64_t Lost(const std::string& file, const Load& load) {
  SQLite::Database database(file);
  SQLite::Statement find(database,
                         "SELECT v.value FROM trial_values v JOIN trials t USING (trial_id) "
                         "WHERE t.trial_id = ? AND t.state = 'COMPLETE'");
  int64_t lost = 0;
  for (const auto& [trial_id, value] : load.acknowledged) {
    find.reset();
    find.bind(1, trial_id);
    lost += !(find.executeStep() && find.getColumn(0).getDouble() == value);
  }
  return lost;
}

absl::Status Submit(Cluster* cluster, const std::string& sampler, const Load& load,
                    int64_t budget) {
  v1::SubmitRequest request;
  request.set_request_id(NewUuid());
  request.set_config_text(Configuration(sampler, budget));
  request.set_config_path("/bench.yaml");
  request.set_name(load.study);
  v1::SubmitResponse response;
  auto context = MakeContext();
  return FromGrpc(cluster->control()->Submit(context.get(), request, &response));
}

absl::Status Run(const std::string& bin, const std::string& sampler, int64_t trials, int clients) {
  ASSIGN_OR_RETURN(auto cluster, Cluster::Start(bin));
  // Connections are made before the clock starts: a trial is asked for and told over one that
  // stands, and on Optuna's side too the processes' start is little against its 20 seconds.
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (int i = 0; i < clients; ++i) channels.push_back(Connect(cluster->address()));
  const auto drive = [&](Load* load, auto&& meanwhile) {
    std::vector<std::thread> threads;
    for (size_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] { Drive(channels, i, load); });
    }
    meanwhile();
    for (std::thread& thread : threads) thread.join();
  };
  Load load;
  load.study = "load";
  load.trials = trials;
  RETURN_IF_ERROR(Submit(cluster.get(), sampler, load, trials + clients));
  const Usage before = UsageOf(cluster->coordinator());
  const absl::Time start = absl::Now();
  drive(&load, [] {});
  const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
  const double cpu = UsageOf(cluster->coordinator()).cpu_s - before.cpu_s;

  Load killed;
  killed.study = "killed";
  killed.trials = int64_t{1} << 40;
  RETURN_IF_ERROR(Submit(cluster.get(), sampler, killed, 1'000'000));
  drive(&killed, [&] {
    while (killed.told < trials / 2) absl::SleepFor(absl::Milliseconds(1));
    kill(cluster->coordinator(), SIGKILL);
  });
  const int64_t lost = Lost(cluster->File(), load) + Lost(cluster->File(), killed);
  std::printf(
      "{\"trials\": %lld, \"seconds\": %.4f, \"trials_per_s\": %.1f, "
      "\"server_cpu_ms_per_trial\": %.4f, \"acknowledged_before_kill\": %zu, "
      "\"lost\": %lld}\n",
      static_cast<long long>(load.told), seconds, static_cast<double>(load.told) / seconds,
      1e3 * cpu / static_cast<double>(load.told), killed.acknowledged.size(),
      static_cast<long long>(lost));
  return lost == 0 ? absl::OkStatus()
                   : absl::DataLossError(absl::StrCat(lost, " acknowledged tells are lost"));
}

}  // namespace
}  // namespace vlm::bench

int main(int argc, char** argv) {
  int64_t trials = 0;
  int clients = 64;
  if (argc < 4 || !absl::SimpleAtoi(argv[3], &trials) ||
      (argc > 4 && !absl::SimpleAtoi(argv[4], &clients))) {
    std::fprintf(stderr, "usage: study_bench BIN_DIR SAMPLER TRIALS [CLIENTS]\n");
    return 2;
  }
  const absl::Status status = vlm::bench::Run(argv[1], argv[2], trials, clients);
  if (status.ok()) return EXIT_SUCCESS;
  std::fprintf(stderr, "study_bench: %s\n", std::string(status.message()).c_str());
  return EXIT_FAILURE;
}
