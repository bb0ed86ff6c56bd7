#include "client/exchange/trials_json.h"

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/json_util.h"

namespace vlm::client {

std::string StudyToJson(const StudyData& data) {
  v1::WholeStudy exported;
  *exported.mutable_study() = data.study;
  *exported.mutable_spec() = data.spec;
  exported.mutable_trials()->Assign(data.trials.begin(), data.trials.end());
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.add_whitespace = true;
  std::string text;
  // Fails only for messages of unknown types, of which there are none here.
  if (!google::protobuf::util::MessageToJsonString(exported, &text, options).ok()) text = "{}\n";
  return text;
}

absl::StatusOr<StudyData> StudyFromJson(const std::string& text) {
  v1::WholeStudy exported;
  const auto status = google::protobuf::util::JsonStringToMessage(text, &exported);
  if (!status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("not an export of a study: ", std::string(status.message())));
  }
  if (exported.trials().empty() && !exported.has_study()) {
    return absl::InvalidArgumentError("not an export of a study: it has no study and no trials");
  }
  StudyData out;
  out.study = exported.study();
  out.spec = exported.spec();
  out.trials.assign(exported.trials().begin(), exported.trials().end());
  return out;
}

}  // namespace vlm::client
