#include "server/core/optuna_json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "server/core/json_text.h"

namespace vlm::core {
namespace {

constexpr double kInt64Bound = 9223372036854775808.0;  // 2^63

// Python's number that a choice equals: True is 1.
std::optional<double> Number(const v1::ParamValue& value) {
  switch (value.kind_case()) {
    case v1::ParamValue::kFloatValue:
      return value.float_value();
    case v1::ParamValue::kIntValue:
      return static_cast<double>(value.int_value());
    case v1::ParamValue::kBoolValue:
      return value.bool_value() ? 1 : 0;
    default:
      return std::nullopt;
  }
}

// Python's ==, and NaN is a choice like any other.
bool SameChoice(const v1::ParamValue& a, const v1::ParamValue& b) {
  if (a.has_int_value() && b.has_int_value()) return a.int_value() == b.int_value();
  const auto x = Number(a);
  const auto y = Number(b);
  if (x && y) return *x == *y || (std::isnan(*x) && std::isnan(*y));
  if (a.kind_case() != b.kind_case()) return false;
  if (a.has_string_value()) return a.string_value() == b.string_value();
  if (a.has_json_value()) return a.json_value() == b.json_value();
  return a.has_null_value();
}

// An object's members by name.
class Attributes {
 public:
  static absl::StatusOr<Attributes> Parse(absl::string_view object) {
    Attributes out;
    ASSIGN_OR_RETURN(const auto members, JsonMembers(object));
    for (const auto& [name, text] : members) out.texts_[name] = text;
    return out;
  }
  bool Has(absl::string_view name) const {
    const auto it = texts_.find(name);
    return it != texts_.end() && it->second != "null";
  }
  absl::StatusOr<absl::string_view> Text(absl::string_view name) const {
    const auto it = texts_.find(name);
    if (it != texts_.end()) return it->second;
    return absl::InvalidArgumentError(absl::StrCat("it lacks \"", name, "\""));
  }
  absl::StatusOr<double> Float(absl::string_view name) const {
    ASSIGN_OR_RETURN(const absl::string_view text, Text(name));
    const auto number = Number(ParseValueJson(text));
    if (number) return *number;
    return absl::InvalidArgumentError(absl::StrCat("\"", name, "\" is no number: ", text));
  }
  absl::StatusOr<int64_t> Int(absl::string_view name) const {
    ASSIGN_OR_RETURN(const double number, Float(name));
    const v1::ParamValue value = ParseValueJson(*Text(name));
    if (value.has_int_value()) return value.int_value();
    if (number == std::floor(number) && std::abs(number) < kInt64Bound) {
      return static_cast<int64_t>(number);
    }
    return absl::InvalidArgumentError(
        absl::StrCat("\"", name, "\" is no whole number of 64 bits: ", *Text(name)));
  }
  absl::StatusOr<bool> Bool(absl::string_view name, bool otherwise) const {
    if (!Has(name)) return otherwise;
    ASSIGN_OR_RETURN(const double number, Float(name));
    return number != 0;
  }

 private:
  absl::flat_hash_map<std::string, absl::string_view> texts_;
};

absl::Status CheckRange(double low, double high, double step, bool log, double least_log) {
  if (std::isnan(low) || std::isnan(high) || low > high) {
    return absl::InvalidArgumentError(absl::StrCat("low ", low, " is not at or below high ", high));
  }
  if (!(step > 0))
    return absl::InvalidArgumentError(absl::StrCat("step ", step, " is not positive"));
  if (log && low < least_log) {
    return absl::InvalidArgumentError(absl::StrCat("log needs a positive low, not ", low));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::Distribution> ParseInt(const Attributes& a, bool log) {
  v1::Distribution out;
  auto* d = out.mutable_int_distribution();
  ASSIGN_OR_RETURN(const int64_t low, a.Int("low"));
  ASSIGN_OR_RETURN(const int64_t high, a.Int("high"));
  int64_t step = 1;
  if (a.Has("step")) {
    ASSIGN_OR_RETURN(step, a.Int("step"));
  }
  ASSIGN_OR_RETURN(log, a.Bool("log", log));
  RETURN_IF_ERROR(CheckRange(static_cast<double>(low), static_cast<double>(high),
                             static_cast<double>(step), log, 1));
  if (log && step != 1) return absl::InvalidArgumentError("log and step exclude each other");
  d->set_low(low);
  d->set_high(high);
  d->set_step(step);
  d->set_log(log);
  return out;
}

absl::StatusOr<v1::Distribution> ParseFloat(const Attributes& a, bool log) {
  v1::Distribution out;
  auto* d = out.mutable_float_distribution();
  ASSIGN_OR_RETURN(const double low, a.Float("low"));
  ASSIGN_OR_RETURN(const double high, a.Float("high"));
  ASSIGN_OR_RETURN(log, a.Bool("log", log));
  for (const char* name : {"q", "step"}) {
    if (!a.Has(name)) continue;
    ASSIGN_OR_RETURN(const double step, a.Float(name));
    d->set_step(step);
  }
  RETURN_IF_ERROR(CheckRange(low, high, d->has_step() ? d->step() : 1, log,
                             std::numeric_limits<double>::denorm_min()));
  if (log && d->has_step()) {
    return absl::InvalidArgumentError("log and step exclude each other");
  }
  d->set_low(low);
  d->set_high(high);
  d->set_log(log);
  return out;
}

absl::StatusOr<v1::Distribution> ParseCategorical(const Attributes& a) {
  v1::Distribution out;
  auto* d = out.mutable_categorical_distribution();
  ASSIGN_OR_RETURN(const absl::string_view text, a.Text("choices"));
  ASSIGN_OR_RETURN(const auto choices, JsonElements(text));
  if (choices.empty()) return absl::InvalidArgumentError("it has no choices");
  for (absl::string_view choice : choices) *d->add_choices() = ParseValueJson(choice);
  return out;
}

absl::StatusOr<v1::Distribution> ParseWhole(absl::string_view json) {
  ASSIGN_OR_RETURN(Attributes whole, Attributes::Parse(json));
  const bool brief = !whole.Has("name");
  ASSIGN_OR_RETURN(const absl::string_view quoted, whole.Text(brief ? "type" : "name"));
  const v1::ParamValue named = ParseValueJson(quoted);
  const std::string& name = named.string_value();
  if (!brief) {
    ASSIGN_OR_RETURN(const absl::string_view attributes, whole.Text("attributes"));
    ASSIGN_OR_RETURN(whole, Attributes::Parse(attributes));
  }
  if (name == (brief ? "categorical" : "CategoricalDistribution")) return ParseCategorical(whole);
  if (brief && name == "int") return ParseInt(whole, false);
  if (brief && name == "float") return ParseFloat(whole, false);
  if (name == "IntDistribution" || name == "IntUniformDistribution") return ParseInt(whole, false);
  if (name == "IntLogUniformDistribution") return ParseInt(whole, true);
  if (name == "FloatDistribution" || name == "UniformDistribution" ||
      name == "DiscreteUniformDistribution") {
    return ParseFloat(whole, false);
  }
  if (name == "LogUniformDistribution") return ParseFloat(whole, true);
  return absl::InvalidArgumentError(absl::StrCat("unknown kind ", quoted));
}

}  // namespace

std::string ValueJson(const v1::ParamValue& value) {
  switch (value.kind_case()) {
    case v1::ParamValue::kFloatValue:
      return JsonFloat(value.float_value());
    case v1::ParamValue::kIntValue:
      return absl::StrCat(value.int_value());
    case v1::ParamValue::kStringValue:
      return QuoteJson(value.string_value());
    case v1::ParamValue::kBoolValue:
      return value.bool_value() ? "true" : "false";
    case v1::ParamValue::kJsonValue:
      return value.json_value();
    default:
      return "null";
  }
}

v1::ParamValue ParseValueJson(absl::string_view text) {
  v1::ParamValue out;
  int64_t whole = 0;
  double real = 0;
  const auto end = text.data() + text.size();
  if (text == "null") {
    out.set_null_value(true);
  } else if (text == "true" || text == "false") {
    out.set_bool_value(text == "true");
  } else if (text == "NaN") {
    out.set_float_value(std::numeric_limits<double>::quiet_NaN());
  } else if (absl::EndsWith(text, "Infinity")) {
    const double infinity = std::numeric_limits<double>::infinity();
    out.set_float_value(text[0] == '-' ? -infinity : infinity);
  } else if (!text.empty() && text[0] == '"') {
    if (auto string = UnquoteJson(text); string.ok()) {
      out.set_string_value(*std::move(string));
    } else {
      out.set_json_value(std::string(text));
    }
  } else if (!text.empty() && text[0] != '[' && text[0] != '{') {
    if (text.find_first_of(".eE") != absl::string_view::npos && absl::SimpleAtod(text, &real)) {
      out.set_float_value(real);
    } else if (std::from_chars(text.data(), end, whole).ec == std::errc()) {
      out.set_int_value(whole);
    } else {
      out.set_json_value(std::string(text));
    }
  } else {
    out.set_json_value(std::string(text));
  }
  return out;
}

std::string DistributionJson(const v1::Distribution& distribution) {
  const auto boolean = [](bool b) { return b ? "true" : "false"; };
  if (distribution.has_float_distribution()) {
    const auto& d = distribution.float_distribution();
    return absl::StrCat("{\"name\": \"FloatDistribution\", \"attributes\": {\"step\": ",
                        d.has_step() ? JsonFloat(d.step()) : "null",
                        ", \"low\": ", JsonFloat(d.low()), ", \"high\": ", JsonFloat(d.high()),
                        ", \"log\": ", boolean(d.log()), "}}");
  }
  if (distribution.has_int_distribution()) {
    const auto& d = distribution.int_distribution();
    return absl::StrCat("{\"name\": \"IntDistribution\", \"attributes\": {\"log\": ",
                        boolean(d.log()), ", \"step\": ", std::max<int64_t>(1, d.step()),
                        ", \"low\": ", d.low(), ", \"high\": ", d.high(), "}}");
  }
  std::string out = "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [";
  const char* comma = "";
  for (const auto& choice : distribution.categorical_distribution().choices()) {
    absl::StrAppend(&out, comma, ValueJson(choice));
    comma = ", ";
  }
  return out + "]}}";
}

absl::StatusOr<v1::Distribution> ParseDistribution(absl::string_view json) {
  auto parsed = ParseWhole(json);
  if (parsed.ok()) return parsed;
  return absl::InvalidArgumentError(
      absl::StrCat("not a distribution: ", parsed.status().message()));
}

absl::Status CheckCompatible(const v1::Distribution& old, const v1::Distribution& fresh) {
  const auto refuse = [&](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat("the study has ", DistributionJson(old),
                                                   " under this name, not ",
                                                   DistributionJson(fresh), ": ", why));
  };
  if (old.kind_case() != fresh.kind_case()) return refuse("another kind");
  if (old.has_float_distribution() &&
      old.float_distribution().log() != fresh.float_distribution().log()) {
    return refuse("log differs");
  }
  if (old.has_int_distribution() &&
      old.int_distribution().log() != fresh.int_distribution().log()) {
    return refuse("log differs");
  }
  const auto& a = old.categorical_distribution().choices();
  const auto& b = fresh.categorical_distribution().choices();
  if (!std::equal(a.begin(), a.end(), b.begin(), b.end(), SameChoice)) {
    return refuse("other choices");
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::ParamValue> FromInternal(const v1::Distribution& distribution, double internal) {
  v1::ParamValue value;
  if (std::isnan(internal)) return absl::InvalidArgumentError("the value is NaN");
  if (distribution.has_categorical_distribution()) {
    const auto& choices = distribution.categorical_distribution().choices();
    if (internal <= -1 || internal >= choices.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("index ", internal, " is none of ", choices.size(), " choices"));
    }
    return choices[static_cast<int>(internal)];
  }
  if (distribution.has_float_distribution()) {
    value.set_float_value(internal);
    return value;
  }
  if (std::abs(internal) >= kInt64Bound) {
    return absl::InvalidArgumentError(absl::StrCat(internal, " is no whole number of 64 bits"));
  }
  value.set_int_value(static_cast<int64_t>(internal));
  return value;
}

void AddParam(const std::string& name, const v1::Distribution& distribution, double internal,
              v1::Trial* trial) {
  auto value = FromInternal(distribution, internal);
  if (!value.ok()) return;
  v1::Param& param = *trial->add_params();
  param.set_name(name);
  *param.mutable_distribution() = distribution;
  *param.mutable_value() = *std::move(value);
}

absl::StatusOr<double> Internal(const v1::Distribution& distribution, const v1::ParamValue& value) {
  if (!distribution.has_categorical_distribution()) {
    if (const auto number = Number(value)) return *number;
    return absl::NotFoundError(absl::StrCat(ValueJson(value), " is no number"));
  }
  const auto& choices = distribution.categorical_distribution().choices();
  // The very choice first: to Python the number 1 would be the choice true before it.
  auto found = std::find_if(choices.begin(), choices.end(), [&](const v1::ParamValue& choice) {
    return choice.kind_case() == value.kind_case() && SameChoice(choice, value);
  });
  if (found == choices.end()) {
    found = std::find_if(choices.begin(), choices.end(),
                         [&](const v1::ParamValue& choice) { return SameChoice(choice, value); });
  }
  if (found != choices.end()) return static_cast<double>(found - choices.begin());
  return absl::NotFoundError(absl::StrCat(ValueJson(value), " is none of the choices"));
}

std::string FixedParamsJson(const v1::Trial& trial) {
  std::string out = "{";
  for (const v1::Param& param : trial.params()) {
    absl::StrAppend(&out, out.size() > 1 ? ", " : "", QuoteJson(param.name()), ": ",
                    ValueJson(param.value()));
  }
  return out + "}";
}

}  // namespace vlm::core
