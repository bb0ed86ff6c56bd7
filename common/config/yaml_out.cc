#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/config/config.h"
#include "common/config/keys.h"
#include "common/config/pruner.h"

namespace vlm::config {
namespace {

std::string Quoted(const v1::ParamValue& value) {
  switch (value.kind_case()) {
    case v1::ParamValue::kFloatValue:
      return absl::StrFormat("%.17g", value.float_value());
    case v1::ParamValue::kIntValue:
      return absl::StrCat(value.int_value());
    case v1::ParamValue::kBoolValue:
      return value.bool_value() ? "true" : "false";
    case v1::ParamValue::kStringValue:
      return absl::StrCat("'", value.string_value(), "'");
    default:
      return "null";
  }
}

std::string RangeText(const v1::Distribution& distribution) {
  if (distribution.has_float_distribution()) {
    const auto& d = distribution.float_distribution();
    return absl::StrFormat("{type: float, low: %.17g, high: %.17g%s%s}", d.low(), d.high(),
                           d.has_step() ? absl::StrFormat(", step: %.17g", d.step()) : "",
                           d.log() ? ", log: true" : "");
  }
  if (distribution.has_int_distribution()) {
    const auto& d = distribution.int_distribution();
    return absl::StrFormat("{type: int, low: %d, high: %d%s%s}", d.low(), d.high(),
                           d.step() > 1 ? absl::StrFormat(", step: %d", d.step()) : "",
                           d.log() ? ", log: true" : "");
  }
  std::vector<std::string> choices;
  for (const auto& choice : distribution.categorical_distribution().choices()) {
    choices.push_back(Quoted(choice));
  }
  return absl::StrCat("{type: categorical, choices: [", absl::StrJoin(choices, ", "), "]}");
}

std::string QuotedText(const std::string& text) {
  return absl::StrCat("'", absl::StrJoin(absl::StrSplit(text, '\''), "''"), "'");
}

std::string ListText(const google::protobuf::RepeatedPtrField<v1::ParamValue>& values) {
  std::vector<std::string> texts;
  for (const v1::ParamValue& value : values) texts.push_back(Quoted(value));
  return absl::StrCat("[", absl::StrJoin(texts, ", "), "]");
}

std::string PointsText(const google::protobuf::RepeatedPtrField<v1::ReferencePoint>& points) {
  std::vector<std::string> texts;
  for (const v1::ReferencePoint& point : points) {
    std::vector<std::string> numbers;
    for (double x : point.coordinates()) numbers.push_back(absl::StrFormat("%.17g", x));
    texts.push_back(absl::StrCat("[", absl::StrJoin(numbers, ", "), "]"));
  }
  return absl::StrCat("[", absl::StrJoin(texts, ", "), "]");
}

void AppendSpace(const v1::StudySpec& spec, std::string* out) {
  if (spec.search_space_size() > 0) absl::StrAppend(out, "  search_space:\n");
  for (const v1::SearchParam& param : spec.search_space()) {
    std::string range = RangeText(param.distribution());
    std::vector<std::string> conditions;
    for (const v1::Condition& condition : param.when()) {
      conditions.push_back(absl::StrCat(condition.name(), ": ", ListText(condition.values())));
    }
    if (!conditions.empty()) {
      range.pop_back();
      absl::StrAppend(&range, ", when: {", absl::StrJoin(conditions, ", "), "}}");
    }
    absl::StrAppend(out, "    ", param.name(), ": ", range, "\n");
  }
}

void AppendGoals(const v1::StudySpec& spec, std::string* out) {
  if (spec.metrics_size() > 0) absl::StrAppend(out, "  objectives:\n");
  for (int i = 0; i < spec.metrics_size(); ++i) {
    const bool maximize = spec.directions(i) == v1::DIRECTION_MAXIMIZE;
    absl::StrAppend(out, "    - {metric: ", spec.metrics(i),
                    ", direction: ", maximize ? "maximize" : "minimize", "}\n");
  }
  if (spec.constraints_size() > 0) absl::StrAppend(out, "  constraints:\n");
  for (const v1::MetricConstraint& constraint : spec.constraints()) {
    absl::StrAppend(out, "    - {name: ", QuotedText(constraint.name()),
                    ", metric: ", constraint.metric());
    if (constraint.has_lower()) absl::StrAppendFormat(out, ", lower: %.17g", constraint.lower());
    if (constraint.has_upper()) absl::StrAppendFormat(out, ", upper: %.17g", constraint.upper());
    absl::StrAppend(out, "}\n");
  }
}

void AppendBeginning(const v1::StudySpec& spec, std::string* out) {
  if (spec.enqueue_size() > 0) absl::StrAppend(out, "  enqueue:\n");
  for (const v1::FixedParams& fixed : spec.enqueue()) {
    std::vector<std::string> values;
    for (const v1::SearchParam& param : spec.search_space()) {
      const auto found = fixed.params().find(param.name());
      if (found == fixed.params().end()) continue;
      values.push_back(absl::StrCat(param.name(), ": ", Quoted(found->second)));
    }
    absl::StrAppend(out, "    - {", absl::StrJoin(values, ", "), "}\n");
  }
  if (!spec.has_seed_from()) return;
  const v1::SeedSource& seed = spec.seed_from();
  std::vector<std::string> parts;
  if (!seed.study().empty()) parts.push_back(absl::StrCat("study: ", QuotedText(seed.study())));
  if (!seed.optuna_db().empty()) {
    parts.push_back(absl::StrCat("optuna_db: ", QuotedText(seed.optuna_db())));
  }
  if (!seed.csv().empty()) parts.push_back(absl::StrCat("csv: ", QuotedText(seed.csv())));
  absl::StrAppend(out, "  seed_from: {", absl::StrJoin(parts, ", "), "}\n");
}

void AppendLogPolicies(const v1::RetryConfig& retry, std::string* out) {
  if (retry.log_policies_size() > 0) absl::StrAppend(out, "  log_policies:\n");
  for (const v1::LogPolicy& policy : retry.log_policies()) {
    absl::StrAppend(out, "    - {pattern: ", QuotedText(policy.pattern()),
                    ", action: ", PolicyActionName(policy.action()), "}\n");
  }
}

}  // namespace

std::string ToYaml(const v1::StudySpec& spec) {
  std::string out;
  std::vector<std::string> open;  // Maps the last line stands in.
  for (const Key& key : Keys()) {
    const std::string name(key.name);
    if (!KeyIsUsed(name, spec) || !PrunerKeyIsUsed(name, spec)) continue;
    std::vector<std::string> parts;
    size_t start = 0;
    for (size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', start)) {
      parts.push_back(name.substr(start, dot - start));
      start = dot + 1;
    }
    for (size_t i = 0; i < parts.size(); ++i) {
      if (i < open.size() && open[i] == parts[i]) continue;
      open.resize(i);
      absl::StrAppend(&out, std::string(2 * i, ' '), parts[i], ":\n");
      open.push_back(parts[i]);
      // The space stands where the section begins, before its nested maps.
      if (parts[i] == "study") {
        AppendSpace(spec, &out);
        AppendGoals(spec, &out);
        AppendBeginning(spec, &out);
      }
      if (parts[i] == "retry") AppendLogPolicies(spec.retry(), &out);
    }
    open.resize(parts.size());
    // Objectives say both.
    if (spec.metrics_size() > 0 && (name == "study.metric" || name == "study.direction")) continue;
    const std::string indent(2 * parts.size(), ' ');
    if (name == "study.direction") {
      absl::StrAppend(&out, indent, "direction: ",
                      spec.directions_size() > 0 && spec.directions(0) == v1::DIRECTION_MAXIMIZE
                          ? "maximize"
                          : "minimize",
                      "\n");
      continue;
    }
    const auto& points = spec.sampler().reference_points();
    if (name == "study.sampler.dividing_parameter" && !points.empty()) {
      absl::StrAppend(&out, indent, "reference_points: ", PointsText(points), "\n");
      continue;
    }
    const std::string text = GetAsText(key, spec);
    if (text == "null" && !key.nullable) continue;
    absl::StrAppend(&out, indent, name.substr(start), ": ", text, "\n");
    if (name == "study.sampler.name" && !spec.sampler().fixed().empty()) {
      std::vector<std::string> fixed;
      for (const v1::FixedValue& value : spec.sampler().fixed()) {
        fixed.push_back(absl::StrCat(value.name(), ": ", Quoted(value.value())));
      }
      absl::StrAppend(&out, indent, "fixed: {", absl::StrJoin(fixed, ", "), "}\n");
    }
  }
  return out;
}

}  // namespace vlm::config
