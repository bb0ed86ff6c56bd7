#include "worker/trainer/link/agent_link.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/status.h"

namespace vlm::trainer {

absl::StatusOr<std::unique_ptr<AgentLink>> AgentLink::FromEnvironment() {
  const char* text = std::getenv(std::string(kTrainerFdVariable).c_str());
  if (text == nullptr) return absl::NotFoundError("VLM_TRAINER_FD is not set");
  int fd = -1;
  if (!absl::SimpleAtoi(text, &fd) || fcntl(fd, F_GETFD) < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("VLM_TRAINER_FD=", text, " is no open descriptor; only vlm-worker sets it"));
  }
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  return std::make_unique<AgentLink>(fd);
}

AgentLink::~AgentLink() {
  finished_.store(true);
  socket_.Shutdown();
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (reader_.joinable()) reader_.join();
  if (writer_.joinable()) writer_.join();
}

absl::Status AgentLink::SendHello(const v1::TrainerHello& hello) {
  v1::TrainerMessage message;
  *message.mutable_hello() = hello;
  return socket_.Send(message);
}

absl::StatusOr<ReceivedLaunch> AgentLink::WaitForLaunch() {
  while (true) {
    v1::AgentMessage message;
    ReceivedLaunch received;
    RETURN_IF_ERROR(socket_.Receive(message, &received.listen_fd));
    if (message.has_launch()) {
      received.launch = std::move(*message.mutable_launch());
      return received;
    }
    // A command that crossed the end of an earlier plan; there is nothing to stop yet.
    if (received.listen_fd.has_value()) close(*received.listen_fd);
  }
}

void AgentLink::Start(int rank) {
  rank_ = rank;
  reader_ = std::thread([this] { ReadCommands(); });
  writer_ = std::thread([this] { WriteBatches(); });
}

void AgentLink::ReadCommands() {
  while (true) {
    v1::AgentMessage message;
    const absl::Status read = socket_.Receive(message);
    if (!read.ok()) {
      if (finished_.load()) return;
      // No destructors: the training thread may hang in a collective.
      _exit(kExitAgentGone);
    }
    if (message.has_command()) {
      pending_.store(message.command().action(), std::memory_order_release);
    }
  }
}

void AgentLink::Update(const std::function<void(v1::Report*)>& change, bool urgent) {
  absl::MutexLock lock(&mutex_);
  change(&batch_);
  dirty_ = true;
  urgent_ = urgent_ || urgent;
}

void AgentLink::WriteBatches() {
  absl::MutexLock lock(&mutex_);
  while (!stopping_) {
    const auto wake = [this]()
                          ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return urgent_ || stopping_; };
    mutex_.AwaitWithTimeout(absl::Condition(&wake), absl::FromChrono(kFlushInterval));
    if (dirty_ && !stopping_) SendPending();
  }
}

// Sends under the lock: a batch that is on its way is in front of every later change.
void AgentLink::SendPending() {
  v1::TrainerMessage message;
  batch_.set_sequence(++sequence_);
  batch_.set_rank(rank_);
  const int64_t last_step = batch_.last_step();
  const int64_t total_steps = batch_.total_steps();
  const int64_t skipped_rows = batch_.skipped_rows();
  const int64_t cut_captions = batch_.cut_captions();
  *message.mutable_report() = std::move(batch_);
  batch_.Clear();
  // Totals stand in every batch.
  batch_.set_last_step(last_step);
  batch_.set_total_steps(total_steps);
  batch_.set_skipped_rows(skipped_rows);
  batch_.set_cut_captions(cut_captions);
  dirty_ = urgent_ = false;
  const absl::Status sent = socket_.Send(message);
  if (!sent.ok() && !finished_.load()) _exit(kExitAgentGone);
}

void AgentLink::Finish(const v1::Outcome& outcome) {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    finished_.store(true);  // From now on the agent may close at any time.
    *batch_.mutable_outcome() = outcome;
    SendPending();
  }
  if (writer_.joinable()) writer_.join();
}

}  // namespace vlm::trainer
