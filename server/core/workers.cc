// What people do with workers: cordon, drain, evict.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/core/core.h"

namespace vlm::core {

absl::StatusOr<WorkerRecord*> Core::FindWorker(const std::string& text) {
  if (const auto it = state_.workers.find(text); it != state_.workers.end()) return &it->second;
  WorkerRecord* found = nullptr;
  for (auto& [id, worker] : state_.workers) {
    if (worker.worker.name() != text) continue;
    if (found != nullptr) {
      return absl::FailedPreconditionError(
          absl::StrCat("several workers are named \"", text,
                       "\"; give the id of one: ", found->worker.worker_id(), ", ", id));
    }
    found = &worker;
  }
  if (found != nullptr) return found;
  return absl::NotFoundError(
      absl::StrCat("no worker \"", text, "\"; `vlmctl worker list -o wide` shows names and ids"));
}

std::vector<AttemptRecord*> Core::AttemptsOn(const std::string& worker_id) const {
  std::vector<AttemptRecord*> found;
  for (const auto& [id, attempt] : state_.live) {
    const bool here =
        std::any_of(attempt->nodes.begin(), attempt->nodes.end(),
                    [&](const NodeRecord& node) { return node.worker_id == worker_id; });
    if (here) found.push_back(attempt);
  }
  return found;
}

void Core::Cordon(WorkerRecord& worker, bool cordoned, const std::string& reason) {
  if (worker.worker.cordoned() == cordoned && worker.worker.reason() == reason) return;
  worker.worker.set_cordoned(cordoned);
  worker.worker.set_reason(reason);
  out_->batch.push_back(PutWorker{worker.worker});
  Emit(cordoned ? "worker.cordoned" : "worker.uncordoned",
       absl::StrCat("worker ", worker.worker.name(),
                    cordoned ? " takes nothing new" : " takes trials again",
                    reason.empty() ? "" : ": ", reason),
       nullptr, nullptr, &worker);
}

Core::Result Core::UpdateWorker(const v1::UpdateWorkerRequest& request) {
  auto found = FindWorker(request.worker());
  if (!found.ok()) return found.status();
  WorkerRecord& worker = **found;
  auto response = std::make_shared<v1::UpdateWorkerResponse>();
  using Request = v1::UpdateWorkerRequest;
  switch (request.action()) {
    case Request::ACTION_CORDON:
    case Request::ACTION_UNCORDON:
      Cordon(worker, request.action() == Request::ACTION_CORDON, request.reason());
      break;
    case Request::ACTION_DRAIN:
      Cordon(worker, true, request.reason().empty() ? "drained" : request.reason());
      Drain(worker, response.get());
      break;
    case Request::ACTION_EVICT:
      Cordon(worker, true, request.reason().empty() ? "evicted" : request.reason());
      Evict(worker, response.get());
      break;
    default:
      return absl::InvalidArgumentError("action must be cordon, uncordon, drain or evict");
  }
  *response->mutable_worker() = worker.worker;
  if (request.action() == Request::ACTION_EVICT && worker.session == 0) Forget(worker);
  return response;
}

// What has not begun yet begins elsewhere at once; the rest writes a checkpoint first.
void Core::Drain(WorkerRecord& worker, v1::UpdateWorkerResponse* response) {
  const std::string reason = absl::StrCat("worker ", worker.worker.name(), " is drained");
  for (AttemptRecord* attempt : AttemptsOn(worker.worker.worker_id())) {
    response->add_attempt_ids(attempt->attempt.attempt_id());
    if (attempt->attempt.state() != v1::ATTEMPT_STATE_RUNNING) {
      EndAttempt(*attempt, v1::ATTEMPT_STATE_PREEMPTED, v1::FAILURE_CLASS_PREEMPTED, reason);
    } else if (attempt->command.action() == v1::Command::ACTION_UNSPECIFIED) {
      Command(*attempt, v1::Command::ACTION_PREEMPT, reason);
    }
  }
}

void Core::Evict(WorkerRecord& worker, v1::UpdateWorkerResponse* response) {
  for (AttemptRecord* attempt : AttemptsOn(worker.worker.worker_id())) {
    response->add_attempt_ids(attempt->attempt.attempt_id());
    EndAttempt(*attempt, v1::ATTEMPT_STATE_PREEMPTED, v1::FAILURE_CLASS_PREEMPTED,
               absl::StrCat("worker ", worker.worker.name(), " was evicted"));
  }
}

void Core::Forget(WorkerRecord& worker) {
  const std::string id = worker.worker.worker_id();
  out_->batch.push_back(DropWorker{id});
  state_.workers.erase(id);
}

}  // namespace vlm::core
