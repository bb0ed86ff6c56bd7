#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/config/config.h"
#include "common/config/keys.h"

namespace vlm::config {
namespace {

std::string AsText(const v1::ParamValue& value) {
  switch (value.kind_case()) {
    case v1::ParamValue::kFloatValue:
      return absl::StrFormat("%.17g", value.float_value());
    case v1::ParamValue::kIntValue:
      return absl::StrCat(value.int_value());
    case v1::ParamValue::kStringValue:
      return value.string_value();
    case v1::ParamValue::kBoolValue:
      return value.bool_value() ? "true" : "false";
    default:
      return "null";
  }
}

}  // namespace

absl::Status ApplyParams(const google::protobuf::RepeatedPtrField<v1::Param>& params,
                         v1::TrainConfig* config) {
  v1::StudySpec spec;
  spec.mutable_train()->Swap(config);
  absl::Status status;
  for (const v1::Param& param : params) {
    const Key* key = FindKey(param.name());
    const std::string wrong =
        key == nullptr ? "no such key" : SetFromText(*key, AsText(param.value()), &spec);
    if (!wrong.empty() && status.ok()) {
      status = absl::InvalidArgumentError(absl::StrCat("parameter ", param.name(), ": ", wrong));
    }
  }
  config->Swap(spec.mutable_train());
  return status;
}

}  // namespace vlm::config
