#include "worker/trainer/data/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace vlm::data {

void UniqueFd::Reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

namespace {

FileIdentity FromStat(const std::string& path, int result, const struct stat& info) {
  if (result != 0) return {path};
  const int64_t mtime_ns = info.st_mtim.tv_sec * int64_t{1'000'000'000} + info.st_mtim.tv_nsec;
  return {path, info.st_size, mtime_ns};
}

}  // namespace

FileIdentity Identify(const std::string& path) {
  struct stat info {};
  const int result = ::stat(path.c_str(), &info);
  return FromStat(path, result, info);
}

FileIdentity Identify(const UniqueFd& fd, const std::string& path) {
  struct stat info {};
  const int result = ::fstat(fd.get(), &info);
  return FromStat(path, result, info);
}

absl::StatusOr<UniqueFd> OpenForReading(const std::string& path) {
  // O_NONBLOCK: opening a pipe would wait for a writer.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat info {};
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0) {
    if (errno == ENAMETOOLONG || errno == ENOTDIR || errno == ELOOP) {
      return absl::NotFoundError(absl::StrCat("cannot open ", path, ": no such file"));
    }
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
  }
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is not a regular file"));
  }
  return fd;
}

absl::StatusOr<size_t> ReadSome(int fd, char* out, size_t size, const std::string& path) {
  while (true) {
    const ssize_t n = ::read(fd, out, size);
    if (n >= 0) return static_cast<size_t>(n);
    if (errno == EINTR) continue;
    if (errno == EIO) return absl::DataLossError(absl::StrCat("the disk cannot read ", path));
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
  }
}

absl::StatusOr<std::string> ReadWholeFile(const std::string& path, int64_t max_bytes) {
  ASSIGN_OR_RETURN(const UniqueFd fd, OpenForReading(path));
  struct stat info {};
  if (::fstat(fd.get(), &info) == 0 && info.st_size > max_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " has ", info.st_size, " bytes; at most ", max_bytes, " are read"));
  }
  std::string text(static_cast<size_t>(info.st_size), '\0');
  size_t done = 0;
  while (done < text.size()) {
    ASSIGN_OR_RETURN(const size_t n, ReadSome(fd.get(), &text[done], text.size() - done, path));
    if (n == 0) break;  // It shrank meanwhile.
    done += n;
  }
  text.resize(done);
  return text;
}

absl::Status WriteAt(int fd, absl::string_view data, int64_t offset, const std::string& path) {
  while (!data.empty()) {
    const ssize_t n = ::pwrite(fd, data.data(), data.size(), offset);
    if (n < 0) {
      if (errno == EINTR) continue;
      return absl::ResourceExhaustedError(
          absl::StrCat("cannot write ", path, ": ", std::strerror(errno)));
    }
    data.remove_prefix(static_cast<size_t>(n));
    offset += n;
  }
  return absl::OkStatus();
}

}  // namespace vlm::data
