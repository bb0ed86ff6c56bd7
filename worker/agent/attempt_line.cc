// The line that an attempt goes through on its own thread: see attempt.h.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/status.h"
#include "worker/agent/attempt.h"

namespace vlm::agent {
namespace {

constexpr absl::Duration kRoomLimit = absl::Seconds(1);  // Between two looks at a full spool.
constexpr absl::Duration kFlushEvery = absl::Milliseconds(50);
constexpr absl::Duration kDiskLimit = absl::Seconds(30);  // Of waiting for a full disk.

absl::Duration Now() { return RealClock().Monotonic(); }

v1::Outcome FailedOutcome(v1::FailureClass failure_class, const std::string& reason) {
  v1::Outcome outcome;
  outcome.set_state(v1::ATTEMPT_STATE_FAILED);
  outcome.set_failure_class(failure_class);
  outcome.set_reason(reason);
  return outcome;
}

}  // namespace

void Attempt::Run() {
  const absl::StatusOr<std::string> resume_from = FetchCheckpoint();
  if (!resume_from.ok()) {
    EndWith(FailedOutcome(v1::FAILURE_CLASS_INFRA, std::string(resume_from.status().message())));
    return;
  }
  if (!WaitForStart()) {
    v1::Outcome outcome;
    {
      MutexLock lock(mutex_);
      outcome = Combine(
          {{offer_.ranks(0), std::nullopt, ExitInfo{0, 0, true, false, "", ""}, Now(), false}},
          command_);
      outcome.set_reason(command_.reason());
    }
    EndWith(std::move(outcome));
    return;
  }
  if (const absl::Status launched = LaunchRanks(*resume_from); !launched.ok()) {
    KillRanks();
    Supervise();
    EndWith(FailedOutcome(v1::FAILURE_CLASS_INFRA, std::string(launched.message())));
    return;
  }
  Supervise();
  v1::Outcome outcome;
  {
    MutexLock lock(mutex_);
    std::vector<RankEnd> ends;
    for (Rank& rank : ranks_) {
      rank.end.stopped_as_peer = stopping_peers_ && rank.end.exit.killed_by_agent;
      ends.push_back(rank.end);
    }
    outcome = Combine(ends, command_);
    if (!spool_error_.ok()) {
      outcome = FailedOutcome(v1::FAILURE_CLASS_INFRA, std::string(spool_error_.message()));
    }
  }
  EndWith(std::move(outcome));
}

// False: it is over before it began.
bool Attempt::WaitForStart() {
  MutexLock lock(mutex_);
  while (!start_.has_value() && !fenced_ && command_.action() == v1::Command::ACTION_UNSPECIFIED) {
    changed_.Wait(mutex_);
  }
  return !fenced_ && command_.action() == v1::Command::ACTION_UNSPECIFIED;
}

absl::StatusOr<std::string> Attempt::FetchCheckpoint() {
  const v1::Checkpoint& from = offer_.resume_from();
  if (!offer_.has_resume_from() || from.checkpoint_id().empty()) return "";
  const std::string path = absl::StrCat(parts_.work_dir, "/resume.safetensors");
  const absl::Status status =
      parts_.transfer->Download(from, path, options_.download_limit, [this] { return Over(); });
  if (status.ok()) return path;
  // A damaged or missing checkpoint costs the work since the start, never the trial.
  if (absl::IsNotFound(status) || absl::IsDataLoss(status) || absl::IsInvalidArgument(status)) {
    Say(absl::StrCat("checkpoint ", from.checkpoint_id(), " cannot be used (", status.message(),
                     "); training starts from scratch"));
    return "";
  }
  return Annotate(status, absl::StrCat("checkpoint ", from.checkpoint_id()));
}

v1::Launch Attempt::MakeLaunch(size_t index, const std::string& resume_from) const {
  const int i = static_cast<int>(index);
  const v1::Slot& slot = parts_.slots[static_cast<size_t>(offer_.slots(i))];
  v1::Launch launch;
  launch.set_attempt_id(offer_.attempt_id());
  launch.set_trial_id(offer_.trial_id());
  launch.set_trial_number(offer_.trial_number());
  launch.set_attempt_number(offer_.epoch());
  launch.set_study_name(offer_.study_name());
  *launch.mutable_config() = offer_.config();
  launch.set_rank(offer_.ranks(i));
  launch.set_world_size(offer_.world_size());
  launch.set_local_rank(i);
  launch.set_device(slot.device());
  launch.set_threads(slot.threads());
  launch.set_has_listen_fd(offer_.ranks(i) == 0 && parts_.listen.has_value());
  launch.set_work_dir(parts_.work_dir);
  launch.set_resume_from(resume_from);
  launch.set_worker_name(parts_.worker_name);
  return launch;
}

absl::Status Attempt::LaunchRanks(const std::string& resume_from) {
  for (size_t i = 0; i < static_cast<size_t>(offer_.ranks_size()); ++i) {
    absl::Status launched = LaunchRank(i, resume_from);
    // A spare that died just now is replaced once; one after the other dying is an error.
    if (absl::IsUnavailable(launched)) launched = LaunchRank(i, resume_from);
    RETURN_IF_ERROR(launched);
  }
  MutexLock lock(mutex_);
  launched_ = true;
  // An order that came while the ranks were started.
  if (command_.action() != v1::Command::ACTION_UNSPECIFIED) SendToAll(command_);
  return absl::OkStatus();
}

absl::Status Attempt::LaunchRank(size_t index, const std::string& resume_from) {
  ASSIGN_OR_RETURN(std::unique_ptr<TrainerProcess> process, parts_.pool->Take(options_.warm_limit));
  v1::Launch launch = MakeLaunch(index, resume_from);
  TrainerProcess* trainer = process.get();
  {
    MutexLock lock(mutex_);
    if (fenced_) return absl::CancelledError("the lease is lost");
    if (offer_.world_size() > 1) {
      launch.set_rendezvous_host(start_->rendezvous_host());
      launch.set_rendezvous_port(start_->rendezvous_port());
    }
    std::swap(ranks_[index].process, process);  // A dead one goes when the lock has gone.
  }
  std::optional<int> listen_fd;
  if (launch.has_listen_fd()) listen_fd = parts_.listen->fd();
  const absl::Status sent = trainer->Launch(
      launch, listen_fd, absl::StrCat(parts_.work_dir, "/rank", launch.rank(), ".log"), this);
  if (!sent.ok()) {
    MutexLock lock(mutex_);
    std::swap(ranks_[index].process, process);  // It was never ours: it will not call.
    return sent;
  }
  VLM_LOG_INFO("rank started", {{"attempt", offer_.attempt_id()},
                                {"trial", offer_.trial_number()},
                                {"rank", launch.rank()},
                                {"pid", trainer->pid()}});
  return absl::OkStatus();
}

// Until every rank has ended.
void Attempt::Supervise() {
  while (true) {
    {
      MutexLock lock(mutex_);
      if (AllEnded()) break;
      const absl::Duration wait = KillOverdue();
      if (!work_ && wait > absl::ZeroDuration()) changed_.WaitFor(mutex_, wait);
      work_ = false;
    }
    Flush(false);
  }
  Flush(true);
}

// Kills ranks whose time is up; returns how long to sleep at most.
absl::Duration Attempt::KillOverdue() {
  absl::Duration wait = absl::Hours(1);
  for (Rank& rank : ranks_) {
    const bool lines = rank.process != nullptr && rank.process->logs().HasLines();
    if (lines || !rank.builder.empty()) wait = std::min(wait, kFlushEvery);
    if (rank.ended || rank.process == nullptr || !rank.kill_at.has_value()) continue;
    if (*rank.kill_at <= Now()) {
      VLM_LOG_WARNING("rank does not end; killing it",
                      {{"attempt", offer_.attempt_id()}, {"rank", rank.end.rank}});
      rank.process->Kill();
      rank.kill_at = Now() + absl::Seconds(5);  // Again, should that ever be needed.
    }
    wait = std::min(wait, *rank.kill_at - Now());
  }
  return wait;
}

// Spools what is due, or everything.
void Attempt::Flush(bool all) {
  std::vector<v1::Report> batches;
  {
    MutexLock lock(mutex_);
    if (fenced_) return;
    for (Rank& rank : ranks_) {
      if (rank.process != nullptr && rank.process->logs().HasLines()) {
        rank.builder.AddLines(rank.process->logs().Take(), Now());
      }
    }
    if (!own_lines_.empty()) ranks_.front().builder.AddLines(std::move(own_lines_), Now());
    own_lines_.clear();
    for (Rank& rank : ranks_) {
      while (!rank.builder.empty() && (all || rank.builder.Due(Now()))) {
        batches.push_back(rank.builder.Take());
        if (all && rank.process != nullptr) {
          rank.builder.AddLines(rank.process->logs().Take(), Now());
        }
      }
    }
  }
  for (v1::Report& batch : batches) {
    const absl::Status status = Spool(std::move(batch));
    if (status.ok() || absl::IsCancelled(status)) continue;
    MutexLock lock(mutex_);
    if (!spool_error_.ok()) continue;
    spool_error_ = Annotate(status, "reports cannot be kept");
    VLM_LOG_ERROR("ending an attempt: its reports cannot be kept",
                  {{"attempt", offer_.attempt_id()}, {"error", status.message()}});
    for (Rank& rank : ranks_) {
      if (rank.process != nullptr) rank.process->Kill();
    }
  }
}

// Waits for the coordinator where the spool is at its bound (as long as it takes), and for a full
// disk for a while; then it is an error.
absl::Status Attempt::Spool(v1::Report report) {
  const absl::Duration end = Now() + kDiskLimit;
  while (true) {
    const absl::Status status = parts_.delivery->Append(report);
    if (!absl::IsResourceExhausted(status)) return status;
    {
      MutexLock lock(mutex_);
      KillOverdue();  // Orders and deadlines hold meanwhile.
    }
    if (parts_.delivery->spool().Full()) {
      (void)parts_.delivery->WaitForRoom(kRoomLimit);
      continue;
    }
    if (Now() >= end || Over()) return status;
    MutexLock lock(mutex_);
    changed_.WaitFor(mutex_, kRoomLimit);
  }
}

void Attempt::Say(const std::string& text) {
  VLM_LOG_WARNING(text, {{"attempt", offer_.attempt_id()}, {"trial", offer_.trial_number()}});
  v1::LogLine line;
  line.set_time_ms(absl::ToUnixMillis(RealClock().Wall()));
  line.set_rank(-1);
  line.set_stream("agent");
  line.set_text(text);
  MutexLock lock(mutex_);
  own_lines_.push_back(std::move(line));
}

void Attempt::EndWith(v1::Outcome outcome) {
  Flush(true);
  if (!Over()) Finish(std::move(outcome));
  {
    MutexLock lock(mutex_);
    done_ = true;
  }
  parts_.on_done();
}

// Spools the outcome at once, lets it out when the checkpoints are where others can get them.
void Attempt::Finish(v1::Outcome outcome) {
  VLM_LOG_INFO("attempt ended", {{"attempt", offer_.attempt_id()},
                                 {"trial", offer_.trial_number()},
                                 {"state", v1::AttemptState_Name(outcome.state())},
                                 {"reason", outcome.reason()}});
  const bool preempted = outcome.state() == v1::ATTEMPT_STATE_PREEMPTED;
  v1::Report last;
  last.set_rank(offer_.ranks(0));
  *last.mutable_outcome() = std::move(outcome);
  parts_.delivery->AppendOutcome(std::move(last));
  const std::vector<v1::Checkpoint> left = parts_.transfer->WaitUploaded(
      offer_.attempt_id(), options_.upload_limit, [this] { return Over(); });
  for (const v1::Checkpoint& checkpoint : left) {
    VLM_LOG_WARNING("a checkpoint stays on this worker only", {{"uri", checkpoint.uri()}});
  }
  bool keep_back = false;
  {
    MutexLock lock(mutex_);
    keep_back = preempted && draining_;
  }
  if (!keep_back) parts_.delivery->OpenGate();
}

}  // namespace vlm::agent
