#include "client/resources.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/param_json.h"

namespace vlm::client {
namespace {

std::string Lower(absl::string_view name, absl::string_view prefix) {
  return absl::AsciiStrToLower(absl::StripPrefix(name, prefix));
}

Json Text(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json DirectionsJson(const v1::Study& study) {
  Json out = Json::array();
  for (const int direction : study.directions()) {
    out.push_back(direction == v1::DIRECTION_MAXIMIZE ? "maximize" : "minimize");
  }
  return out;
}

std::string AgeText(const google::protobuf::Timestamp& start,
                    const google::protobuf::Timestamp& end) {
  if (start.seconds() == 0) return "";
  return HumanDuration((end.seconds() == 0 ? absl::Now() : ToTime(end)) - ToTime(start));
}

Json PointsJson(const v1::Trial& trial) {
  std::map<std::string, double> sorted(trial.last_points().begin(), trial.last_points().end());
  Json out = Json::object();
  for (const auto& [name, value] : sorted) out[name] = JsonNumber(value);
  return out;
}

Json ValuesJson(const v1::Trial& trial) {
  Json out = Json::array();
  for (const double value : trial.values()) out.push_back(JsonNumber(value));
  return out;
}

std::string StepText(const v1::Trial& trial) {
  if (trial.last_step() < 0) return "";
  if (trial.total_steps() <= 0) return absl::StrCat(trial.last_step());
  return absl::StrCat(trial.last_step(), "/", trial.total_steps());
}

int FreeSlots(const v1::Worker& worker) {
  int free = 0;
  if (worker.state() != v1::WORKER_STATE_ATTACHED) return 0;
  for (const v1::Slot& slot : worker.slots()) free += slot.attempt_id() == 0;
  return free;
}

Json SlotsJson(const v1::Worker& worker) {
  Json out = Json::array();
  for (const v1::Slot& slot : worker.slots()) {
    out.push_back(
        {{"index", slot.index()},
         {"kind", slot.kind() == v1::SLOT_KIND_GPU ? "gpu" : "cpu"},
         {"device", slot.device()},
         {"model", slot.model()},
         {"memory_bytes", slot.memory_bytes()},
         {"threads", slot.threads()},
         {"attempt_id", slot.attempt_id() == 0 ? Json(nullptr) : Json(slot.attempt_id())}});
  }
  return out;
}

}  // namespace

std::string StateText(v1::StudyState s) { return Lower(v1::StudyState_Name(s), "STUDY_STATE_"); }
std::string StateText(v1::TrialState s) { return Lower(v1::TrialState_Name(s), "TRIAL_STATE_"); }
std::string StateText(v1::AttemptState s) {
  return Lower(v1::AttemptState_Name(s), "ATTEMPT_STATE_");
}
std::string StateText(v1::WorkerState s) { return Lower(v1::WorkerState_Name(s), "WORKER_STATE_"); }
std::string StateText(v1::FailureClass s) {
  return s == v1::FAILURE_CLASS_UNSPECIFIED ? ""
                                            : Lower(v1::FailureClass_Name(s), "FAILURE_CLASS_");
}

std::string ParamText(const v1::ParamValue& value) {
  switch (value.kind_case()) {
    case v1::ParamValue::kFloatValue:
      return HumanNumber(value.float_value());
    case v1::ParamValue::kIntValue:
      return absl::StrCat(value.int_value());
    case v1::ParamValue::kStringValue:
      return value.string_value();
    case v1::ParamValue::kBoolValue:
      return value.bool_value() ? "true" : "false";
    case v1::ParamValue::kJsonValue:
      return value.json_value();
    default:
      return "null";
  }
}

Json ParamJson(const v1::ParamValue& value) {
  // JSON has no NaN and no infinity; people's tools choke on them.
  return value.has_float_value() ? JsonNumber(value.float_value()) : Json(ToJson(value));
}

std::string ParamsText(const v1::Trial& trial) {
  return absl::StrJoin(trial.params(), " ", [](std::string* out, const v1::Param& param) {
    absl::StrAppend(out, param.name(), "=", ParamText(param.value()));
  });
}

int64_t Ended(const v1::TrialCounts& counts) {
  return counts.complete() + counts.pruned() + counts.fail();
}

bool IsEnd(v1::StudyState state) {
  return state == v1::STUDY_STATE_COMPLETED || state == v1::STUDY_STATE_CANCELLED ||
         state == v1::STUDY_STATE_FAILED;
}

bool IsEnd(v1::TrialState state) {
  return state == v1::TRIAL_STATE_COMPLETE || state == v1::TRIAL_STATE_PRUNED ||
         state == v1::TRIAL_STATE_FAIL;
}

Records StudyRecords(const std::vector<v1::Study>& studies) {
  using S = v1::Study;
  static const auto& fields = *new std::vector<Field<S>>{
      {{"study_id", "ID"}, [](const S& s) { return s.study_id(); }, {}},
      {{"name", "NAME"}, [](const S& s) { return s.name(); }, {}},
      {{"state", "STATE"}, [](const S& s) { return StateText(s.state()); }, {}},
      {{"n_trials", "TRIALS"},
       [](const S& s) { return s.n_trials(); },
       [](const S& s) { return absl::StrCat(Ended(s.counts()), "/", s.n_trials()); }},
      {{"counts", "RUNNING"},
       [](const S& s) {
         return Json{{"waiting", s.counts().waiting()},
                     {"running", s.counts().running()},
                     {"complete", s.counts().complete()},
                     {"pruned", s.counts().pruned()},
                     {"fail", s.counts().fail()}};
       },
       [](const S& s) { return absl::StrCat(s.counts().running()); }},
      {{"metric", "METRIC"}, [](const S& s) { return s.metric(); }, {}},
      {{"best_value", "BEST"},
       [](const S& s) { return s.has_best_value() ? JsonNumber(s.best_value()) : Json(nullptr); },
       {}},
      {{"best_trial_number", "BEST TRIAL"},
       [](const S& s) { return s.has_best_value() ? Json(s.best_trial_number()) : Json(nullptr); },
       {}},
      {{"elapsed_s", "ELAPSED"},
       [](const S& s) { return JsonNumber(s.elapsed_s()); },
       [](const S& s) {
         return s.elapsed_s() > 0 ? HumanDuration(absl::Seconds(s.elapsed_s())) : std::string();
       }},
      {{"directions", "DIRECTIONS", Show::kWide}, DirectionsJson, {}},
      {{"parallelism", "PARALLELISM", Show::kWide}, [](const S& s) { return s.parallelism(); }, {}},
      {{"priority", "PRIORITY", Show::kWide}, [](const S& s) { return s.priority(); }, {}},
      {{"weight", "WEIGHT", Show::kDataOnly}, [](const S& s) { return s.weight(); }, {}},
      {{"timeout_s", "TIMEOUT", Show::kWide},
       [](const S& s) { return JsonNumber(s.timeout_s()); },
       [](const S& s) {
         return s.timeout_s() > 0 ? HumanDuration(absl::Seconds(s.timeout_s())) : "-";
       }},
      {{"owner", "OWNER", Show::kWide}, [](const S& s) { return Text(s.owner()); }, {}},
      {{"create_time", "CREATED", Show::kWide},
       [](const S& s) { return JsonTime(s.create_time()); },
       [](const S& s) { return HumanTimestamp(s.create_time()); }},
      {{"end_time", "ENDED", Show::kWide},
       [](const S& s) { return JsonTime(s.end_time()); },
       [](const S& s) { return HumanTimestamp(s.end_time()); }},
      {{"delete_time", "DELETED", Show::kWide},
       [](const S& s) { return JsonTime(s.delete_time()); },
       [](const S& s) { return HumanTimestamp(s.delete_time()); }},
      {{"config_hash", "CONFIG HASH", Show::kDataOnly},
       [](const S& s) { return s.config_hash(); },
       {}},
      {{"reason", "REASON"}, [](const S& s) { return Text(s.reason()); }, {}},
  };
  return MakeRecords(fields, studies, [](const S& s) { return s.name(); });
}

Records TrialRecords(const std::string& study, const std::vector<v1::Trial>& trials) {
  using T = v1::Trial;
  const std::vector<Field<T>> fields = {
      {{"trial_id", "ID", Show::kWide}, [](const T& t) { return t.trial_id(); }, {}},
      {{"study", "STUDY", Show::kDataOnly}, [study](const T&) { return study; }, {}},
      {{"number", "TRIAL"},
       [](const T& t) { return t.number(); },
       [study](const T& t) { return absl::StrCat(study, "/", t.number()); }},
      {{"state", "STATE"}, [](const T& t) { return StateText(t.state()); }, {}},
      {{"values", "VALUE"},
       ValuesJson,
       [](const T& t) {
         return absl::StrJoin(t.values(), " ", [](std::string* out, double v) {
           absl::StrAppend(out, HumanNumber(v));
         });
       }},
      {{"infeasible", "INFEASIBLE", Show::kDataOnly},
       [](const T& t) { return t.infeasible(); },
       {}},
      {{"last_step", "STEP"},
       [](const T& t) { return t.last_step() < 0 ? Json(nullptr) : Json(t.last_step()); },
       [](const T& t) { return t.last_step() < 0 ? "-" : StepText(t); }},
      {{"total_steps", "TOTAL STEPS", Show::kDataOnly},
       [](const T& t) { return t.total_steps(); },
       {}},
      {{"start_time", "TIME"},
       [](const T& t) { return JsonTime(t.start_time()); },
       [](const T& t) { return AgeText(t.start_time(), t.end_time()); }},
      {{"end_time", "ENDED", Show::kWide},
       [](const T& t) { return JsonTime(t.end_time()); },
       [](const T& t) { return HumanTimestamp(t.end_time()); }},
      {{"params", "PARAMETERS"},
       [](const T& t) {
         Json out = Json::object();
         for (const v1::Param& param : t.params()) out[param.name()] = ParamJson(param.value());
         return out;
       },
       ParamsText},
      {{"last_points", "LAST POINTS", Show::kDataOnly}, PointsJson, {}},
      {{"checkpoint", "CHECKPOINT", Show::kWide},
       [](const T& t) { return Text(t.checkpoint().checkpoint_id()); },
       {}},
      {{"external", "EXTERNAL", Show::kDataOnly}, [](const T& t) { return t.external(); }, {}},
      {{"reason", "REASON"}, [](const T& t) { return Text(t.reason()); }, {}},
  };
  return MakeRecords(fields, trials,
                     [&](const T& t) { return absl::StrCat(study, "/", t.number()); });
}

Records AttemptRecords(const v1::Trial& trial) {
  using A = v1::Attempt;
  static const auto& fields = *new std::vector<Field<A>>{
      {{"attempt_id", "ID", Show::kWide}, [](const A& a) { return a.attempt_id(); }, {}},
      {{"number", "ATTEMPT"}, [](const A& a) { return a.number(); }, {}},
      {{"state", "STATE"}, [](const A& a) { return StateText(a.state()); }, {}},
      {{"failure_class", "FAILURE"},
       [](const A& a) { return Text(StateText(a.failure_class())); },
       {}},
      {{"last_step", "STEP"},
       [](const A& a) { return a.last_step() < 0 ? Json(nullptr) : Json(a.last_step()); },
       {}},
      {{"placements", "PLACED ON"},
       [](const A& a) {
         Json out = Json::array();
         for (const auto& p : a.placements()) {
           out.push_back({{"rank", p.rank()}, {"worker_id", p.worker_id()}, {"slot", p.slot()}});
         }
         return out;
       },
       [](const A& a) {
         return absl::StrJoin(a.placements(), " ", [](std::string* out, const auto& p) {
           absl::StrAppend(out, p.worker_id().substr(0, 8), ":", p.slot());
         });
       }},
      {{"start_time", "TIME"},
       [](const A& a) { return JsonTime(a.start_time()); },
       [](const A& a) { return AgeText(a.start_time(), a.end_time()); }},
      {{"end_time", "ENDED", Show::kDataOnly},
       [](const A& a) { return JsonTime(a.end_time()); },
       {}},
      {{"exit_code", "EXIT", Show::kWide}, [](const A& a) { return a.exit_code(); }, {}},
      {{"signal", "SIGNAL", Show::kWide}, [](const A& a) { return a.signal(); }, {}},
      {{"failed_worker_id", "FAILED ON", Show::kWide},
       [](const A& a) { return Text(a.failed_worker_id()); },
       {}},
      {{"log_policy", "LOG POLICY", Show::kWide},
       [](const A& a) { return Text(a.log_policy()); },
       {}},
      {{"log_policy_line", "LOG LINE", Show::kWide},
       [](const A& a) { return Text(a.log_policy_line()); },
       {}},
      {{"resumed_from", "RESUMED FROM", Show::kWide},
       [](const A& a) { return Text(a.resumed_from()); },
       {}},
      {{"reason", "REASON"}, [](const A& a) { return Text(a.reason()); }, {}},
  };
  return MakeRecords(fields, std::vector<A>(trial.attempts().begin(), trial.attempts().end()),
                     [](const A& a) { return absl::StrCat(a.attempt_id()); });
}

Records WorkerRecords(const std::vector<v1::Worker>& workers) {
  using W = v1::Worker;
  static const auto& fields = *new std::vector<Field<W>>{
      {{"worker_id", "ID", Show::kWide}, [](const W& w) { return w.worker_id(); }, {}},
      {{"name", "NAME"}, [](const W& w) { return w.name(); }, {}},
      {{"state", "STATE"},
       [](const W& w) { return StateText(w.state()); },
       [](const W& w) {
         return absl::StrCat(StateText(w.state()), w.cordoned() ? ",cordoned" : "");
       }},
      {{"cordoned", "CORDONED", Show::kDataOnly}, [](const W& w) { return w.cordoned(); }, {}},
      {{"slots", "SLOTS"}, SlotsJson, [](const W& w) { return absl::StrCat(w.slots_size()); }},
      {{"free_slots", "FREE"}, [](const W& w) { return FreeSlots(w); }, {}},
      {{"device", "DEVICE"},
       [](const W& w) { return w.slots().empty() ? Json(nullptr) : Json(w.slots(0).model()); },
       {}},
      {{"address", "ADDRESS"}, [](const W& w) { return w.address(); }, {}},
      {{"version", "VERSION"}, [](const W& w) { return w.version(); }, {}},
      {{"attach_time", "ATTACHED"},
       [](const W& w) { return JsonTime(w.attach_time()); },
       [](const W& w) { return AgeText(w.attach_time(), {}); }},
      {{"last_beat_time", "LAST BEAT", Show::kWide},
       [](const W& w) { return JsonTime(w.last_beat_time()); },
       [](const W& w) { return HumanTimestamp(w.last_beat_time()); }},
      {{"reason", "REASON"}, [](const W& w) { return Text(w.reason()); }, {}},
  };
  return MakeRecords(fields, workers, [](const W& w) { return w.name(); });
}

Records CheckpointRecords(const std::vector<v1::Checkpoint>& checkpoints) {
  using C = v1::Checkpoint;
  static const auto& fields = *new std::vector<Field<C>>{
      {{"checkpoint_id", "CHECKPOINT"}, [](const C& c) { return c.checkpoint_id(); }, {}},
      {{"step", "STEP"}, [](const C& c) { return c.step(); }, {}},
      {{"value", "VALUE"},
       [](const C& c) { return c.has_value() ? JsonNumber(c.value()) : Json(nullptr); },
       {}},
      {{"size_bytes", "SIZE"},
       [](const C& c) { return c.size_bytes(); },
       [](const C& c) { return HumanBytes(c.size_bytes()); }},
      {{"create_time", "CREATED"},
       [](const C& c) { return JsonTime(c.create_time()); },
       [](const C& c) { return HumanTimestamp(c.create_time()); }},
      {{"uri", "WHERE"}, [](const C& c) { return c.uri(); }, {}},
      {{"sha256", "SHA-256", Show::kWide}, [](const C& c) { return c.sha256(); }, {}},
      {{"trial_id", "TRIAL ID", Show::kDataOnly}, [](const C& c) { return c.trial_id(); }, {}},
      {{"attempt_id", "ATTEMPT ID", Show::kDataOnly},
       [](const C& c) { return c.attempt_id(); },
       {}},
      {{"worker_id", "WORKER", Show::kWide}, [](const C& c) { return Text(c.worker_id()); }, {}},
  };
  return MakeRecords(fields, checkpoints, [](const C& c) { return c.checkpoint_id(); });
}

}  // namespace vlm::client
