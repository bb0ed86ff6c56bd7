#include "client/exchange/csv.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace vlm::client {
namespace {

std::string Field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

class Parser {
 public:
  explicit Parser(absl::string_view text) : text_(text) {
    if (text_.substr(0, 3) == "\xef\xbb\xbf") text_.remove_prefix(3);
  }

  absl::StatusOr<std::vector<CsvRow>> Parse() {
    while (at_ < text_.size()) {
      CsvRow row;
      do {
        absl::StatusOr<std::string> field = ReadField();
        if (!field.ok()) return field.status();
        row.push_back(*std::move(field));
      } while (Skip(','));
      if (!Skip('\r') && at_ < text_.size() && text_[at_] != '\n')
        return Wrong("text after a quote");
      Skip('\n');
      if (row.size() == 1 && row[0].empty()) continue;
      rows_.push_back(std::move(row));
      if (rows_.back().size() != rows_[0].size()) {
        return absl::InvalidArgumentError(absl::StrCat("row ", rows_.size(), " has ",
                                                       rows_.back().size(), " fields, the header ",
                                                       rows_[0].size()));
      }
    }
    return std::move(rows_);
  }

 private:
  bool Skip(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  absl::Status Wrong(absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat("row ", rows_.size() + 1, ": ", what));
  }
  absl::StatusOr<std::string> ReadField() {
    std::string out;
    if (!Skip('"')) {
      const size_t end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
      out = std::string(text_.substr(at_, end - at_));
      at_ = end;
      return out;
    }
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c != '"') {
        out += c;
      } else if (!Skip('"')) {
        return out;
      } else {
        out += '"';
      }
    }
    return Wrong("a quote is never closed");
  }

  absl::string_view text_;
  size_t at_ = 0;
  std::vector<CsvRow> rows_;
};

}  // namespace

absl::StatusOr<std::vector<CsvRow>> ParseCsv(absl::string_view text) {
  return Parser(text).Parse();
}

std::string FormatCsv(const std::vector<CsvRow>& rows) {
  std::string out;
  for (const CsvRow& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) absl::StrAppend(&out, i == 0 ? "" : ",", Field(row[i]));
    out += "\n";
  }
  return out;
}

}  // namespace vlm::client
