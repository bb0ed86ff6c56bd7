// Section study.pruner: a pruner takes its own options only.
#include "common/config/pruner.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/config/reader.h"

namespace vlm::config {
namespace {

constexpr char kPrefix[] = "study.pruner.";

struct Option {
  const char* pruner;
  const char* name;
  const char* fallback;  // "" = unset.
};

constexpr Option kOptions[] = {
    {"median", "n_startup_trials", "5"},
    {"median", "n_warmup_steps", "0"},
    {"median", "interval_steps", "1"},
    {"median", "n_min_trials", "1"},
    {"percentile", "percentile", "25"},
    {"percentile", "n_startup_trials", "5"},
    {"percentile", "n_warmup_steps", "0"},
    {"percentile", "interval_steps", "1"},
    {"percentile", "n_min_trials", "1"},
    {"successive_halving", "min_resource", ""},
    {"successive_halving", "reduction_factor", "4"},
    {"successive_halving", "min_early_stopping_rate", "0"},
    {"successive_halving", "bootstrap_count", "0"},
    {"hyperband", "min_resource", "1"},
    {"hyperband", "max_resource", ""},
    {"hyperband", "reduction_factor", "3"},
    {"hyperband", "bootstrap_count", "0"},
    {"patient", "patience", ""},
    {"patient", "min_delta", "0"},
    {"patient", "wrapped", ""},
    {"threshold", "lower", ""},
    {"threshold", "upper", ""},
    {"threshold", "n_warmup_steps", "0"},
    {"threshold", "interval_steps", "1"},
    {"wilcoxon", "p_threshold", "0.1"},
    {"wilcoxon", "n_startup_steps", "2"},
    {"pareto", "reduction_factor", "3"},
    {"pareto", "n_startup_trials", "5"},
    {"pareto", "n_warmup_steps", "0"},
    {"pareto", "interval_steps", "1"},
    {"pareto", "n_min_trials", "1"},
};

const char* DefaultOf(const std::string& pruner, const std::string& option) {
  for (const Option& known : kOptions) {
    if (pruner == known.pruner && option == known.name) return known.fallback;
  }
  return nullptr;
}

// "median takes n_startup_trials, ...", for messages.
std::string TakenBy(const v1::PrunerConfig& pruner) {
  std::vector<std::string> names;
  for (const Option& known : kOptions) {
    if (pruner.name() == known.pruner ||
        (pruner.name() == "patient" && pruner.wrapped() == known.pruner)) {
      names.emplace_back(known.name);
    }
  }
  if (names.empty()) return absl::StrCat(pruner.name(), " takes no options");
  return absl::StrCat(pruner.name(), " takes ", absl::StrJoin(names, ", "));
}

}  // namespace

const std::vector<std::string>& PrunerNames() {
  static const auto& names = *new std::vector<std::string>{
      "median", "percentile", "successive_halving", "hyperband", "patient", "threshold", "wilcoxon",
      "pareto", "none"};
  return names;
}

const std::vector<std::string>& PrunersOfSeveralObjectives() {
  static const auto& names = *new std::vector<std::string>{"pareto", "none"};
  return names;
}

const char* PrunerDefault(const v1::PrunerConfig& pruner, const std::string& option) {
  const char* own = DefaultOf(pruner.name(), option);
  return own != nullptr || pruner.name() != "patient" ? own : DefaultOf(pruner.wrapped(), option);
}

bool PrunerKeyIsUsed(absl::string_view key, const v1::StudySpec& spec) {
  absl::string_view option = key;
  if (!absl::ConsumePrefix(&option, kPrefix) || option == "name") return true;
  return PrunerDefault(spec.pruner(), std::string(option)) != nullptr;
}

// Fills in the defaults of the options that the chosen pruner takes and clears the others.
void Reader::FinishPruner() {
  v1::StudySpec& spec = result_->spec;
  if (spec.pruner().name().empty()) {
    spec.mutable_pruner()->set_name(spec.directions_size() > 1 ? "none" : "median");
  }
  const auto& names = PrunerNames();
  const bool known = std::find(names.begin(), names.end(), spec.pruner().name()) != names.end();
  // A pruner chosen on the command line takes the file's options along where it has them.
  const bool chosen_later = overridden_.count("study.pruner.name") > 0;
  for (const Key& key : Keys()) {
    absl::string_view option = key.name;
    if (!absl::ConsumePrefix(&option, kPrefix) || option == "name") continue;
    const char* fallback = PrunerDefault(spec.pruner(), std::string(option));
    const auto seen = seen_.find(key.name);
    if (fallback == nullptr) {
      if (seen != seen_.end() && known) {
        const bool dropped = chosen_later && overridden_.count(key.name) == 0;
        IssueAt(seen->second, key.name,
                absl::StrCat("is not used by the pruner ", spec.pruner().name()),
                TakenBy(spec.pruner()), dropped);
      }
      const Place place = Resolve(key, &spec);
      place.message->GetReflection()->ClearField(place.message, place.field);
    } else if (seen == seen_.end() && *fallback != '\0') {
      SetFromText(key, fallback, &spec);
    }
  }
  if (known) CheckPruner();
}

// What several options have to say together.
void Reader::CheckPruner() {
  const v1::PrunerConfig& pruner = result_->spec.pruner();
  const std::string& name = pruner.name();
  const std::string& asked = name == "patient" ? pruner.wrapped() : name;
  const auto issue = [&](const char* option, const std::string& message,
                         const std::string& suggestion) {
    const std::string key = absl::StrCat(kPrefix, option);
    IssueAt(PlaceOf(key), key, message, suggestion);
  };
  const auto& several = PrunersOfSeveralObjectives();
  if (result_->spec.directions_size() > 1 &&
      std::find(several.begin(), several.end(), name) == several.end()) {
    issue("name",
          absl::StrCat(name, " judges one objective, the study has ",
                       result_->spec.directions_size()),
          "use pareto or none");
  }
  if (name == "patient") {
    if (seen_.count("study.pruner.patience") == 0) {
      issue("patience", "is missing", "say how many reports without progress are too many");
    }
    const auto& names = PrunerNames();
    if (!asked.empty() && (asked == "patient" || asked == "none" ||
                           std::find(names.begin(), names.end(), asked) == names.end())) {
      issue("wrapped", absl::StrCat("\"", asked, "\" is no pruner that can be wrapped"),
            "name another pruner, or leave it out to prune when patience ends");
    }
  }
  if (asked == "threshold") {
    const bool faulty = std::any_of(
        result_->issues.begin(), result_->issues.end(), [](const v1::ConfigIssue& known) {
          return known.key() == "study.pruner.lower" || known.key() == "study.pruner.upper";
        });
    if (!pruner.has_lower() && !pruner.has_upper()) {
      if (!faulty) issue("upper", "threshold needs lower or upper", "such as upper: 10");
    } else if (pruner.has_lower() && pruner.has_upper() && pruner.lower() > pruner.upper()) {
      issue("lower", absl::StrCat(pruner.lower(), " is above upper ", pruner.upper()), "");
    }
  }
  if (asked == "hyperband" && !pruner.has_min_resource()) {
    issue("min_resource", "auto is for successive_halving", "give hyperband a number of steps");
  }
  if (asked == "hyperband" && pruner.has_max_resource() &&
      pruner.max_resource() < pruner.min_resource()) {
    issue("max_resource",
          absl::StrCat(pruner.max_resource(), " is below min_resource ", pruner.min_resource()),
          "no trial would ever be judged");
  }
  const bool is_auto = (asked == "successive_halving" && !pruner.has_min_resource()) ||
                       (asked == "hyperband" && !pruner.has_max_resource());
  if (is_auto && pruner.bootstrap_count() > 0) {
    const char* resource = asked == "hyperband" ? "max_resource" : "min_resource";
    issue("bootstrap_count", absl::StrCat("needs a fixed ", resource, ", which is auto"),
          absl::StrCat("give ", resource, " a number of steps"));
  }
}

}  // namespace vlm::config
