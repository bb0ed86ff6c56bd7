// Reading files of the person's: errors name the path, and only regular files are read, so that a
// device or a pipe in a data set cannot hang a trial. Thread-safe unless said otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace vlm::data {

inline constexpr int64_t kMaxPictureBytes = int64_t{512} << 20;

// Closes its descriptor. Movable.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    Reset(other.Release());
    return *this;
  }
  ~UniqueFd() { Reset(); }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int Release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void Reset(int fd = -1);

 private:
  int fd_ = -1;
};

// What tells that a file's content is (very likely) the same as before.
struct FileIdentity {
  std::string path;
  int64_t size = -1;  // -1: there is no such file, or it cannot be looked at.
  int64_t mtime_ns = 0;
  friend bool operator==(const FileIdentity& a, const FileIdentity& b) {
    return a.path == b.path && a.size == b.size && a.mtime_ns == b.mtime_ns;
  }
};
FileIdentity Identify(const std::string& path);
// Of an open file, whatever its path names by now.
FileIdentity Identify(const UniqueFd& fd, const std::string& path);

// NOT_FOUND, PERMISSION_DENIED; INVALID_ARGUMENT: no regular file.
absl::StatusOr<UniqueFd> OpenForReading(const std::string& path);
// Up to `size` bytes; 0 at the end. DATA_LOSS: the disk failed. `path` is for the message.
absl::StatusOr<size_t> ReadSome(int fd, char* out, size_t size, const std::string& path);
// As both above; INVALID_ARGUMENT: larger than `max_bytes`.
absl::StatusOr<std::string> ReadWholeFile(const std::string& path, int64_t max_bytes);
// Writes all of `data` at `offset`. RESOURCE_EXHAUSTED: disk full, or whatever else stops a write.
absl::Status WriteAt(int fd, absl::string_view data, int64_t offset, const std::string& path);

}  // namespace vlm::data
