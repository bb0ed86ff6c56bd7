// Conditional parameters of study.search_space: what `when` may say, and the order of the space.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/config/reader.h"
#include "google/protobuf/util/message_differencer.h"

namespace vlm::config {
namespace {

using Params = google::protobuf::RepeatedPtrField<v1::SearchParam>;

const v1::SearchParam* Find(const Params& params, const std::string& name) {
  for (const v1::SearchParam& param : params) {
    if (param.name() == name) return &param;
  }
  return nullptr;
}

// The names of a circle of conditions that `name` stands in or leads to.
std::string Circle(const Params& params, std::string name) {
  std::vector<std::string> path;
  while (std::find(path.begin(), path.end(), name) == path.end()) {
    path.push_back(name);
    const v1::SearchParam* param = Find(params, name);
    // Every parameter that could not be placed waits for another such one.
    for (const v1::Condition& condition : param->when()) {
      if (Find(params, condition.name()) != nullptr) name = condition.name();
    }
  }
  path.erase(path.begin(), std::find(path.begin(), path.end(), name));
  path.push_back(name);
  return absl::StrJoin(path, " -> ");
}

}  // namespace

bool Contains(const v1::Distribution& distribution, const v1::ParamValue& value) {
  if (distribution.has_categorical_distribution()) {
    const auto& choices = distribution.categorical_distribution().choices();
    return std::any_of(choices.begin(), choices.end(), [&](const v1::ParamValue& choice) {
      return google::protobuf::util::MessageDifferencer::Equals(choice, value);
    });
  }
  if (distribution.has_int_distribution()) {
    const auto& range = distribution.int_distribution();
    const int64_t step = std::max<int64_t>(1, range.step());
    return value.int_value() >= range.low() && value.int_value() <= range.high() &&
           (value.int_value() - range.low()) % step == 0;
  }
  const auto& range = distribution.float_distribution();
  const double x = value.float_value();
  if (!(x >= range.low() && x <= range.high())) return false;
  const double k = range.has_step() ? (x - range.low()) / range.step() : 0;
  return std::abs(k - std::round(k)) < 1e-8;  // Optuna's tolerance.
}

bool Reader::ReadValue(const std::string& key, const v1::SearchParam& param,
                       const YAML::Node& value, v1::ParamValue* out) {
  const Key& target = *FindKey(param.name());
  v1::StudySpec scratch;
  const std::string text = value.IsScalar() ? value.Scalar() : "";
  std::string wrong =
      value.IsScalar() ? SetFromText(target, text, &scratch) : "must be a single value";
  if (wrong.empty()) {
    *out = ValueFor(*Resolve(target, &scratch).field, text);
    if (!Contains(param.distribution(), *out)) {
      wrong = absl::StrCat(text, " is none of its values in study.search_space");
    }
  }
  if (wrong.empty()) return true;
  Issue(value, key, wrong, "");
  return false;
}

void Reader::ReadCondition(const std::string& key, const YAML::Node& item_key,
                           const YAML::Node& value, v1::SearchParam* param) {
  const std::string name = item_key.IsScalar() ? item_key.Scalar() : "";
  const v1::SearchParam* parent = Find(result_->spec.search_space(), name);
  if (parent == nullptr || name == param->name()) {
    std::vector<std::string> names;
    for (const v1::SearchParam& known : result_->spec.search_space()) {
      if (known.name() != param->name()) names.push_back(known.name());
    }
    return Issue(item_key, key, absl::StrCat("\"", name, "\" is no other searched parameter"),
                 DidYouMean(name, names, "name one of study.search_space"));
  }
  if (parent->distribution().has_float_distribution()) {
    return Issue(item_key, key, absl::StrCat(name, " is a range of reals; equality says little"),
                 "make it a list of choices");
  }
  v1::Condition condition;
  condition.set_name(name);
  std::vector<YAML::Node> items;
  if (value.IsSequence()) {
    for (const YAML::Node& item : value) items.push_back(item);
  } else {
    items.push_back(value);
  }
  if (items.empty()) Issue(value, key, "needs at least one value", "");
  for (const YAML::Node& item : items) {
    v1::ParamValue wanted;
    if (ReadValue(absl::StrCat(key, ".", name), *parent, item, &wanted)) {
      *condition.add_values() = std::move(wanted);
    }
  }
  *param->add_when() = std::move(condition);
}

void Reader::ReadConditions(const std::map<std::string, YAML::Node>& whens) {
  for (v1::SearchParam& param : *result_->spec.mutable_search_space()) {
    const auto found = whens.find(param.name());
    if (found == whens.end()) continue;
    const std::string key = absl::StrCat("study.search_space.", param.name(), ".when");
    if (!found->second.IsMap() || found->second.size() == 0) {
      Issue(found->second, key, "must be a map of parameters to values",
            "such as when: {optimizer.schedule: [cosine, wsd]}");
      continue;
    }
    for (const auto& item : found->second) ReadCondition(key, item.first, item.second, &param);
  }
  OrderSpace(whens);
}

// Parameters are drawn in file order, but after those that their conditions name.
void Reader::OrderSpace(const std::map<std::string, YAML::Node>& whens) {
  Params waiting;
  waiting.Swap(result_->spec.mutable_search_space());
  Params& placed = *result_->spec.mutable_search_space();
  while (!waiting.empty()) {
    const auto ready = std::find_if(waiting.begin(), waiting.end(), [&](const auto& param) {
      return std::all_of(param.when().begin(), param.when().end(), [&](const auto& condition) {
        return Find(placed, condition.name()) != nullptr;
      });
    });
    if (ready == waiting.end()) {
      const std::string& name = waiting.begin()->name();
      Issue(whens.at(name), absl::StrCat("study.search_space.", name, ".when"),
            absl::StrCat("conditions go round in a circle: ", Circle(waiting, name)),
            "remove one of them");
      placed.MergeFrom(waiting);
      return;
    }
    *placed.Add() = *ready;
    waiting.erase(ready);
  }
}

}  // namespace vlm::config
