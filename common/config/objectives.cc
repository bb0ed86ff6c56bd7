// study.objectives, study.constraints, study.enqueue and study.seed_from.
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/config/reader.h"

namespace vlm::config {
namespace {

// Series that the trainer reports (docs/configuration.md).
const std::vector<std::string>& Metrics() {
  static const auto& metrics = *new std::vector<std::string>{
      "val_loss", "train_loss", "samples_per_s", "tokens_per_s", "peak_rss_mb", "grad_norm"};
  return metrics;
}

std::string Text(const YAML::Node& node) {
  return node.IsDefined() && node.IsScalar() ? node.Scalar() : "";
}

}  // namespace

// The items of a list of maps whose keys are among `known`; an issue for anything else.
std::vector<YAML::Node> Reader::ReadList(const std::string& key, const YAML::Node& value,
                                         const std::vector<std::string>& known,
                                         const std::string& example) {
  std::vector<YAML::Node> items;
  if (value.IsNull()) return items;
  if (!value.IsSequence()) {
    Issue(value, key, "must be a list of maps", example);
    return items;
  }
  for (const YAML::Node& item : value) {
    if (!item.IsMap()) {
      Issue(item, key, "must be a map", example);
      continue;
    }
    CheckNames(key, item, known);
    items.push_back(item);
  }
  return items;
}

void Reader::CheckNames(const std::string& key, const YAML::Node& map,
                        const std::vector<std::string>& known) {
  std::vector<std::string> seen;
  for (const auto& item : map) {
    const std::string name = Text(item.first);
    if (std::find(seen.begin(), seen.end(), name) != seen.end()) {
      Issue(item.first, absl::StrCat(key, ".", name), "duplicate key", "remove one of them");
    }
    seen.push_back(name);
    if (known.empty() || std::find(known.begin(), known.end(), name) != known.end()) continue;
    Issue(item.first, absl::StrCat(key, ".", name), "unknown key",
          DidYouMean(name, known, absl::StrCat("known: ", absl::StrJoin(known, ", "))));
  }
}

std::string Reader::ReadMetric(const std::string& key, const YAML::Node& item) {
  const YAML::Node node = item["metric"];
  const std::string metric = Text(node);
  if (std::find(Metrics().begin(), Metrics().end(), metric) != Metrics().end()) return metric;
  Issue(node.IsDefined() ? node : item, absl::StrCat(key, ".metric"), NoneOf(metric, Metrics()),
        DidYouMean(metric, Metrics()));
  return "";
}

void Reader::ReadObjectives(const YAML::Node& value) {
  v1::StudySpec& spec = result_->spec;
  spec.clear_metrics();
  spec.clear_directions();
  if (!value.IsSequence() || value.size() == 0) {
    return Issue(value, "study.objectives", "must be a list of at least one objective",
                 "such as - {metric: val_loss, direction: minimize}");
  }
  for (const YAML::Node& item : ReadList("study.objectives", value, {"metric", "direction"},
                                         "such as - {metric: val_loss, direction: minimize}")) {
    const std::string metric = ReadMetric("study.objectives", item);
    if (std::count(spec.metrics().begin(), spec.metrics().end(), metric) > 0) {
      Issue(item, "study.objectives", absl::StrCat(metric, " stands here twice"), "remove one");
    }
    spec.add_metrics(metric);
    const std::string direction = Text(item["direction"]);
    if (direction != "minimize" && direction != "maximize") {
      Issue(item["direction"].IsDefined() ? item["direction"] : item, "study.objectives.direction",
            absl::StrCat("\"", direction, "\" is none of minimize, maximize"), "");
    }
    spec.add_directions(direction == "maximize" ? v1::DIRECTION_MAXIMIZE : v1::DIRECTION_MINIMIZE);
  }
}

// Objectives say what metric and direction say, and the trainer validates the first loss of them.
void Reader::FinishObjectives() {
  v1::StudySpec& spec = result_->spec;
  if (spec.metrics().empty()) return;
  for (const char* key : {"study.metric", "study.direction", "study.directions"}) {
    if (seen_.count(key) == 0) continue;
    IssueAt(PlaceOf(key), key, "says the same as study.objectives", "remove one of the two");
  }
  const auto loss = std::find_if(spec.metrics().begin(), spec.metrics().end(), [](const auto& m) {
    return m == "val_loss" || m == "train_loss";
  });
  spec.set_metric(loss == spec.metrics().end() ? "val_loss" : *loss);
}

void Reader::ReadConstraints(const YAML::Node& value) {
  v1::StudySpec& spec = result_->spec;
  spec.clear_constraints();
  for (const YAML::Node& item :
       ReadList("study.constraints", value, {"name", "metric", "lower", "upper"},
                "such as - {metric: peak_rss_mb, upper: 4000}")) {
    v1::MetricConstraint& constraint = *spec.add_constraints();
    constraint.set_metric(ReadMetric("study.constraints", item));
    constraint.set_name(item["name"] ? Text(item["name"]) : constraint.metric());
    for (const char* bound : {"lower", "upper"}) {
      if (!item[bound]) continue;
      double number = 0;
      if (!absl::SimpleAtod(Text(item[bound]), &number) || !std::isfinite(number)) {
        Issue(item[bound], absl::StrCat("study.constraints.", bound), "is not a finite number", "");
      } else if (bound[0] == 'l') {
        constraint.set_lower(number);
      } else {
        constraint.set_upper(number);
      }
    }
    if (!item["lower"] && !item["upper"]) {
      Issue(item, "study.constraints", "needs lower or upper", "such as upper: 4000");
    }
    if (constraint.has_lower() && constraint.has_upper() &&
        constraint.lower() > constraint.upper()) {
      Issue(item["lower"], "study.constraints.lower",
            absl::StrCat(constraint.lower(), " is above upper ", constraint.upper()), "");
    }
    for (int i = 0; i + 1 < spec.constraints_size(); ++i) {
      if (spec.constraints(i).name() != constraint.name()) continue;
      Issue(item, "study.constraints", absl::StrCat("two are named \"", constraint.name(), "\""),
            "give one a name of its own, or both bounds");
    }
  }
}

void Reader::ReadSeedFrom(const YAML::Node& value) {
  v1::SeedSource* seed = result_->spec.mutable_seed_from();
  seed->Clear();
  if (value.IsNull()) return result_->spec.clear_seed_from();
  if (value.IsScalar()) return seed->set_study(value.Scalar());
  if (!value.IsMap()) {
    return Issue(value, "study.seed_from", "must be a study's name or a map",
                 "such as {study: captions-v1} or {csv: trials.csv}");
  }
  const size_t before = result_->issues.size();
  CheckNames("study.seed_from", value, {"study", "optuna_db", "csv"});
  if (result_->issues.size() > before) return;
  seed->set_study(Text(value["study"]));
  seed->set_optuna_db(Absolute(Text(value["optuna_db"])));
  seed->set_csv(Absolute(Text(value["csv"])));
  const bool both = !seed->optuna_db().empty() && !seed->csv().empty();
  if (both || (!seed->csv().empty() && !seed->study().empty())) {
    Issue(value, "study.seed_from", "names more than one source",
          "give study, or optuna_db with study, or csv");
  } else if (seed->csv().empty() && seed->study().empty()) {
    Issue(value, "study.seed_from", "names no source",
          seed->optuna_db().empty() ? "give study, or optuna_db with study, or csv"
                                    : "say which study of the file, as study: NAME");
  }
}

std::string Reader::Absolute(const std::string& path) const {
  if (path.empty() || absl::StartsWith(path, "/") || file_.empty()) return path;
  return (std::filesystem::path(file_).parent_path() / path).lexically_normal().string();
}

// After the search space is known, wherever in the file it stands.
void Reader::FinishEnqueue() {
  v1::StudySpec& spec = result_->spec;
  if (spec.has_seed_from() && !spec.hyperparameter_tuning()) {
    IssueAt(PlaceOf("study.seed_from"), "study.seed_from",
            "is not used: hyperparameter_tuning is false", "set it to true");
  }
  if (!enqueue_.IsDefined() || enqueue_.IsNull()) return;
  in_override_ = overridden_.count("study.enqueue") > 0;
  if (!spec.hyperparameter_tuning()) {
    Issue(enqueue_, "study.enqueue", "is not used: hyperparameter_tuning is false",
          "set it to true");
  }
  for (const YAML::Node& item :
       ReadList("study.enqueue", enqueue_, {}, "such as - {learning_rate: 1.0e-3}")) {
    EnqueueOne(item, spec.add_enqueue());
  }
  if (spec.enqueue_size() > spec.n_trials()) {
    Issue(
        enqueue_, "study.enqueue",
        absl::StrCat("has ", spec.enqueue_size(), " configurations, n_trials is ", spec.n_trials()),
        absl::StrCat("set n_trials to at least ", spec.enqueue_size()));
  }
  in_override_ = false;
}

void Reader::EnqueueOne(const YAML::Node& item, v1::FixedParams* fixed) {
  const auto& space = result_->spec.search_space();
  for (const auto& entry : item) {
    const std::string name = Text(entry.first);
    const std::string key = absl::StrCat("study.enqueue.", name);
    const auto param = std::find_if(space.begin(), space.end(),
                                    [&](const auto& known) { return known.name() == name; });
    if (param == space.end()) {
      std::vector<std::string> names;
      for (const v1::SearchParam& known : space) names.push_back(known.name());
      Issue(entry.first, key, "is not in study.search_space", DidYouMean(name, names));
      continue;
    }
    v1::ParamValue value;
    if (ReadValue(key, *param, entry.second, &value)) (*fixed->mutable_params())[name] = value;
  }
  for (const auto& entry : item) {
    const std::string name = Text(entry.first);
    for (const v1::SearchParam& param : space) {
      if (param.name() != name || ConditionsMayHold(param, *fixed)) continue;
      Issue(entry.first, absl::StrCat("study.enqueue.", name),
            "is not used with the other values: its `when` does not hold", "leave it out");
    }
  }
}

bool ConditionsMayHold(const v1::SearchParam& param, const v1::FixedParams& fixed) {
  return std::all_of(param.when().begin(), param.when().end(), [&](const auto& condition) {
    const auto given = fixed.params().find(condition.name());
    if (given == fixed.params().end()) return true;
    v1::Distribution wanted;
    *wanted.mutable_categorical_distribution()->mutable_choices() = condition.values();
    return Contains(wanted, given->second);
  });
}

}  // namespace vlm::config
