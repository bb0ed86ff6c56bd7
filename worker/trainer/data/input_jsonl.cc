#include "worker/trainer/data/input_jsonl.h"

#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "nlohmann/json.hpp"
#include "worker/trainer/data/picture_path.h"

namespace vlm::data {
namespace {

constexpr size_t kMaxLine = size_t{16} << 20;
constexpr size_t kBufferBytes = 1 << 16;

absl::Status Member(const nlohmann::json& object, const char* name, std::string* out) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "has no text member \"", name, "\"; expected {\"image\": PATH, \"caption\": TEXT}"));
  }
  *out = found->get<std::string>();
  return absl::OkStatus();
}

class JsonlInput : public InputReader {
 public:
  explicit JsonlInput(std::unique_ptr<RawText> text)
      : text_(std::move(text)), buffer_(kBufferBytes) {}

  absl::StatusOr<bool> Next(InputRow* row) override {
    std::string line;
    do {
      ASSIGN_OR_RETURN(const bool any, ReadLine(&line));
      if (!any) return false;
    } while (absl::StripAsciiWhitespace(line).empty());
    *row = InputRow{};
    row->number = ++number_;
    row->line = line_;
    row->error = Parse(line, row);
    return true;
  }

  const FileIdentity& identity() const override { return text_->identity(); }
  absl::StatusOr<std::vector<char32_t>> FileCharacters() const override {
    return text_->Characters();
  }

 private:
  // Of a line over kMaxLine only so much is kept that Parse refuses it.
  absl::StatusOr<bool> ReadLine(std::string* line) {
    line->clear();
    bool any = false;
    while (true) {
      if (begin_ == end_) {
        ASSIGN_OR_RETURN(end_, text_->Read(buffer_.data(), buffer_.size()));
        begin_ = 0;
        if (end_ == 0) {
          line_ += any;
          return any;
        }
      }
      any = true;
      const char* from = buffer_.data() + begin_;
      const auto* to = static_cast<const char*>(std::memchr(from, '\n', end_ - begin_));
      const size_t size = to == nullptr ? end_ - begin_ : static_cast<size_t>(to - from);
      if (line->size() <= kMaxLine) line->append(from, size);
      begin_ += size + (to != nullptr);
      if (to != nullptr) {
        ++line_;
        if (line_ == 1 && line->compare(0, 3, "\xEF\xBB\xBF") == 0) line->erase(0, 3);
        return true;
      }
    }
  }

  absl::Status Parse(const std::string& line, InputRow* row) const {
    if (line.size() > kMaxLine) {
      return absl::InvalidArgumentError(absl::StrCat("is longer than ", kMaxLine, " bytes"));
    }
    const auto object = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object()) {
      return absl::InvalidArgumentError(
          "is no JSON object; expected {\"image\": PATH, \"caption\": TEXT}");
    }
    std::string image;
    RETURN_IF_ERROR(Member(object, "image", &image));
    RETURN_IF_ERROR(Member(object, "caption", &row->caption));
    auto path = ResolvePicture(file(), image);
    if (!path.ok()) return Annotate(path.status(), "member image");
    row->path = *std::move(path);
    return absl::OkStatus();
  }

  const std::unique_ptr<RawText> text_;
  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0;
  int64_t line_ = 0;
  int64_t number_ = 0;
};

}  // namespace

std::unique_ptr<InputReader> OpenJsonl(std::unique_ptr<RawText> text) {
  return std::make_unique<JsonlInput>(std::move(text));
}

}  // namespace vlm::data
