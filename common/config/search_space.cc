// Section study.search_space.
#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/config/reader.h"

namespace vlm::config {
namespace {

using google::protobuf::FieldDescriptor;

bool Number(const YAML::Node& node, double* out) {
  return node.IsDefined() && node.IsScalar() && absl::SimpleAtod(node.Scalar(), out) &&
         std::isfinite(*out);
}

}  // namespace

v1::ParamValue ValueFor(const FieldDescriptor& field, const std::string& text) {
  v1::ParamValue value;
  int64_t whole = 0;
  double real = 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
      if (!absl::SimpleAtoi(text, &whole) && absl::SimpleAtod(text, &real)) {
        whole = static_cast<int64_t>(real);
      }
      value.set_int_value(whole);
      break;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      if (absl::SimpleAtod(text, &real)) value.set_float_value(real);
      break;
    case FieldDescriptor::CPPTYPE_BOOL:
      value.set_bool_value(text == "true" || text == "yes" || text == "on" || text == "True");
      break;
    default:
      value.set_string_value(text);
      break;
  }
  return value;
}

void Reader::ReadSearchSpace(const YAML::Node& value) {
  if (value.IsNull()) return;
  if (!value.IsMap()) {
    return Issue(value, "study.search_space", "must be a map of keys to ranges",
                 "such as learning_rate: {type: float, low: 1.0e-4, high: 1.0e-2, log: true}");
  }
  result_->spec.clear_search_space();
  seen_["study.search_space"] = MarkOf(value);
  std::map<std::string, int> lines;
  std::map<std::string, YAML::Node> whens;
  for (const auto& item : value) {
    const std::string name = item.first.IsScalar() ? item.first.Scalar() : "";
    if (const auto it = lines.find(name); it != lines.end()) {
      Issue(item.first, absl::StrCat("study.search_space.", name),
            absl::StrCat("duplicate key; first seen in line ", it->second), "remove one of them");
      continue;
    }
    lines[name] = MarkOf(item.first).line;
    if (FindKey(name) == nullptr) {
      UnknownKey(name, item.first);
      continue;
    }
    ReadSearchParam(name, item.second);
    if (item.second.IsMap() && item.second["when"]) whens[name] = item.second["when"];
  }
  ReadConditions(whens);
}

// One range of an override, in the place of the one that is there.
void Reader::ReplaceSearchParam(const std::string& name, const YAML::Node& key_node,
                                const YAML::Node& value) {
  if (FindKey(name) == nullptr) return UnknownKey(name, key_node);
  auto& space = *result_->spec.mutable_search_space();
  int place = 0;
  while (place < space.size() && space[place].name() != name) ++place;
  const int before = space.size();
  ReadSearchParam(name, value);
  if (space.size() == before || place == before) return;  // Wrong, or a new one at the end.
  space[place] = space[before];
  space.RemoveLast();
}

void Reader::ReadSearchParam(const std::string& name, const YAML::Node& value) {
  const Key& target = *FindKey(name);
  const std::string key = absl::StrCat("study.search_space.", name);
  const std::string field(target.field);
  if (field.rfind("train.", 0) != 0 || name == "input_path" || name == "head_size" ||
      field.rfind("train.resources.", 0) == 0) {
    return Issue(value, key, "cannot be searched", "only keys of the training itself can be");
  }
  v1::SearchParam param;
  param.set_name(name);
  bool good = false;
  if (value.IsSequence()) {
    good = ReadChoices(key, target, value, param.mutable_distribution());
  } else if (value.IsScalar()) {
    good = ReadFixedValue(key, target, value, param.mutable_distribution());
  } else {
    good = ReadDistribution(key, target, value, param.mutable_distribution());
  }
  if (good) *result_->spec.add_search_space() = std::move(param);
}

// A range with one value: it stands among the parameters of every trial.
bool Reader::ReadFixedValue(const std::string& key, const Key& target, const YAML::Node& value,
                            v1::Distribution* out) {
  v1::StudySpec scratch;
  const std::string text = value.IsScalar() ? value.Scalar() : "";
  const std::string wrong =
      value.IsScalar() ? SetFromText(target, text, &scratch) : "must be a single value";
  if (!wrong.empty()) {
    Issue(value, key, wrong, "");
    return false;
  }
  const v1::ParamValue fixed = ValueFor(*Resolve(target, &scratch).field, text);
  if (fixed.has_int_value()) {
    out->mutable_int_distribution()->set_low(fixed.int_value());
    out->mutable_int_distribution()->set_high(fixed.int_value());
    out->mutable_int_distribution()->set_step(1);
  } else if (fixed.has_float_value()) {
    out->mutable_float_distribution()->set_low(fixed.float_value());
    out->mutable_float_distribution()->set_high(fixed.float_value());
  } else {
    *out->mutable_categorical_distribution()->add_choices() = fixed;
  }
  return true;
}

bool Reader::ReadChoices(const std::string& key, const Key& target, const YAML::Node& value,
                         v1::Distribution* out) {
  const size_t before = result_->issues.size();
  if (!value.IsSequence() || value.size() == 0) {
    Issue(value, key, "choices must be a list of at least one value", "such as choices: [8, 16]");
    return false;
  }
  auto* categorical = out->mutable_categorical_distribution();
  for (const YAML::Node& choice : value) {
    v1::StudySpec scratch;
    const std::string text = choice.IsScalar() ? choice.Scalar() : "";
    const std::string wrong =
        choice.IsScalar() ? SetFromText(target, text, &scratch) : "a choice must be a single value";
    if (!wrong.empty()) {
      Issue(choice, key, wrong, "");
      continue;
    }
    *categorical->add_choices() = ValueFor(*Resolve(target, &scratch).field, text);
  }
  return result_->issues.size() == before;
}

bool Reader::ReadDistribution(const std::string& key, const Key& target, const YAML::Node& value,
                              v1::Distribution* out) {
  const size_t before = result_->issues.size();
  if (!value.IsMap()) {
    Issue(value, key, "must be a value, a list of choices, or a map with type, low and high", "");
    return false;
  }
  CheckNames(key, value, {"type", "low", "high", "step", "log", "choices", "value", "when"});
  std::string type;
  if (value["type"]) type = value["type"].IsScalar() ? value["type"].Scalar() : "?";
  if (value["value"]) {
    if (!type.empty() || value["low"] || value["high"] || value["choices"]) {
      Issue(value["value"], key, "a fixed value has no range", "give value alone, or the range");
    }
    return ReadFixedValue(key, target, value["value"], out) && result_->issues.size() == before;
  }
  if (type.empty() && value["choices"]) type = "categorical";
  if (type == "categorical") return ReadChoices(key, target, value["choices"], out);
  if (type != "float" && type != "int") {
    Issue(value["type"] ? value["type"] : value, key,
          absl::StrCat("type \"", type, "\" is none of float, int, categorical"), "");
    return false;
  }
  double low = 0;
  double high = 0;
  double step = 0;
  if (!Number(value["low"], &low) || !Number(value["high"], &high)) {
    Issue(value, key, "needs numbers low and high", "");
    return false;
  }
  if (low > high) Issue(value["low"], key, absl::StrCat("low ", low, " is above high ", high), "");
  if (value["step"] && (!Number(value["step"], &step) || step <= 0)) {
    Issue(value["step"], key, "step must be a number above 0", "");
  }
  bool log = false;
  if (value["log"]) {
    const std::string text = value["log"].IsScalar() ? value["log"].Scalar() : "";
    log = text == "true" || text == "yes" || text == "on" || text == "True";
  }
  if (log && low <= 0) Issue(value["low"], key, "a log range starts above 0", "");
  if (log && step > 0) Issue(value["step"], key, "log and step exclude each other", "");
  // Both ends must be values that the key takes.
  for (const char* end : {"low", "high"}) {
    v1::StudySpec scratch;
    const std::string wrong = SetFromText(target, value[end].Scalar(), &scratch);
    if (!wrong.empty()) Issue(value[end], key, wrong, "");
  }
  if (type == "int") {
    if (step != std::floor(step)) Issue(value["step"], key, "step must be a whole number", "");
    auto* range = out->mutable_int_distribution();
    range->set_low(static_cast<int64_t>(low));
    range->set_high(static_cast<int64_t>(high));
    range->set_step(step > 0 ? static_cast<int64_t>(step) : 1);
    range->set_log(log);
  } else {
    v1::StudySpec scratch;
    if (Resolve(target, &scratch).field->cpp_type() != FieldDescriptor::CPPTYPE_DOUBLE) {
      Issue(value, key, "takes whole numbers", "use type: int or categorical");
    }
    auto* range = out->mutable_float_distribution();
    range->set_low(low);
    range->set_high(high);
    if (step > 0) range->set_step(step);
    range->set_log(log);
  }
  if (result_->issues.size() != before) return false;
  if (step > 0) EndAtStep(key, value["high"], out);
  return true;
}

// As in Optuna a range with steps ends at the last of them, so that what is stored says what is
// drawn.
void Reader::EndAtStep(const std::string& key, const YAML::Node& where, v1::Distribution* range) {
  std::string given;
  std::string last;
  if (range->has_int_distribution()) {
    auto* whole = range->mutable_int_distribution();
    given = absl::StrCat(whole->high());
    whole->set_high(whole->high() - (whole->high() - whole->low()) % whole->step());
    last = absl::StrCat(whole->high());
  } else {
    auto* real = range->mutable_float_distribution();
    const double count = (real->high() - real->low()) / real->step();
    // Decimal fractions such as 0.7 / 0.1 miss the whole number by a few bits.
    if (std::abs(count - std::round(count)) <= 1e-9 * std::max(1.0, count)) return;
    given = absl::StrFormat("%.15g", real->high());
    last = absl::StrFormat("%.15g", real->low() + std::floor(count) * real->step());
    double high = 0;
    if (absl::SimpleAtod(last, &high)) real->set_high(high);
  }
  if (given == last) return;
  Issue(where, key,
        absl::StrCat("high ", given, " is not a step away from low; ", last, " is used"), "", true);
}

// What the reference searches when tuning is on and the file says nothing.
void Reader::DefaultSearchSpace() {
  v1::SearchParam* rate = result_->spec.add_search_space();
  rate->set_name("learning_rate");
  auto* range = rate->mutable_distribution()->mutable_float_distribution();
  range->set_low(1e-3);
  range->set_high(6e-3);
  range->set_log(true);
  const auto choices = [this](const char* name, std::initializer_list<int64_t> values) {
    v1::SearchParam* param = result_->spec.add_search_space();
    param->set_name(name);
    for (int64_t value : values) {
      param->mutable_distribution()
          ->mutable_categorical_distribution()
          ->add_choices()
          ->set_int_value(value);
    }
  };
  choices("batch_size", {8, 16, 32, 64});
  choices("n_embd", {128, 256, 512});
}

}  // namespace vlm::config
