// The table of configuration keys: name in the file, place in StudySpec, default, range, meaning.
// The loader, the overrides, the search space, ToYaml and the documentation's test all read it.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "vlm/v1/config.pb.h"

namespace vlm::config {

struct Key {
  const char* name;      // In the file; section keys as section.key.
  const char* field;     // Path in StudySpec.
  const char* fallback;  // Default as YAML text; "" = leave the field unset.
  double low = 0;        // Range of numbers, inclusive unless `open_low` / `open_high`.
  double high = 0;       // low == high == 0: no range.
  bool open_low = false;
  bool open_high = false;
  bool nullable = false;  // null in the file leaves the field unset or 0.
};

const std::vector<Key>& Keys();
const Key* FindKey(absl::string_view name);
// Names of the sections, such as "study".
const std::vector<std::string>& Sections();
// The name among `names` that `text` probably means; empty if none is near.
std::string Nearest(absl::string_view text, const std::vector<std::string>& names);
// What an issue says of a word that is none of `known`, and suggests: the nearest one, or
// `otherwise`.
std::string NoneOf(absl::string_view text, const std::vector<std::string>& known);
std::string DidYouMean(absl::string_view text, const std::vector<std::string>& known,
                       const std::string& otherwise = "");

// Where a key lives in a message: the innermost message (created) and its field.
struct Place {
  google::protobuf::Message* message = nullptr;
  const google::protobuf::FieldDescriptor* field = nullptr;
};
Place Resolve(const Key& key, v1::StudySpec* spec);

// Texts of an enum field in the file's spelling ("fp32", "auto"), by number.
std::vector<std::string> EnumTexts(const google::protobuf::FieldDescriptor& field);
std::string EnumText(const google::protobuf::EnumValueDescriptor& value);

std::vector<std::string> SamplerNames();
// False for an option that the specification's sampler does not have.
bool KeyIsUsed(absl::string_view key, const v1::StudySpec& spec);

// Sets the field from a scalar's text. Returns what is wrong, or nothing.
std::string SetFromText(const Key& key, const std::string& text, v1::StudySpec* spec);
// The field's value in the file's spelling; "null" if unset.
std::string GetAsText(const Key& key, const v1::StudySpec& spec);

// As it is written in retry.log_policies (running.cc).
std::string PolicyActionName(v1::LogPolicy::Action action);

}  // namespace vlm::config
