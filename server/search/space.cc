// Values in and out of their internal form, and the order of a suggestion.
#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/message_differencer.h"
#include "server/search/sampler.h"
#include "server/search/space_tracker.h"

namespace vlm::search {
namespace {

absl::StatusOr<double> AsNumber(const v1::ParamValue& value) {
  switch (value.kind_case()) {
    case v1::ParamValue::kFloatValue:
      return value.float_value();
    case v1::ParamValue::kIntValue:
      return static_cast<double>(value.int_value());
    default:
      return absl::OutOfRangeError("the value is not a number");
  }
}

absl::Status CheckRange(double value, double low, double high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::OutOfRangeError(
      absl::StrCat("value ", value, " is outside the range [", low, ", ", high, "]"));
}

}  // namespace

bool Contains(const v1::Distribution& distribution, double internal) {
  if (distribution.has_categorical_distribution()) {
    return internal >= 0 && internal < distribution.categorical_distribution().choices_size();
  }
  if (distribution.has_int_distribution()) {
    const auto& d = distribution.int_distribution();
    return CheckRange(internal, static_cast<double>(d.low()), static_cast<double>(d.high())).ok();
  }
  const auto& d = distribution.float_distribution();
  return internal >= d.low() && internal <= d.high();
}

absl::StatusOr<double> ToInternal(const v1::Distribution& distribution,
                                  const v1::ParamValue& value) {
  if (distribution.has_categorical_distribution()) {
    const auto& choices = distribution.categorical_distribution().choices();
    for (int i = 0; i < choices.size(); ++i) {
      if (google::protobuf::util::MessageDifferencer::Equals(choices[i], value)) return i;
    }
    // 16 and 16.0 mean the same choice.
    const auto number = AsNumber(value);
    for (int i = 0; number.ok() && i < choices.size(); ++i) {
      const auto choice = AsNumber(choices[i]);
      if (choice.ok() && *choice == *number) return i;
    }
    return absl::OutOfRangeError("the value is none of the choices");
  }
  auto number = AsNumber(value);
  if (!number.ok()) return number;
  absl::Status range;
  if (distribution.has_int_distribution()) {
    const auto& d = distribution.int_distribution();
    range = CheckRange(*number, static_cast<double>(d.low()), static_cast<double>(d.high()));
    if (*number != std::floor(*number)) range = absl::OutOfRangeError("the value is not whole");
  } else {
    const auto& d = distribution.float_distribution();
    range = CheckRange(*number, d.low(), d.high());
  }
  if (!range.ok()) return range;
  return number;
}

absl::StatusOr<v1::ParamValue> ToExternal(const v1::Distribution& distribution, double internal) {
  v1::ParamValue value;
  if (distribution.has_categorical_distribution()) {
    const auto& choices = distribution.categorical_distribution().choices();
    if (!(internal >= 0) || internal >= choices.size()) {
      return absl::OutOfRangeError(
          absl::StrCat("index ", internal, " is none of ", choices.size(), " choices"));
    }
    return choices[static_cast<int>(internal)];
  }
  if (distribution.has_int_distribution()) {
    value.set_int_value(static_cast<int64_t>(internal));
  } else {
    value.set_float_value(internal);
  }
  return value;
}

bool ConditionsHold(const v1::SearchParam& searched, const std::vector<v1::Param>& params) {
  return std::all_of(searched.when().begin(), searched.when().end(), [&](const auto& condition) {
    const auto parent = std::find_if(params.begin(), params.end(), [&](const v1::Param& param) {
      return param.name() == condition.name();
    });
    if (parent == params.end()) return false;
    const auto actual = ToInternal(parent->distribution(), parent->value());
    return std::any_of(condition.values().begin(), condition.values().end(), [&](const auto& v) {
      const auto wanted = ToInternal(parent->distribution(), v);
      return actual.ok() && wanted.ok() && *wanted == *actual;
    });
  });
}

Suggested SuggestedOf(const TrialView& trial) {
  Suggested suggested;
  suggested.number = trial.number();
  for (const ParamPoint& param : trial.params()) {
    suggested.params.emplace_back(param.name, param.value);
    suggested.distributions.push_back(param.distribution);
  }
  return suggested;
}

absl::StatusOr<std::vector<v1::Param>> Suggest(Sampler& sampler, const StudyView& study,
                                               int64_t number, const Space& space,
                                               const InternalParams& fixed) {
  std::optional<InternalParams> relative;
  Suggested suggested;
  suggested.number = number;
  std::vector<v1::Param> params;
  for (const v1::SearchParam& searched : space) {
    if (!ConditionsHold(searched, params)) continue;
    const v1::Distribution& distribution = searched.distribution();
    double internal = 0;
    if (const auto it = fixed.find(searched.name()); it != fixed.end()) {
      internal = it->second;
    } else if (SingleValued(distribution)) {
      internal = SingleValue(distribution);
    } else {
      if (!relative) {
        auto sampled = sampler.SampleRelative(study, number, space);
        if (!sampled.ok()) return sampled.status();
        relative = *std::move(sampled);
      }
      const auto found = relative->find(searched.name());
      // An exp() that lands an ulp outside the range is sampled again on its own.
      if (found != relative->end() && Contains(distribution, found->second)) {
        internal = found->second;
      } else {
        auto alone = sampler.SampleIndependent(study, suggested, searched.name(), distribution);
        if (!alone.ok()) return alone.status();
        internal = *alone;
      }
    }
    auto external = ToExternal(distribution, internal);
    if (!external.ok()) return external.status();
    suggested.params.emplace_back(searched.name(), internal);
    suggested.distributions.push_back(distribution);
    v1::Param& param = params.emplace_back();
    param.set_name(searched.name());
    *param.mutable_value() = *std::move(external);
    *param.mutable_distribution() = distribution;
  }
  return params;
}

}  // namespace vlm::search
