#include "worker/trainer/data/vocabulary.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "nlohmann/json.hpp"
#include "worker/trainer/data/utf8.h"

namespace vlm::data {
namespace {

using Json = nlohmann::json;

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("not a vocabulary: ", what,
                   "; expected {\"characters\": [one character each, sorted], \"pad\": their "
                   "number}"));
}

}  // namespace

Vocabulary::Vocabulary(const std::set<char32_t>& characters)
    : characters_(characters.begin(), characters.end()) {
  ids_.reserve(characters_.size());
  for (size_t i = 0; i < characters_.size(); ++i) ids_[characters_[i]] = static_cast<int32_t>(i);
}

absl::StatusOr<std::vector<int32_t>> Vocabulary::Encode(absl::string_view text) const {
  auto points = DecodeUtf8(text);
  if (!points.ok()) return Annotate(points.status(), "text");
  std::vector<int32_t> ids;
  ids.reserve(points->size());
  for (const char32_t point : *points) {
    const auto found = ids_.find(point);
    if (found == ids_.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("character ", ShowCodePoint(point), " at position ", ids.size() + 1,
                       " is not among the ", characters_.size(), " characters of the vocabulary"));
    }
    ids.push_back(found->second);
  }
  return ids;
}

std::string Vocabulary::Decode(absl::Span<const int32_t> ids) const {
  std::string text;
  for (const int32_t id : ids) {
    if (id >= 0 && id < pad()) AppendUtf8(characters_[static_cast<size_t>(id)], &text);
  }
  return text;
}

std::string Vocabulary::ToJson() const {
  Json list = Json::array();
  for (const char32_t point : characters_) {
    std::string text;
    AppendUtf8(point, &text);
    list.push_back(std::move(text));
  }
  return Json{{"characters", std::move(list)}, {"pad", pad()}}.dump();
}

absl::StatusOr<Vocabulary> Vocabulary::FromJson(absl::string_view json) {
  const Json root = Json::parse(json.begin(), json.end(), nullptr, /*allow_exceptions=*/false);
  if (!root.is_object() || !root.contains("characters") || !root.contains("pad")) {
    return Bad("no such JSON object");
  }
  const Json& list = root["characters"];
  if (!list.is_array()) return Bad("\"characters\" is no list");
  Vocabulary vocabulary;
  for (const Json& entry : list) {
    if (!entry.is_string()) return Bad("an entry is no text");
    absl::string_view text = entry.get_ref<const std::string&>();
    char32_t point = 0;
    if (!NextCodePoint(&text, &point) || !text.empty()) return Bad("an entry is no character");
    auto& characters = vocabulary.characters_;
    if (!characters.empty() && characters.back() >= point) return Bad("characters not sorted");
    vocabulary.ids_[point] = static_cast<int32_t>(characters.size());
    characters.push_back(point);
  }
  const Json& pad = root["pad"];
  if (!pad.is_number_integer() || pad.get<int64_t>() != vocabulary.pad()) {
    return Bad("\"pad\" is not the number of characters");
  }
  return vocabulary;
}

}  // namespace vlm::data
