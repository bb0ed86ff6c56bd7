// What goes into the heart and what comes out of it. Inputs are values; the heart keeps no pointer
// into them. Outputs of a step are released in order, after the step's batch has been committed.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"
#include "optuna/storage.pb.h"
#include "server/core/mutation.h"
#include "server/search/sampler.h"
#include "vlm/v1/control.pb.h"
#include "vlm/v1/fleet.pb.h"

namespace vlm::core {

// One reading of both clocks per step: leases use `monotonic`, people read `wall`.
struct Now {
  absl::Duration monotonic;
  absl::Time wall;
};

// Names a caller that waits for a Reply; 0 = nobody waits.
using Token = uint64_t;
// Names an Attach stream; never used again.
using SessionId = uint64_t;

// ---- inputs ----

// A submit whose configuration has been validated already (parsing is not the heart's work).
struct SubmitCall {
  v1::SubmitRequest request;
  v1::StudySpec spec;
  std::vector<v1::ConfigIssue> warnings;
  std::vector<v1::Trial> seeds = {};  // Read from the file of spec.seed_from.
};
// An edit whose search space, if it changes, has been validated with the whole configuration.
struct UpdateCall {
  v1::UpdateStudyRequest request;
  v1::StudySpec spec;  // Counts if the request edits the space.
};
// An import whose trials have been read already.
struct ImportCall {
  v1::ImportStudyRequest::Header header;
  std::vector<v1::Trial> trials;
};
// Answered with v1::DeleteStudyResponse: which deleted study a restore is about, so that it can be
// read from the store; 0: the request was done before and RestoreCall repeats its answer.
struct LookUpDeletedStudy {
  std::string request_id;
  std::string study;
};
struct RestoreCall {
  v1::RestoreStudyRequest request;
  v1::WholeStudy whole;
};
// The resolution of a trial's name for readers of the store.
struct ResolveTrial {
  std::string trial;
};
// Whether an upload may be stored: the epoch is live (FAILED_PRECONDITION otherwise).
struct CheckUpload {
  int64_t attempt_id = 0;
  int32_t epoch = 0;
};
// An upload has arrived whole, is hashed and synced.
struct CheckpointStored {
  std::string worker_id;
  int32_t epoch = 0;
  v1::Checkpoint checkpoint;
};
// A stored checkpoint's bytes do not have their hash any more. Nobody waits for an answer.
struct CheckpointDamaged {
  std::string checkpoint_id;
};
// Answered with v1::Checkpoint. NOT_FOUND.
struct FindCheckpoint {
  std::string checkpoint_id;
};

// A request of Optuna's storage protocol; answered with its reply.
struct OptunaCall {
  std::variant<optuna::CreateNewStudyRequest, optuna::DeleteStudyRequest,
               optuna::SetStudyUserAttributeRequest, optuna::SetStudySystemAttributeRequest,
               optuna::GetStudyIdFromNameRequest, optuna::GetStudyNameFromIdRequest,
               optuna::GetStudyDirectionsRequest, optuna::GetStudyUserAttributesRequest,
               optuna::GetStudySystemAttributesRequest, optuna::GetAllStudiesRequest,
               optuna::CreateNewTrialRequest, optuna::SetTrialParameterRequest,
               optuna::GetTrialIdFromStudyIdTrialNumberRequest, optuna::SetTrialStateValuesRequest,
               optuna::SetTrialIntermediateValueRequest, optuna::SetTrialUserAttributeRequest,
               optuna::SetTrialSystemAttributeRequest, optuna::GetTrialRequest,
               optuna::GetTrialsRequest>
      request;
};

using CallBody =
    std::variant<SubmitCall, ImportCall, LookUpDeletedStudy, RestoreCall, v1::GetStudyRequest,
                 v1::ListStudiesRequest, UpdateCall, v1::DeleteStudyRequest, v1::GetTrialRequest,
                 v1::ListTrialsRequest, v1::EnqueueTrialRequest, v1::StopTrialRequest,
                 v1::RetryTrialRequest, v1::BestTrialsRequest, v1::AskRequest, v1::TellRequest,
                 v1::ReportValueRequest, v1::UpdateWorkerRequest, v1::ListWorkersRequest,
                 v1::ListCheckpointsRequest, v1::GetStatusRequest, v1::WatchRequest, ResolveTrial,
                 CheckUpload, CheckpointStored, CheckpointDamaged, FindCheckpoint, OptunaCall>;

struct Call {
  Token token = 0;
  CallBody body;
};
// A message of an Attach stream, Hello included.
struct FromWorker {
  SessionId session = 0;
  v1::WorkerMessage message;
};
// The stream of a session has ended, for whatever reason.
struct SessionClosed {
  SessionId session = 0;
};
struct ReportIn {
  Token stream = 0;  // Where the acknowledgement goes.
  v1::ReportBatch batch;
};
// The search thread's answer to a SearchAsk.
struct Suggestion {
  int64_t study_id = 0;
  int64_t number = 0;
  absl::StatusOr<std::vector<v1::Param>> params;
  std::string sampler_state;  // After the last of them.
  // Of the trials after `number`; fewer than asked for when the sampler came to an end.
  std::vector<std::vector<v1::Param>> more = {};
};
// Time has passed. Also implied by every step.
struct Tick {};

using Input =
    std::variant<ForeignRows, Call, FromWorker, SessionClosed, ReportIn, Suggestion, Tick>;

// ---- outputs ----

struct Reply {
  Token token = 0;
  absl::Status status;
  std::shared_ptr<google::protobuf::Message> message;  // Null with an error.
};
struct Push {
  SessionId session = 0;
  v1::CoordinatorMessage message;
};
// The session is to be ended with this status.
struct CloseSession {
  SessionId session = 0;
  absl::Status status;
};
struct Ack {
  Token stream = 0;
  v1::ReportAck ack;
};
// For watchers. Durable ones have a sequence of their own; progress carries the last one.
struct Publish {
  v1::Event event;
};
// New log lines of a trial, numbered, for those who follow.
struct PublishLog {
  int64_t trial_id = 0;
  std::vector<v1::LogLine> lines;
  bool ended = false;  // The trial has come to its end: no further line will follow.
};
// Incremental state for the search thread, in order.
struct SearchStudy {
  int64_t study_id = 0;
  std::string name;
  std::vector<v1::Direction> directions;
  v1::StudySpec spec;
  std::string sampler_state;
};
struct SearchForget {
  int64_t study_id = 0;
};
struct SearchTrial {
  int64_t study_id = 0;
  search::TrialPtr view;
};
// All trials of a study, after a start.
struct SearchHistory {
  int64_t study_id = 0;
  search::Trials trials;
};
// Suggest values for trial `number`; `fixed` ones are taken as they are.
struct SearchAsk {
  int64_t study_id = 0;
  int64_t number = 0;
  search::InternalParams fixed;
  // So many trials that do not exist yet, `number` the first of them, each sampled as if those
  // before it ran. 0: for a WAITING trial.
  int64_t count = 0;
};
// A stored checkpoint's bytes may be deleted.
struct DropCheckpointFile {
  std::string checkpoint_id;
};

using Effect =
    std::variant<Reply, Push, CloseSession, Ack, Publish, PublishLog, SearchStudy, SearchForget,
                 SearchTrial, SearchHistory, SearchAsk, DropCheckpointFile>;

struct Output {
  Batch batch;
  std::vector<Effect> effects;
};

}  // namespace vlm::core
