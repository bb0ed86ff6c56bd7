#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
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
      if (parts[i] == "study" && spec.search_space_size() > 0) {
        absl::StrAppend(&out, "  search_space:\n");
        for (const v1::SearchParam& param : spec.search_space()) {
          absl::StrAppend(&out, "    ", param.name(), ": ", RangeText(param.distribution()), "\n");
        }
      }
    }
    open.resize(parts.size());
    const std::string indent(2 * parts.size(), ' ');
    if (name == "study.direction") {
      absl::StrAppend(&out, indent, "direction: ",
                      spec.directions_size() > 0 && spec.directions(0) == v1::DIRECTION_MAXIMIZE
                          ? "maximize"
                          : "minimize",
                      "\n");
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
