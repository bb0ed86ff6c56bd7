#include "server/storage/optuna_rows.h"

#include <cmath>
#include <limits>
#include <stdexcept>

#include "absl/time/time.h"
#include "common/param_json.h"
#include "nlohmann/json.hpp"
#include "server/search/sampler.h"

namespace vlm::storage {
namespace {

using nlohmann::json;

const char* TypeOf(double value) {
  if (std::isnan(value)) return "NAN";
  if (std::isinf(value)) return value > 0 ? "INF_POS" : "INF_NEG";
  return "FINITE";
}

v1::ParamValue ParseChoice(const json& value) {
  v1::ParamValue out;
  if (value.is_boolean()) {
    out.set_bool_value(value.get<bool>());
  } else if (value.is_number_integer()) {
    out.set_int_value(value.get<int64_t>());
  } else if (value.is_number()) {
    out.set_float_value(value.get<double>());
  } else if (value.is_string()) {
    out.set_string_value(value.get<std::string>());
  } else {
    out.set_null_value(true);
  }
  return out;
}

void WriteAttribute(Connection& c, int64_t trial_id, const char* table, const std::string& key,
                    const std::string& text) {
  SQLite::Statement& s = c.Prepare(std::string("INSERT INTO ") + table +
                                   " (trial_id, \"key\", value_json) VALUES (?, ?, ?) "
                                   "ON CONFLICT (trial_id, \"key\") DO UPDATE SET "
                                   "value_json = excluded.value_json");
  s.bind(1, trial_id);
  s.bind(2, key);
  s.bind(3, text);
  s.exec();
}

void WriteAttributes(Connection& c, int64_t trial_id, const char* table,
                     const google::protobuf::Map<std::string, std::string>& attributes) {
  for (const auto& [key, text] : attributes) WriteAttribute(c, trial_id, table, key, text);
}

void WriteParams(Connection& c, const v1::Trial& trial) {
  for (const v1::Param& param : trial.params()) {
    const auto internal = search::ToInternal(param.distribution(), param.value());
    if (!internal.ok()) throw std::runtime_error(std::string(internal.status().message()));
    SQLite::Statement& s = c.Prepare(
        "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) "
        "VALUES (?, ?, ?, ?) ON CONFLICT (trial_id, param_name) DO NOTHING");
    s.bind(1, trial.trial_id());
    s.bind(2, param.name());
    s.bind(3, *internal);
    s.bind(4, DistributionJson(param.distribution()));
    s.exec();
  }
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
  if (study.metric().empty()) return;
  SQLite::Statement& m = c.Prepare(
      "INSERT INTO study_system_attributes (study_id, \"key\", value_json) VALUES (?, ?, ?) "
      "ON CONFLICT (study_id, \"key\") DO NOTHING");
  m.bind(1, study.study_id());
  m.bind(2, "study:metric_names");
  m.bind(3, json::array({study.metric()}).dump());
  m.exec();
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

void WriteTrialRows(Connection& c, const v1::Trial& trial) {
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
  // Values that a person fixed are the system attribute fixed_params until the trial starts.
  if (trial.state() != v1::TRIAL_STATE_WAITING) WriteParams(c, trial);
  WriteValues(c, trial);
  WriteAttributes(c, trial.trial_id(), "trial_user_attributes", trial.user_attributes());
  WriteAttributes(c, trial.trial_id(), "trial_system_attributes", trial.system_attributes());
}

void WriteTrialAttribute(Connection& c, int64_t trial_id, const std::string& key,
                         const std::string& text) {
  WriteAttribute(c, trial_id, "trial_system_attributes", key, text);
}

void WriteIntermediateValue(Connection& c, int64_t trial_id, int64_t step, double value) {
  SQLite::Statement& s = c.Prepare(
      "INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value, "
      "intermediate_value_type) VALUES (?, ?, ?, ?) ON CONFLICT (trial_id, step) DO NOTHING");
  s.bind(1, trial_id);
  s.bind(2, step);
  if (std::isfinite(value)) {
    s.bind(3, value);
  } else {
    s.bind(3);
  }
  s.bind(4, TypeOf(value));
  s.exec();
}

std::string DistributionJson(const v1::Distribution& distribution) {
  json attributes;
  const char* name = "CategoricalDistribution";
  if (distribution.has_float_distribution()) {
    const auto& d = distribution.float_distribution();
    name = "FloatDistribution";
    attributes = {{"step", nullptr}, {"low", d.low()}, {"high", d.high()}, {"log", d.log()}};
    if (d.has_step()) attributes["step"] = d.step();
  } else if (distribution.has_int_distribution()) {
    const auto& d = distribution.int_distribution();
    name = "IntDistribution";
    attributes = {{"log", d.log()},
                  {"step", std::max<int64_t>(1, d.step())},
                  {"low", d.low()},
                  {"high", d.high()}};
  } else {
    attributes["choices"] = json::array();
    for (const auto& choice : distribution.categorical_distribution().choices()) {
      attributes["choices"].push_back(ToJson(choice));
    }
  }
  return json{{"name", name}, {"attributes", attributes}}.dump();
}

v1::Distribution ParseDistribution(const std::string& text) {
  const json whole = json::parse(text);
  const std::string name = whole.at("name").get<std::string>();
  const json& a = whole.at("attributes");
  v1::Distribution out;
  if (name == "CategoricalDistribution") {
    auto* d = out.mutable_categorical_distribution();
    for (const json& choice : a.at("choices")) *d->add_choices() = ParseChoice(choice);
    return out;
  }
  const bool whole_numbers = name.rfind("Int", 0) == 0;
  const bool log = a.value("log", name.find("LogUniform") != std::string::npos);
  if (whole_numbers) {
    auto* d = out.mutable_int_distribution();
    d->set_low(a.at("low").get<int64_t>());
    d->set_high(a.at("high").get<int64_t>());
    d->set_step(a.value("step", int64_t{1}));
    d->set_log(log);
    return out;
  }
  auto* d = out.mutable_float_distribution();
  d->set_low(a.at("low").get<double>());
  d->set_high(a.at("high").get<double>());
  d->set_log(log);
  if (a.contains("q")) d->set_step(a.at("q").get<double>());
  if (a.contains("step") && !a.at("step").is_null()) d->set_step(a.at("step").get<double>());
  return out;
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
  throw std::runtime_error("unknown trial state " + text);
}

std::string DateTime(const google::protobuf::Timestamp& time) {
  const absl::Time t = absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
  return absl::FormatTime("%Y-%m-%d %H:%M:%E6S", t, absl::UTCTimeZone());
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
  return value.getDouble();
}

}  // namespace vlm::storage
