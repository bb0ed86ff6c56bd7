#include "worker/trainer/data/raw_text.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "worker/trainer/data/utf8.h"

namespace vlm::data {

absl::StatusOr<std::unique_ptr<RawText>> RawText::Open(const std::string& path) {
  ASSIGN_OR_RETURN(UniqueFd fd, OpenForReading(path));
  return std::unique_ptr<RawText>(new RawText(path, std::move(fd)));
}

absl::StatusOr<size_t> RawText::Read(char* out, size_t size) {
  ASSIGN_OR_RETURN(const size_t n, ReadSome(fd_.get(), out, size, path()));
  Note(out, n);
  return n;
}

void RawText::Note(const char* bytes, size_t size) {
  for (const char* end = bytes + size; bytes != end && valid_; ++bytes) {
    const auto byte = static_cast<unsigned char>(*bytes);
    if (byte < 0x80 && partial_.empty()) {
      ascii_[byte] = true;
      continue;
    }
    partial_.push_back(*bytes);
    absl::string_view text = partial_;
    char32_t point = 0;
    if (NextCodePoint(&text, &point)) {
      others_.insert(point);
      partial_.clear();
    } else if (partial_.size() >= 4) {
      valid_ = false;
    }
  }
}

absl::StatusOr<std::vector<char32_t>> RawText::Characters() const {
  if (!valid_ || !partial_.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path(), " is not UTF-8 text; save it as UTF-8, or use data.vocab: captions"));
  }
  std::vector<char32_t> all;
  for (char32_t c = 0; c < ascii_.size(); ++c) {
    const bool line_end = c == '\n' && ascii_['\r'];
    if (c != '\r' && (ascii_[c] || line_end)) all.push_back(c);
  }
  all.insert(all.end(), others_.begin(), others_.end());
  return all;
}

}  // namespace vlm::data
