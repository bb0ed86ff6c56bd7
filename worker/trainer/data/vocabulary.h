// The character vocabulary: the sorted set of Unicode code points, then `<pad>` with the last id.
// Immutable after construction, therefore thread-safe. Stored in every checkpoint as JSON.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace vlm::data {

class Vocabulary {
 public:
  Vocabulary() = default;  // `<pad>` only.
  explicit Vocabulary(const std::set<char32_t>& characters);

  int64_t size() const { return static_cast<int64_t>(characters_.size()) + 1; }  // With `<pad>`.
  int32_t pad() const { return static_cast<int32_t>(characters_.size()); }

  // One id per code point. INVALID_ARGUMENT: `text` is no UTF-8, or holds an unknown character,
  // which the message names with its position.
  absl::StatusOr<std::vector<int32_t>> Encode(absl::string_view text) const;
  // `<pad>` and ids outside the vocabulary are left out.
  std::string Decode(absl::Span<const int32_t> ids) const;

  // {"characters": ["a", "b", ...], "pad": 2}: the position of a character is its id.
  std::string ToJson() const;
  // INVALID_ARGUMENT: not such a document.
  static absl::StatusOr<Vocabulary> FromJson(absl::string_view json);

  friend bool operator==(const Vocabulary& a, const Vocabulary& b) {
    return a.characters_ == b.characters_;
  }

 private:
  std::vector<char32_t> characters_;  // Sorted; the position is the id.
  absl::flat_hash_map<char32_t, int32_t> ids_;
};

}  // namespace vlm::data
