// The deterministic heart: studies, trials, attempts, leases, gangs, placement. It has no threads,
// does no I/O and never reads a clock; the same inputs in the same order give the same outputs.
// Rooms: studies.cc, study_end.cc, deleted.cc, import.cc and trials.cc (requests of people),
// fleet.cc (workers), workers.cc (people about workers), scheduler.cc (whose turn), placement.cc
// (where), grants.cc (leases), attempts.cc (ends and retries), reports.cc (what
// trainers say), search_flow.cc (questions to samplers), objectives.cc and seeds.cc (what a trial
// is worth, trials of other studies), restore.cc and restore_trials.cc (a start), trial_table.h
// (trials in few bytes), reads.cc and lookup.cc (answers from memory), optuna_studies.cc and
// optuna_trials.cc (Optuna's storage protocol), foreign.cc (what others write into the file).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "server/core/attempt_state.h"
#include "server/core/state.h"

namespace vlm::core {

struct CoreOptions {
  absl::Duration lease = absl::Seconds(10);
  absl::Duration beat_interval = absl::Seconds(1);
  // How long a worker whose stream broke may take to come back before its attempts are lost.
  absl::Duration reconnect_grace = absl::Seconds(2);
  // Added to the leases that a restarted coordinator finds: time for workers to dial in again.
  absl::Duration restart_grace = absl::Seconds(10);
  // How long a request's answer is kept for repetition.
  absl::Duration request_memory = absl::Hours(24);
  // Shortest time between two progress events of a trial.
  absl::Duration progress_interval = absl::Milliseconds(200);
  // A gang that has waited this long for slots gets the next ones that are free, whoever's turn it
  // is.
  absl::Duration gang_patience = absl::Minutes(5);
  // How long an elastic trial runs before it is started anew with more ranks.
  absl::Duration elastic_patience = absl::Minutes(1);
  // How long a deleted study can be restored.
  absl::Duration deleted_kept = absl::Hours(24 * 7);
  std::string version;
  std::string data_dir;
  // Of the times that Optuna's protocol carries without an offset.
  absl::TimeZone time_zone = absl::UTCTimeZone();
};

google::protobuf::Timestamp ToProto(absl::Time t);
absl::Time FromProto(const google::protobuf::Timestamp& t);

// Not thread-safe: one engine thread steps it.
class Core {
 public:
  // `effects_at_start` gets what the search thread has to know about the studies found.
  Core(CoreOptions options, Snapshot snapshot, Now now, Output* at_start);

  // Applies the inputs in order, then lets time pass, then places what can be placed.
  Output Step(Now now, std::vector<Input> inputs);

  // When the next lease, backoff or study timeout falls due (monotonic); infinite = never.
  absl::Duration NextDeadline() const;
  const State& state() const { return state_; }

 private:
  using MessagePtr = std::shared_ptr<google::protobuf::Message>;
  using Result = absl::StatusOr<MessagePtr>;

  // core.cc
  void Handle(const ForeignRows& rows);
  void Handle(const Call& call);
  void Handle(const FromWorker& input);
  void Handle(const SessionClosed& input);
  void Handle(const ReportIn& input);
  void Handle(const Suggestion& input);
  void Handle(const Tick&) {}
  void PassTime();
  void ReplyTo(Token token, Result result);
  template <typename Request>
  void Mutate(Token token, const Request& request, const std::string& method,
              google::protobuf::Message* prototype, const std::function<Result()>& action);
  void Emit(const std::string& kind, const std::string& message, const StudyRecord* study,
            const TrialRecord* trial, const WorkerRecord* worker = nullptr);
  void EmitProgress(TrialRecord& trial);
  void Put(const StudyRecord& study);
  void Put(const TrialRecord& trial, bool state_only = false);
  void Put(const AttemptRecord& attempt);
  void Touch(TrialRecord& trial);  // Stores it, refreshes counts and views.

  // restore.cc
  void Restore(Snapshot snapshot);
  void RestoreStudies(Snapshot& snapshot);
  void RestoreAttempts(Snapshot& snapshot);
  void RestoreCheckpoints(Snapshot& snapshot);

  // restore_trials.cc
  class PackedReader;
  void RestoreTrials(Snapshot& snapshot);
  void RestoreTrial(StudyRecord& study, v1::Trial trial, std::vector<int64_t>* loose);
  void RestorePacked(PackedReader& reader, const PackedTrial& packed, std::vector<int64_t>* loose);
  void TakeUp(TrialRecord& trial);

  // lookup.cc
  absl::StatusOr<StudyRecord*> FindStudy(const std::string& text);
  absl::StatusOr<StudyRecord*> FindStudyToRead(const std::string& text);
  absl::StatusOr<TrialRecord*> FindTrial(const std::string& text);
  StudyRecord& StudyOf(const TrialRecord& trial) {
    return state_.studies.at(trial.trial.study_id());
  }
  TrialRecord& TrialOf(const AttemptRecord& a) { return state_.trials.at(a.attempt.trial_id()); }
  static v1::TrialState StateOf(const StudyRecord& study, size_t number) {
    return static_cast<v1::TrialState>(study.counted[number]);
  }
  static std::string NameOf(const StudyRecord& study, const TrialRecord& trial);
  v1::Study View(const StudyRecord& study) const;
  v1::Trial View(const TrialRecord& trial, bool whole) const;

  // studies.cc
  Result Submit(const SubmitCall& call);
  v1::Study MakeStudy(const SubmitCall& call, const std::string& name) const;
  Result UpdateStudy(const UpdateCall& call);
  absl::Status CheckSpace(const StudyRecord& study, const UpdateCall& call) const;
  void EditSpace(StudyRecord& study, const UpdateCall& call);
  static absl::Status Equip(StudyRecord& study);
  std::string MakeUpName(const std::string& config_path) const;
  absl::Status CheckBudget(const StudyRecord& study, const v1::UpdateStudyRequest& request) const;
  bool HasBudgetAfter(const StudyRecord& study, const v1::UpdateStudyRequest& request) const;
  void EditBudget(StudyRecord& study, const v1::UpdateStudyRequest& request);
  // Who keeps what of a removed study. kByOthers: the rows of Optuna's tables are gone already.
  enum class Removal { kForEver, kRestorable, kByOthers };
  void RemoveStudy(StudyRecord& study, Removal removal);
  static absl::Status CheckName(const std::string& name);
  void KeepMetricName(StudyRecord& study);
  void CancelStudy(StudyRecord& study, v1::StudyState end, const std::string& reason);
  void SetStudyState(StudyRecord& study, v1::StudyState state, const std::string& reason);

  // study_end.cc
  bool TimedOut(const StudyRecord& study) const;
  bool BudgetLeft(const StudyRecord& study) const;
  bool AnyOpen(const StudyRecord& study) const;
  std::string LastFailure(const StudyRecord& study, bool* any_complete) const;
  void FinishStudyIfDone(StudyRecord& study);

  // objectives.cc
  static std::vector<std::string> FollowedMetrics(const v1::StudySpec& spec);
  static std::optional<double> LastPoint(const StudyRecord& study, const TrialRecord& trial,
                                         const std::string& metric);
  void StoreLastPoints(const StudyRecord& study, TrialRecord& trial);
  static std::vector<double> ObjectiveValues(const StudyRecord& study, const TrialRecord& trial,
                                             double loss);
  absl::StatusOr<std::vector<double>> FinalValues(const StudyRecord& study,
                                                  const TrialRecord& trial,
                                                  std::vector<double> values) const;
  void AddObjectives(TrialRecord& trial, int64_t step, const std::vector<double>& values);
  void StoreConstraints(const StudyRecord& study, TrialRecord& trial);
  static absl::Status CheckConstraints(const StudyRecord& study, const v1::TellRequest& request);
  void StoreViolations(const StudyRecord& study, TrialRecord& trial,
                       const std::vector<std::optional<double>>& violations);

  // seeds.cc
  absl::StatusOr<std::vector<v1::Trial>> FindSeeds(const SubmitCall& call);
  void TakeSeeds(StudyRecord& study, const std::vector<v1::Trial>& seeds);

  // deleted.cc
  Result DeleteStudy(const v1::DeleteStudyRequest& request);
  Result LookUpDeleted(const LookUpDeletedStudy& question);
  Result RestoreStudy(const RestoreCall& call);
  void RestoreTrialsOf(StudyRecord& study, const v1::WholeStudy& whole);
  v1::WholeStudy WholeOf(const StudyRecord& study) const;
  absl::StatusOr<int64_t> FindDeleted(const std::string& text) const;
  void PurgeDeleted(int64_t study_id);
  void PurgeOld();

  // import.cc
  Result Import(const ImportCall& call);
  absl::StatusOr<v1::Study> DraftStudy(const v1::ImportStudyRequest::Header& header) const;

  // trials.cc
  static absl::StatusOr<std::vector<v1::Param>> FixedParamsOf(
      const v1::StudySpec& spec, const google::protobuf::Map<std::string, v1::ParamValue>& given);
  static absl::StatusOr<v1::Trial> FreeTrial(
      const google::protobuf::Map<std::string, v1::ParamValue>& given);
  TrialRecord& NewTrial(StudyRecord& study, v1::TrialState state, std::vector<v1::Param> params);
  TrialRecord& AddTrial(StudyRecord& study, v1::Trial trial);
  Result EnqueueTrial(const v1::EnqueueTrialRequest& request);
  Result StopTrial(const v1::StopTrialRequest& request);
  void StopOne(TrialRecord& trial, const std::string& reason);
  static std::vector<double> LastValue(const TrialRecord& trial);
  Result RetryTrial(const v1::RetryTrialRequest& request);
  Result Tell(const v1::TellRequest& request);
  Result ReportValue(const v1::ReportValueRequest& request);
  absl::StatusOr<TrialRecord*> ExternalTrial(const std::string& text);
  void StartTrial(StudyRecord& study, TrialRecord& trial, std::vector<v1::Param> params);
  void EndTrial(TrialRecord& trial, v1::TrialState state, std::vector<double> values,
                const std::string& reason);
  bool AddIntermediate(TrialRecord& trial, int64_t step, double value);
  void HaltIfAllFailAlike(StudyRecord& study);
  static void UpdateBest(StudyRecord& study, const TrialRecord& trial);
  static void UpdateBest(StudyRecord& study, const search::TrialView& trial);

  // optuna_studies.cc
  absl::StatusOr<StudyRecord*> StudyById(int64_t study_id);
  Result Serve(const optuna::CreateNewStudyRequest& request);
  Result Serve(const optuna::DeleteStudyRequest& request);
  Result Serve(const optuna::SetStudyUserAttributeRequest& request);
  Result Serve(const optuna::SetStudySystemAttributeRequest& request);
  Result Serve(const optuna::GetStudyIdFromNameRequest& request);
  Result Serve(const optuna::GetStudyNameFromIdRequest& request);
  Result Serve(const optuna::GetStudyDirectionsRequest& request);
  Result Serve(const optuna::GetStudyUserAttributesRequest& request);
  Result Serve(const optuna::GetStudySystemAttributesRequest& request);
  Result Serve(const optuna::GetAllStudiesRequest& request);
  absl::Status SetAttribute(int64_t study_id, bool user, const std::string& key,
                            const std::string& value);

  // optuna_trials.cc
  absl::StatusOr<TrialRecord*> TrialById(int64_t trial_id);
  absl::StatusOr<TrialRecord*> OpenTrial(int64_t trial_id);
  absl::StatusOr<TrialRecord*> TheirTrial(int64_t trial_id);
  Result Serve(const optuna::CreateNewTrialRequest& request);
  Result Serve(const optuna::SetTrialParameterRequest& request);
  Result Serve(const optuna::GetTrialIdFromStudyIdTrialNumberRequest& request);
  Result Serve(const optuna::SetTrialStateValuesRequest& request);
  Result Serve(const optuna::SetTrialIntermediateValueRequest& request);
  Result Serve(const optuna::SetTrialUserAttributeRequest& request);
  Result Serve(const optuna::SetTrialSystemAttributeRequest& request);
  Result Serve(const optuna::GetTrialRequest& request);
  Result Serve(const optuna::GetTrialsRequest& request);
  absl::Status SetTrialAttribute(int64_t trial_id, bool user, const std::string& key,
                                 const std::string& value);
  absl::Status CheckDistribution(const StudyRecord& study, const std::string& name,
                                 const v1::Distribution& distribution) const;
  absl::Status FixParams(const StudyRecord& study, v1::Trial& trial) const;
  absl::Status CheckValues(const StudyRecord& study, v1::TrialState state,
                           const google::protobuf::RepeatedField<double>& values) const;
  bool MoveTo(StudyRecord& study, TrialRecord& trial, v1::TrialState state);

  // foreign.cc
  void TakeStudy(const Snapshot::StudyRow& row);
  void TakeTrial(const v1::Trial& row);
  TrialRecord& Keep(StudyRecord& study, v1::Trial trial);
  void AdoptTrial(StudyRecord& study, const v1::Trial& row);
  void MergeTrial(StudyRecord& study, TrialRecord& record, v1::Trial row);
  void FixOrEnd(StudyRecord& study, TrialRecord& record);

  // search_flow.cc
  void Ask(StudyRecord& study, SearchAsk question);
  void AskSampler(StudyRecord& study, int64_t count);
  static std::vector<v1::Param> TakeHeld(StudyRecord& study);
  void AnswerAsk(StudyRecord& study, TrialRecord& trial);
  void AskForWaiting(StudyRecord& study);
  void TakeExhaustion(StudyRecord& study, const Suggestion& input);
  void RefuseAsks(StudyRecord& study, const absl::Status& status);
  void QueueAsk(Token token, const v1::AskRequest& request);
  void PumpAsks(StudyRecord& study);
  static void FillExtras(const v1::Trial& trial, bool ours, search::TrialView* view);
  void SetView(StudyRecord& study, search::TrialView view, v1::TrialState state);
  search::TrialView MakeView(const StudyRecord& study, const TrialRecord& trial) const;
  void RefreshView(StudyRecord& study, const TrialRecord& trial, bool tell_search);
  void AnnounceStudy(const StudyRecord& study);

  // scheduler.cc
  // What came of a study's turn. kAsking: its sampler has been asked, the slots are kept for it.
  enum class Turn { kGranted, kAsking, kNoRoom, kNothing };
  void Schedule();
  bool Overdue(const StudyRecord& study) const;
  bool GrantOne(std::vector<StudyRecord*>& order);
  Turn ScheduleStudy(StudyRecord& study);
  Placement Leaving() const;
  bool MakeRoom(const StudyRecord& study);
  bool MayGrow(const AttemptRecord& attempt, const StudyRecord& study) const;
  void GrowOne();
  absl::Duration NextTurn() const;
  void SetWaitReason(StudyRecord& study, const std::string& reason);

  // placement.cc
  std::vector<NodeRecord> Place(const v1::TrainConfig& train, const Placement& how) const;
  std::string WhyNoRoom(const v1::TrainConfig& train, const Placement& how) const;
  bool FitsAtAll(const v1::TrainConfig& train, const Placement& how) const;
  Placement PlacementOf(const StudyRecord& study, const TrialRecord& trial) const;
  absl::Status CheckPlaceable(const v1::StudySpec& spec) const;

  // grants.cc
  void Grant(StudyRecord& study, TrialRecord& trial, std::vector<NodeRecord> nodes);
  void MarkSlots(const AttemptRecord& attempt, int64_t holder);
  v1::Offer MakeOffer(const StudyRecord& study, const TrialRecord& trial,
                      const AttemptRecord& attempt, size_t node) const;

  // workers.cc
  absl::StatusOr<WorkerRecord*> FindWorker(const std::string& text);
  std::vector<AttemptRecord*> AttemptsOn(const std::string& worker_id) const;
  Result UpdateWorker(const v1::UpdateWorkerRequest& request);
  void Cordon(WorkerRecord& worker, bool cordoned, const std::string& reason);
  void Drain(WorkerRecord& worker, v1::UpdateWorkerResponse* response);
  void Evict(WorkerRecord& worker, v1::UpdateWorkerResponse* response);
  void Forget(WorkerRecord& worker);

  // fleet.cc
  void OnHello(SessionId session, const v1::Hello& hello);
  void TakeHello(SessionId session, const v1::Hello& hello, WorkerRecord& worker);
  void LoseUnheld(const v1::Hello& hello);
  void RepeatOrders(const std::string& worker_id);
  void LoseSession(WorkerRecord& worker, const std::string& reason);
  void EndSilentSessions();
  static v1::Start MakeStart(const AttemptRecord& attempt);
  void OnBeat(WorkerRecord& worker, const v1::Beat& beat);
  void OnOfferReply(WorkerRecord& worker, const v1::OfferReply& reply);
  void OnGoodbye(WorkerRecord& worker, const v1::Goodbye& goodbye);
  void RenewLeases(WorkerRecord& worker,
                   const google::protobuf::RepeatedPtrField<v1::HeldLease>& leases,
                   std::vector<v1::Fenced>* fenced);
  void RefreshSlots(WorkerRecord& worker);
  void PushTo(const std::string& worker_id, v1::CoordinatorMessage message);
  void Fence(const std::string& worker_id, const AttemptRecord& attempt, const std::string& why);
  void Command(AttemptRecord& attempt, v1::Command::Action action, const std::string& reason);
  AttemptRecord* LiveAttempt(int64_t attempt_id, int32_t epoch);

  // attempts.cc
  void SetAttemptState(AttemptRecord& attempt, v1::AttemptState state);
  bool CloseAttempt(AttemptRecord& attempt, v1::AttemptState state, v1::FailureClass failure_class,
                    const std::string& reason);
  void EndAttempt(AttemptRecord& attempt, v1::AttemptState state, v1::FailureClass failure_class,
                  const std::string& reason, std::vector<double> values = {});
  static const v1::LogPolicy* PolicyOf(const StudyRecord& study, const v1::Attempt& attempt);
  void EndSucceeded(StudyRecord& study, TrialRecord& trial, std::vector<double> values);
  void AfterFailure(StudyRecord& study, TrialRecord& trial, const AttemptRecord& attempt);
  void Requeue(StudyRecord& study, TrialRecord& trial, absl::Duration delay,
               const std::string& reason);
  void ExpireLeases();

  // reports.cc
  void ApplyBatch(AttemptRecord& attempt, NodeRecord& node, int32_t node_index,
                  const v1::ReportBatch& batch);
  void TakeValidations(TrialRecord& trial, AttemptRecord& attempt, const v1::Report& report);
  void TakePoints(TrialRecord& trial, AttemptRecord& attempt, const v1::Report& report);
  void TakeLogs(TrialRecord& trial, AttemptRecord& attempt, v1::Report& report);
  void JudgeLine(TrialRecord& trial, AttemptRecord& attempt, const std::string& line);
  void TakeCheckpoints(TrialRecord& trial, const AttemptRecord& attempt,
                       const std::string& worker_id, const v1::Report& report);
  void Forget(const CheckpointDamaged& damaged);
  void Register(TrialRecord& trial, v1::Checkpoint checkpoint);
  void DropOldCheckpoints(TrialRecord& trial);
  void TakeOutcome(AttemptRecord& attempt, NodeRecord& node, const v1::Outcome& outcome);
  bool WantsPrune(StudyRecord& study, TrialRecord& trial);
  void StoreAttribute(TrialRecord& trial, const std::string& key, const std::string& json);
  void JudgePruning(StudyRecord& study, TrialRecord& trial, AttemptRecord& attempt);
  Result StoreCheckpoint(const CheckpointStored& stored);

  // reads.cc
  Result GetStudy(const v1::GetStudyRequest& request);
  Result ListStudies(const v1::ListStudiesRequest& request);
  Result GetTrial(const std::string& trial);
  Result ListTrials(const v1::ListTrialsRequest& request);
  Result BestTrials(const v1::BestTrialsRequest& request);
  Result ListWorkers();
  Result ListCheckpoints(const v1::ListCheckpointsRequest& request);
  Result GetStatus();
  Result WatchStart(const v1::WatchRequest& request);
  Result FindCheckpointById(const std::string& checkpoint_id);

  CoreOptions options_;
  absl::Time start_time_;
  State state_;
  Now now_;
  Output* out_ = nullptr;
};

}  // namespace vlm::core
