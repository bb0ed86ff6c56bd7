// CSV as in RFC 4180, read in pieces: quoted fields with line breaks and doubled quotes, LF, CRLF
// or CR line ends, a byte order mark, fields of many megabytes, any byte. Blank lines are skipped.
// A broken record is reported as such and the next one is read. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace vlm::data {

struct CsvRecord {
  int64_t line = 0;  // Where it begins, from 1.
  std::vector<std::string> fields;
  absl::Status error;  // Of the syntax: the fields are not to be used.
};

class CsvReader {
 public:
  // Fills the buffer with up to `size` bytes; 0 at the end.
  using Source = std::function<absl::StatusOr<size_t>(char* out, size_t size)>;
  // A record may hold `max_record` bytes; of a longer one nothing is kept.
  explicit CsvReader(Source source, size_t max_record = size_t{256} << 20);

  // False at the end. An error of the source ends it all.
  absl::StatusOr<bool> Next(CsvRecord* record);

 private:
  int Peek();  // Next byte, or -1 at the end or after an error of the source.
  int Take();
  void Keep(const char* bytes, size_t size);
  void ReadPlain();   // Up to the comma or line end, which stays.
  void ReadQuoted();  // After the opening quote, up to the comma or line end.
  bool TakeLineEnd();

  const Source source_;
  const size_t max_record_;
  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0;
  bool at_start_ = true;
  bool at_end_ = false;
  int64_t line_ = 1;
  size_t kept_ = 0;
  absl::Status source_error_;
  CsvRecord* record_ = nullptr;
};

}  // namespace vlm::data
