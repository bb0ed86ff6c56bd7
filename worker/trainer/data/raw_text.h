// Reads a file in pieces and notes on the way which characters its text has: data.vocab: file needs
// them, and the file may be too large to read twice. Not thread-safe.
#pragma once

#include <array>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/trainer/data/files.h"

namespace vlm::data {

class RawText {
 public:
  // NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT: see OpenForReading.
  static absl::StatusOr<std::unique_ptr<RawText>> Open(const std::string& path);

  const std::string& path() const { return identity_.path; }
  const FileIdentity& identity() const { return identity_; }  // When it was opened.
  absl::StatusOr<size_t> Read(char* out, size_t size);        // 0 at the end.
  // Of what was read so far; "\r\n" and "\r" count as "\n", as text files are read elsewhere.
  absl::StatusOr<std::vector<char32_t>> Characters() const;

 private:
  RawText(const std::string& path, UniqueFd fd)
      : fd_(std::move(fd)), identity_(Identify(fd_, path)) {}
  void Note(const char* bytes, size_t size);

  const UniqueFd fd_;
  const FileIdentity identity_;
  std::array<bool, 128> ascii_{};
  std::set<char32_t> others_;
  std::string partial_;  // Bytes of a code point that the last piece cut through.
  bool valid_ = true;
};

}  // namespace vlm::data
