// A real program that speaks trainer.proto and trains nothing: the agent's tests start it in
// vlm-trainer's place. What it does is written in the last part of the configuration's input_path,
// as key=value pairs joined by commas:
//   steps=N sleep_ms=M           so many steps, so long each (20, 1)
//   val_every=N ckpt_every=N     a validation, a checkpoint every so many steps (5, 0)
//   at=N do=WHAT                 at step N: signal<S> | exit<C> | hang | nan | user | garbage |
//   close rank=R attempt=A             only this rank, only this attempt (any) deaf=1 orders are
//   not obeyed log_lines=N                  lines on stdout per step (1) mute=1 nothing is reported
//   until the end
// VLM_FAKE_START=exit makes it die before its hello, =hang wait for ever before it.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/framing.h"
#include "common/hash.h"
#include "vlm/v1/trainer.pb.h"

namespace {

using vlm::FrameSocket;
namespace v1 = vlm::v1;

constexpr int kSocketLost = 3;

class FakeTrainer {
 public:
  FakeTrainer(FrameSocket* socket, v1::Launch launch, std::optional<int> listen_fd)
      : socket_(socket), launch_(std::move(launch)), listen_fd_(listen_fd) {
    const std::string plan =
        std::filesystem::path(launch_.config().input_path()).filename().string();
    for (absl::string_view pair : absl::StrSplit(plan, ',')) {
      const std::vector<std::string> parts = absl::StrSplit(pair, absl::MaxSplits('=', 1));
      if (parts.size() == 2) plan_[parts[0]] = parts[1];
    }
  }

  int Run() {
    Meet();
    int64_t step = Resume();
    const int64_t steps = Number("steps", 20);
    while (step < steps) {
      if (TakeOrder() && plan_.count("deaf") == 0) return Obey(step);
      absl::SleepFor(absl::Milliseconds(Number("sleep_ms", 1)));
      ++step;
      for (int64_t i = 0; i < Number("log_lines", 1); ++i) {
        std::printf("step %ld line %ld\n", static_cast<long>(step), static_cast<long>(i));
      }
      std::fflush(stdout);
      if (!Synchronize()) {
        while (plan_.count("stuck") > 0) pause();
        if (TakeOrder()) return Obey(step);
        return End(v1::ATTEMPT_STATE_FAILED, v1::FAILURE_CLASS_INFRA, "connection closed by peer");
      }
      if (step == Number("at", -1) && Concerned()) Act(step);
      ReportStep(step, steps);
    }
    return End(v1::ATTEMPT_STATE_SUCCEEDED, v1::FAILURE_CLASS_UNSPECIFIED, "");
  }

 private:
  int64_t Number(const std::string& key, int64_t fallback) const {
    const auto it = plan_.find(key);
    int64_t value = fallback;
    if (it != plan_.end() && !absl::SimpleAtoi(it->second, &value)) value = fallback;
    return value;
  }

  bool Concerned() const {
    return Number("rank", launch_.rank()) == launch_.rank() &&
           Number("attempt", launch_.attempt_number()) == launch_.attempt_number();
  }

  // Rank 0 accepts the others on the socket that came along; they dial.
  void Meet() {
    if (launch_.world_size() <= 1) return;
    if (launch_.rank() == 0) {
      for (int i = 1; i < launch_.world_size(); ++i) {
        peers_.push_back(accept(listen_fd_.value(), nullptr, nullptr));
      }
      return;
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(launch_.rendezvous_port()));
    inet_pton(AF_INET, launch_.rendezvous_host().c_str(), &address.sin_addr);
    peers_.push_back(socket(AF_INET, SOCK_STREAM, 0));
    if (connect(peers_[0], reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      std::perror("rendezvous");
      std::exit(1);
    }
  }

  // One byte from everybody to everybody (through rank 0): a step ends for all or for none.
  bool Synchronize() {
    char byte = 1;
    for (int peer : peers_) {
      if (send(peer, &byte, 1, MSG_NOSIGNAL) != 1) return false;
    }
    for (int peer : peers_) {
      if (recv(peer, &byte, 1, 0) != 1) return false;
    }
    return true;
  }

  int64_t Resume() {
    int64_t step = 0;
    std::ifstream in(launch_.resume_from());
    if (in >> step) std::printf("resumed at step %ld\n", static_cast<long>(step));
    return step;
  }

  bool TakeOrder() {
    pollfd wait{socket_->fd(), POLLIN, 0};
    while (poll(&wait, 1, 0) > 0) {
      v1::AgentMessage message;
      if (!socket_->Receive(message).ok()) std::exit(kSocketLost);
      if (message.has_command()) command_ = message.command();
    }
    return command_.has_value();
  }

  int Obey(int64_t step) {
    switch (command_->action()) {
      case v1::Command::ACTION_PRUNE:
        return End(v1::ATTEMPT_STATE_PRUNED, {}, command_->reason());
      case v1::Command::ACTION_PREEMPT:
        Save(step);
        return End(v1::ATTEMPT_STATE_PREEMPTED, {}, command_->reason());
      default:
        return End(v1::ATTEMPT_STATE_STOPPED, {}, command_->reason());
    }
  }

  void Act(int64_t step) {
    const std::string& what = plan_["do"];
    int number = 0;
    std::fprintf(stderr, "doing %s at step %ld\n", what.c_str(), static_cast<long>(step));
    if (absl::StartsWith(what, "signal") && absl::SimpleAtoi(what.substr(6), &number)) {
      std::signal(number, SIG_DFL);  // A sanitizer would turn it into an exit code.
      raise(number);
    } else if (absl::StartsWith(what, "exit") && absl::SimpleAtoi(what.substr(4), &number)) {
      std::exit(number);
    } else if (what == "hang") {
      while (true) pause();
    } else if (what == "nan") {
      std::exit(End(v1::ATTEMPT_STATE_FAILED, v1::FAILURE_CLASS_DIVERGED, "the loss is nan"));
    } else if (what == "user") {
      std::exit(End(v1::ATTEMPT_STATE_FAILED, v1::FAILURE_CLASS_USER_ERROR, "row 7 is no base64"));
    } else if (what == "garbage") {
      (void)!write(socket_->fd(), "\xff\xff\xff\xffgarbage", 11);
    } else if (what == "close") {
      socket_->Shutdown();
      while (true) pause();
    }
  }

  void ReportStep(int64_t step, int64_t steps) {
    if (launch_.rank() != 0) return;
    const double loss = launch_.config().learning_rate() + 1.0 / static_cast<double>(step);
    v1::Series& series = *pending_.add_series();
    series.set_name("train_loss");
    v1::Point& point = *series.add_points();
    point.set_step(step);
    point.set_value(loss);
    point.set_time_ms(absl::ToUnixMillis(absl::Now()));
    pending_.set_last_step(step);
    pending_.set_total_steps(steps);
    value_ = loss;
    if (step % Number("val_every", 5) == 0) {
      v1::IntermediateValue& validation = *pending_.add_validations();
      validation.set_step(step);
      validation.set_value(loss);
    }
    if (Number("ckpt_every", 0) > 0 && step % Number("ckpt_every", 0) == 0) Save(step);
    if (plan_.count("mute") == 0) Send();
  }

  // The file is written aside and renamed, as a trainer must.
  void Save(int64_t step) {
    if (launch_.rank() != 0) return;
    const std::string path = absl::StrCat(launch_.work_dir(), "/ckpt-", step, ".safetensors");
    std::ofstream out(path + ".part");
    out << step << "\n" << std::string(3000, 'x');
    out.close();
    std::filesystem::rename(path + ".part", path);
    v1::Checkpoint& checkpoint = *pending_.add_checkpoints();
    checkpoint.set_step(step);
    checkpoint.set_uri("file://" + path);
    checkpoint.set_sha256(vlm::Sha256File(path).value_or(""));
    checkpoint.set_size_bytes(static_cast<int64_t>(std::filesystem::file_size(path)));
  }

  int End(v1::AttemptState state, v1::FailureClass failure_class, const std::string& reason) {
    v1::Outcome& outcome = *pending_.mutable_outcome();
    outcome.set_state(state);
    outcome.set_failure_class(failure_class);
    outcome.set_reason(reason);
    if (state == v1::ATTEMPT_STATE_SUCCEEDED && launch_.rank() == 0) outcome.add_values(value_);
    Send();
    return 0;
  }

  void Send() {
    v1::TrainerMessage message;
    *message.mutable_report() = std::move(pending_);
    pending_ = {};
    message.mutable_report()->set_sequence(++sequence_);
    message.mutable_report()->set_rank(launch_.rank());
    if (!socket_->Send(message).ok()) std::exit(kSocketLost);
  }

  FrameSocket* const socket_;
  const v1::Launch launch_;
  const std::optional<int> listen_fd_;
  std::map<std::string, std::string> plan_;
  std::vector<int> peers_;
  std::optional<v1::Command> command_;
  v1::Report pending_;
  int64_t sequence_ = 0;
  double value_ = std::numeric_limits<double>::quiet_NaN();
};

}  // namespace

int main() {
  const char* start = std::getenv("VLM_FAKE_START");
  if (start != nullptr && std::string(start) == "exit") {
    std::fprintf(stderr, "libtorch_cpu.so: cannot open shared object file\n");
    return 127;
  }
  if (start != nullptr && std::string(start) == "hang") pause();
  const char* number = std::getenv("VLM_TRAINER_FD");
  if (number == nullptr) {
    std::fprintf(stderr, "VLM_TRAINER_FD is not set\n");
    return 2;
  }
  FrameSocket socket(std::atoi(number));
  v1::TrainerMessage hello;
  hello.mutable_hello()->set_pid(getpid());
  hello.mutable_hello()->set_version("fake");
  if (!socket.Send(hello).ok()) return kSocketLost;
  v1::AgentMessage message;
  std::optional<int> listen_fd;
  if (!socket.Receive(message, &listen_fd).ok()) return kSocketLost;
  return FakeTrainer(&socket, message.launch(), listen_fd).Run();
}
