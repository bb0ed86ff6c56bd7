#include "server/storage/optuna_rows.h"

#include <cmath>
#include <limits>
#include <stdexcept>

#include "absl/time/time.h"
#include "server/core/optuna_json.h"

namespace vlm::storage {
namespace {

std::string AttributeSql(const std::string& owner, const std::string& kind) {
  return "INSERT INTO " + owner + "_" + kind + "_attributes (" + owner +
         "_id, \"key\", value_json) VALUES (?, ?, ?) ON CONFLICT (" + owner +
         "_id, \"key\") DO UPDATE SET value_json = excluded.value_json";
}

const char* TypeOf(double value) {
  if (std::isnan(value)) return "NAN";
  if (std::isinf(value)) return value > 0 ? "INF_POS" : "INF_NEG";
  return "FINITE";
}

void WriteValues(Connection& c, const v1::Trial& trial) {
  for (int i = 0; i < trial.values_size(); ++i) {
    const double value = trial.values(i);
    // A NaN here would make the whole study unreadable for Optuna.
    if (std::isnan(value)) throw std::runtime_error("a trial's value is NaN");
    SQLite::Statement& s = c.Prepare(
        "INSERT INTO trial_values (trial_id, objective, value, value_type) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (trial_id, objective) DO UPDATE SET value = excluded.value, "
        "value_type = excluded.value_type");
    s.bind(1, trial.trial_id());
    s.bind(2, i);
    if (std::isinf(value)) {
      s.bind(3);
    } else {
      s.bind(3, value);
    }
    s.bind(4, TypeOf(value));
    s.exec();
  }
}

}  // namespace

void WriteStudyRows(Connection& c, const v1::Study& study) {
  SQLite::Statement& s = c.Prepare(
      "INSERT INTO studies (study_id, study_name) VALUES (?, ?) "
      "ON CONFLICT (study_id) DO UPDATE SET study_name = excluded.study_name");
  s.bind(1, study.study_id());
  s.bind(2, study.name());
  s.exec();
  for (int i = 0; i < study.directions_size(); ++i) {
    SQLite::Statement& d = c.Prepare(
        "INSERT INTO study_directions (direction, study_id, objective) VALUES (?, ?, ?) "
        "ON CONFLICT (study_id, objective) DO NOTHING");
    d.bind(1, study.directions(i) == v1::DIRECTION_MAXIMIZE ? "MAXIMIZE" : "MINIMIZE");
    d.bind(2, study.study_id());
    d.bind(3, i);
    d.exec();
  }
}

void DeleteStudyRows(Connection& c, int64_t study_id) {
  for (const char* table : {"trial_user_attributes", "trial_system_attributes", "trial_params",
                            "trial_values", "trial_intermediate_values", "trial_heartbeats"}) {
    SQLite::Statement& s = c.Prepare(std::string("DELETE FROM ") + table +
                                     " WHERE trial_id IN "
                                     "(SELECT trial_id FROM trials WHERE study_id = ?)");
    s.bind(1, study_id);
    s.exec();
  }
  for (const char* table : {"trials", "study_directions", "study_user_attributes",
                            "study_system_attributes", "studies"}) {
    SQLite::Statement& s = c.Prepare(std::string("DELETE FROM ") + table + " WHERE study_id = ?");
    s.bind(1, study_id);
    s.exec();
  }
}

void WriteTrialRows(Connection& c, const core::PutTrial& put) {
  const v1::Trial& trial = put.trial;
  SQLite::Statement& s = c.Prepare(
      "INSERT INTO trials (trial_id, number, study_id, state, datetime_start, datetime_complete) "
      "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (trial_id) DO UPDATE SET state = excluded.state, "
      "datetime_start = excluded.datetime_start, datetime_complete = excluded.datetime_complete");
  s.bind(1, trial.trial_id());
  s.bind(2, trial.number());
  s.bind(3, trial.study_id());
  s.bind(4, TrialStateText(trial.state()));
  if (trial.has_start_time()) s.bind(5, DateTime(trial.start_time()));
  if (trial.has_end_time()) s.bind(6, DateTime(trial.end_time()));
  s.exec();
  WriteValues(c, trial);
  if (put.state_only) return;
  // What a worker of ours is to run has its values in fixed_params until it starts.
  if (trial.state() != v1::TRIAL_STATE_WAITING || trial.external()) {
    for (const v1::Param& param : trial.params()) WriteParam(c, trial.trial_id(), param);
  }
  for (const bool user : {true, false}) {
    for (const auto& [key, value] : user ? trial.user_attributes() : trial.system_attributes()) {
      WriteAttribute(c, core::PutTrialAttribute{trial.trial_id(), user, key, value});
    }
  }
}

void WriteParam(Connection& c, int64_t trial_id, const v1::Param& param) {
  const auto internal = core::Internal(param.distribution(), param.value());
  if (!internal.ok()) throw std::runtime_error(std::string(internal.status().message()));
  SQLite::Statement& s = c.Prepare(
      "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) "
      "VALUES (?, ?, ?, ?) ON CONFLICT (trial_id, param_name) DO NOTHING");
  s.bind(1, trial_id);
  s.bind(2, param.name());
  s.bind(3, *internal);
  s.bind(4, core::DistributionJson(param.distribution()));
  s.exec();
}

void WriteAttribute(Connection& c, const core::PutStudyAttribute& attribute) {
  SQLite::Statement& s = c.Prepare(AttributeSql("study", attribute.user ? "user" : "system"));
  s.bind(1, attribute.study_id);
  s.bind(2, attribute.key);
  s.bind(3, attribute.value);
  s.exec();
}

void WriteAttribute(Connection& c, const core::PutTrialAttribute& attribute) {
  SQLite::Statement& s = c.Prepare(AttributeSql("trial", attribute.user ? "user" : "system"));
  s.bind(1, attribute.trial_id);
  s.bind(2, attribute.key);
  s.bind(3, attribute.value);
  s.exec();
}

void WriteIntermediateValue(Connection& c, const core::PutIntermediateValue& value) {
  SQLite::Statement& s = c.Prepare(
      std::string("INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value, "
                  "intermediate_value_type) VALUES (?, ?, ?, ?) ON CONFLICT (trial_id, step) DO ") +
      (value.replace ? "UPDATE SET intermediate_value = excluded.intermediate_value, "
                       "intermediate_value_type = excluded.intermediate_value_type"
                     : "NOTHING"));
  s.bind(1, value.trial_id);
  s.bind(2, value.step);
  if (std::isfinite(value.value)) {
    s.bind(3, value.value);
  } else {
    s.bind(3);
  }
  s.bind(4, TypeOf(value.value));
  s.exec();
}

const char* TrialStateText(v1::TrialState state) {
  switch (state) {
    case v1::TRIAL_STATE_RUNNING:
      return "RUNNING";
    case v1::TRIAL_STATE_COMPLETE:
      return "COMPLETE";
    case v1::TRIAL_STATE_PRUNED:
      return "PRUNED";
    case v1::TRIAL_STATE_FAIL:
      return "FAIL";
    default:
      return "WAITING";
  }
}

v1::TrialState ParseTrialState(const std::string& text) {
  for (int state = v1::TRIAL_STATE_WAITING; state <= v1::TRIAL_STATE_FAIL; ++state) {
    if (text == TrialStateText(static_cast<v1::TrialState>(state))) {
      return static_cast<v1::TrialState>(state);
    }
  }
  return v1::TRIAL_STATE_UNSPECIFIED;
}

std::string DateTime(const google::protobuf::Timestamp& time) {
  const absl::Time t = absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
  return absl::FormatTime("%E4Y-%m-%d %H:%M:%E6S", t, absl::UTCTimeZone());
}

bool ParseDateTime(const std::string& text, google::protobuf::Timestamp* out) {
  absl::Time t;
  if (!absl::ParseTime("%Y-%m-%d %H:%M:%E*S", text, absl::UTCTimeZone(), &t, nullptr)) {
    return false;
  }
  out->set_seconds(absl::ToUnixSeconds(t));
  out->set_nanos(
      static_cast<int32_t>((t - absl::FromUnixSeconds(out->seconds())) / absl::Nanoseconds(1)));
  return true;
}

double ValueOf(const SQLite::Column& value, const std::string& type) {
  if (type == "INF_POS") return std::numeric_limits<double>::infinity();
  if (type == "INF_NEG") return -std::numeric_limits<double>::infinity();
  if (type == "NAN") return std::numeric_limits<double>::quiet_NaN();
  return value.isNull() ? std::numeric_limits<double>::quiet_NaN() : value.getDouble();
}

}  // namespace vlm::storage
