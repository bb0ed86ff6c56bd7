// A parameter's value as JSON, as Optuna's tables hold it: choices of a distribution and the
// fixed values of an enqueued trial.
#pragma once

#include "nlohmann/json.hpp"
#include "vlm/v1/study.pb.h"

namespace vlm {

inline nlohmann::json ToJson(const v1::ParamValue& value) {
  switch (value.kind_case()) {
    case v1::ParamValue::kFloatValue:
      return value.float_value();
    case v1::ParamValue::kIntValue:
      return value.int_value();
    case v1::ParamValue::kStringValue:
      return value.string_value();
    case v1::ParamValue::kBoolValue:
      return value.bool_value();
    case v1::ParamValue::kJsonValue:
      return value.json_value();
    default:
      return nullptr;
  }
}

}  // namespace vlm
