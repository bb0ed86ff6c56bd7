#include "worker/trainer/data/csv.h"

#include <algorithm>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace vlm::data {
namespace {

constexpr size_t kBufferBytes = 1 << 16;

bool EndsPlain(char c) { return c == ',' || c == '\n' || c == '\r'; }

}  // namespace

CsvReader::CsvReader(Source source, size_t max_record)
    : source_(std::move(source)), max_record_(max_record), buffer_(kBufferBytes) {}

int CsvReader::Peek() {
  if (begin_ == end_ && !at_end_) {
    const absl::StatusOr<size_t> n = source_(buffer_.data(), buffer_.size());
    if (!n.ok()) source_error_ = n.status();
    begin_ = 0;
    end_ = n.ok() ? *n : 0;
    at_end_ = end_ == 0;
  }
  return begin_ == end_ ? -1 : static_cast<unsigned char>(buffer_[begin_]);
}

int CsvReader::Take() {
  const int c = Peek();
  if (c >= 0) ++begin_;
  return c;
}

void CsvReader::Keep(const char* bytes, size_t size) {
  kept_ += size;
  if (kept_ <= max_record_) {
    record_->fields.back().append(bytes, size);
  } else if (record_->error.ok()) {
    record_->error = absl::InvalidArgumentError(
        absl::StrCat("is longer than ", max_record_, " bytes; is a quote not closed?"));
  }
}

void CsvReader::ReadPlain() {
  while (Peek() >= 0) {
    const char* from = buffer_.data() + begin_;
    const char* to = std::find_if(from, static_cast<const char*>(buffer_.data()) + end_, EndsPlain);
    Keep(from, static_cast<size_t>(to - from));
    begin_ = static_cast<size_t>(to - buffer_.data());
    if (begin_ < end_) return;
  }
}

void CsvReader::ReadQuoted() {
  const int64_t opened = line_;
  while (Peek() >= 0) {
    const char* from = buffer_.data() + begin_;
    const auto* to = static_cast<const char*>(std::memchr(from, '"', end_ - begin_));
    const size_t size = to == nullptr ? end_ - begin_ : static_cast<size_t>(to - from);
    line_ += std::count(from, from + size, '\n');
    Keep(from, size);
    begin_ += size;
    if (to == nullptr) continue;
    ++begin_;  // The quote: doubled, or the closing one.
    const int next = Peek();
    if (next != '"') {
      if (next >= 0 && !EndsPlain(static_cast<char>(next))) {
        record_->error = absl::InvalidArgumentError(absl::StrCat(
            "has text after the closing quote in line ", line_, "; double a quote inside quotes"));
        ReadPlain();
      }
      return;
    }
    Keep("\"", 1);
    ++begin_;
  }
  record_->error = absl::InvalidArgumentError(
      absl::StrCat("has a quote in line ", opened, " that is not closed before the file ends"));
}

bool CsvReader::TakeLineEnd() {
  const int c = Peek();
  if (c != '\r' && c != '\n') return false;
  Take();
  if (c == '\r' && Peek() == '\n') Take();
  ++line_;
  return true;
}

absl::StatusOr<bool> CsvReader::Next(CsvRecord* record) {
  if (at_start_) {
    at_start_ = false;
    if (Peek() == 0xEF && end_ - begin_ >= 3 &&
        std::memcmp(buffer_.data() + begin_, "\xEF\xBB\xBF", 3) == 0) {
      begin_ += 3;
    }
  }
  while (TakeLineEnd()) {
  }
  record_ = record;
  *record = CsvRecord{line_, {}, absl::OkStatus()};
  kept_ = 0;
  if (Peek() < 0) {
    RETURN_IF_ERROR(source_error_);
    return false;
  }
  do {
    record->fields.emplace_back();
    if (Peek() == '"') {
      Take();
      ReadQuoted();
    } else {
      ReadPlain();
    }
  } while (Peek() == ',' && Take() == ',');
  TakeLineEnd();
  RETURN_IF_ERROR(source_error_);
  return true;
}

}  // namespace vlm::data
