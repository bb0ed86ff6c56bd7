// Which samplers there are and which options each of them takes.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/config/keys.h"
#include "common/config/reader.h"

namespace vlm::config {
namespace {

struct SamplerOptions {
  const char* sampler;
  std::vector<std::string> options;
};

const std::vector<SamplerOptions>& Samplers() {
  static const auto& samplers = *new std::vector<SamplerOptions>{
      {"tpe",
       {"n_startup_trials", "n_ei_candidates", "multivariate", "constant_liar", "group",
        "max_above", "fixed"}},
      {"random", {"fixed"}},
      {"grid", {"fixed"}},
      {"brute_force", {"avoid_premature_stop", "fixed"}},
      {"nsga2", {"population_size", "crossover_prob", "swapping_prob", "mutation_prob", "fixed"}},
      {"nsga3",
       {"population_size", "crossover_prob", "swapping_prob", "mutation_prob", "dividing_parameter",
        "reference_points", "fixed"}},
      {"cmaes",
       {"n_startup_trials", "population_size", "sigma0", "separable", "with_margin", "warm_start",
        "fixed"}},
      {"gp", {"n_startup_trials", "max_trials", "fixed"}},
      {"qmc", {"qmc_type", "scramble", "fixed"}},
  };
  return samplers;
}

const std::vector<std::string>* OptionsOf(absl::string_view sampler) {
  for (const SamplerOptions& known : Samplers()) {
    if (sampler == known.sampler) return &known.options;
  }
  return nullptr;
}

bool Holds(const v1::Distribution& distribution, const v1::ParamValue& value) {
  if (distribution.has_categorical_distribution()) {
    const auto& choices = distribution.categorical_distribution().choices();
    return std::any_of(choices.begin(), choices.end(), [&](const v1::ParamValue& choice) {
      return choice.SerializeAsString() == value.SerializeAsString();
    });
  }
  if (distribution.has_int_distribution()) {
    const auto& range = distribution.int_distribution();
    return value.kind_case() == v1::ParamValue::kIntValue && value.int_value() >= range.low() &&
           value.int_value() <= range.high();
  }
  const auto& range = distribution.float_distribution();
  return value.kind_case() == v1::ParamValue::kFloatValue && value.float_value() >= range.low() &&
         value.float_value() <= range.high();
}

}  // namespace

std::vector<std::string> SamplerNames() {
  std::vector<std::string> names;
  for (const SamplerOptions& known : Samplers()) names.emplace_back(known.sampler);
  return names;
}

bool KeyIsUsed(absl::string_view key, const v1::StudySpec& spec) {
  absl::string_view option = key;
  if (!absl::ConsumePrefix(&option, "study.sampler.") || option == "name") return true;
  const std::vector<std::string>* options = OptionsOf(spec.sampler().name());
  return options == nullptr ||
         std::find(options->begin(), options->end(), option) != options->end();
}

void Reader::CheckSampler() {
  const v1::SamplerConfig& sampler = result_->spec.sampler();
  const std::vector<std::string>* options = OptionsOf(sampler.name());
  if (options == nullptr) return;  // Its name has been found wrong already.
  for (const auto& [name, mark] : seen_) {
    if (KeyIsUsed(name, result_->spec)) continue;
    IssueAt(mark, name, absl::StrCat("is not used by the sampler ", sampler.name()),
            absl::StrCat("remove it; that sampler takes ", absl::StrJoin(*options, ", ")));
  }
  if (sampler.name() == "cmaes" && result_->spec.directions_size() > 1) {
    IssueAt(seen_["study.sampler"], "study.sampler.name", "cmaes takes one objective",
            "use tpe or nsga2 for several");
  }
  CheckCmaes();
  if (sampler.name() == "gp" && result_->spec.directions_size() > 3) {
    IssueAt(seen_["study.sampler"], "study.sampler.name",
            absl::StrCat("gp takes up to 3 objectives, not ", result_->spec.directions_size()),
            "use tpe or nsga3 for more");
  }
  CheckFiniteSpace();
  CheckReferencePoints();
  CheckFixed();
  if (sampler.group() && sampler.has_multivariate() && !sampler.multivariate()) {
    IssueAt(seen_["study.sampler.group"], "study.sampler.group",
            "samples names jointly, which multivariate: false forbids", "remove one of the two");
  }
}

// What CMA-ES cannot do together, as in Optuna.
void Reader::CheckCmaes() {
  const v1::SamplerConfig& sampler = result_->spec.sampler();
  const auto exclude = [&](const std::string& key, bool set, const std::string& other) {
    if (!set) return;
    IssueAt(seen_[key], key, absl::StrCat("true does not go with ", other),
            "remove one of the two");
  };
  exclude("study.sampler.with_margin", sampler.with_margin() && sampler.separable(),
          "separable: true");
  exclude("study.sampler.warm_start", sampler.warm_start() && sampler.separable(),
          "separable: true");
  exclude("study.sampler.warm_start", sampler.warm_start() && sampler.sigma0() > 0,
          absl::StrCat("sigma0: ", sampler.sigma0()));
}

// A grid has an end only if every range has one.
void Reader::CheckFiniteSpace() {
  const std::string& sampler = result_->spec.sampler().name();
  if (sampler != "grid" && sampler != "brute_force") return;
  for (const v1::SearchParam& param : result_->spec.search_space()) {
    if (!param.distribution().has_float_distribution()) continue;
    const auto& range = param.distribution().float_distribution();
    if (range.has_step() || range.low() == range.high()) continue;
    IssueAt(seen_["study.search_space"], absl::StrCat("study.search_space.", param.name()),
            absl::StrCat("has no step, so ", sampler, " would never end"),
            "give it a step or choices, or use another sampler");
  }
}

// What is fixed must be searched, and be a value of the range.
void Reader::CheckFixed() {
  for (const v1::FixedValue& fixed : result_->spec.sampler().fixed()) {
    const std::string key = absl::StrCat("study.sampler.fixed.", fixed.name());
    const auto& space = result_->spec.search_space();
    const auto param = std::find_if(space.begin(), space.end(), [&](const v1::SearchParam& known) {
      return known.name() == fixed.name();
    });
    if (param == space.end()) {
      IssueAt(seen_["study.sampler.fixed"], key, "is not searched",
              "add it to study.search_space, or set the key itself");
    } else if (!Holds(param->distribution(), fixed.value())) {
      IssueAt(seen_["study.sampler.fixed"], key, "is not a value of its range",
              "choose one that study.search_space allows");
    }
  }
}

void Reader::ReadFixed(const YAML::Node& value) {
  result_->spec.mutable_sampler()->clear_fixed();
  if (value.IsNull()) return;
  if (!value.IsMap()) {
    return Issue(value, "study.sampler.fixed", "must be a map of searched keys to values",
                 "such as fixed: {batch_size: 16}");
  }
  for (const auto& item : value) {
    const std::string name = item.first.IsScalar() ? item.first.Scalar() : "";
    const std::string key = absl::StrCat("study.sampler.fixed.", name);
    const Key* target = FindKey(name);
    if (target == nullptr) {
      UnknownKey(name, item.first);
      continue;
    }
    v1::StudySpec scratch;
    const std::string text = item.second.IsScalar() ? item.second.Scalar() : "";
    const std::string wrong =
        item.second.IsScalar() ? SetFromText(*target, text, &scratch) : "must be a single value";
    if (!wrong.empty()) {
      Issue(item.second, key, wrong, "");
      continue;
    }
    v1::FixedValue* fixed = result_->spec.mutable_sampler()->add_fixed();
    fixed->set_name(name);
    *fixed->mutable_value() = ValueFor(*Resolve(*target, &scratch).field, text);
  }
}

}  // namespace vlm::config
