#include "worker/agent/work_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "common/log.h"
#include "common/status.h"

namespace vlm::agent {
namespace {

namespace fs = std::filesystem;

absl::Status MakeFolder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (!error) return absl::OkStatus();
  const auto code = error == std::errc::no_space_on_device ? absl::StatusCode::kResourceExhausted
                                                           : absl::StatusCode::kPermissionDenied;
  return absl::Status(code, absl::StrCat("cannot make ", path, ": ", error.message()));
}

absl::StatusOr<std::string> ReadOrMakeId(const std::string& path) {
  std::ifstream in(path);
  std::string id;
  if (std::getline(in, id) && !absl::StripAsciiWhitespace(id).empty()) {
    return std::string(absl::StripAsciiWhitespace(id));
  }
  id = absl::StrCat("w-", NewUuid());
  const std::string aside = path + ".new";
  std::ofstream out(aside, std::ios::trunc);
  out << id << "\n";
  out.close();
  std::error_code error;
  if (out) fs::rename(aside, path, error);
  if (!out || error) {
    return absl::PermissionDeniedError(absl::StrCat("cannot write ", path, "; is the disk full?"));
  }
  return id;
}

int64_t BytesBelow(const fs::path& folder) {
  int64_t bytes = 0;
  std::error_code ignored;
  for (const auto& entry : fs::recursive_directory_iterator(folder, ignored)) {
    if (entry.is_regular_file(ignored)) bytes += static_cast<int64_t>(entry.file_size(ignored));
  }
  return bytes;
}

}  // namespace

absl::StatusOr<WorkDir> WorkDir::Open(const std::string& path) {
  std::error_code error;
  WorkDir dir;
  dir.path_ = fs::absolute(path, error).string();
  RETURN_IF_ERROR(MakeFolder(dir.path_ + "/attempts"));
  RETURN_IF_ERROR(MakeFolder(dir.path_ + "/spool"));
  const std::string lock = dir.path_ + "/agent.lock";
  dir.lock_fd_ = open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (dir.lock_fd_ < 0) {
    return absl::PermissionDeniedError(absl::StrCat(lock, ": ", std::strerror(errno)));
  }
  if (flock(dir.lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "another worker uses ", dir.path_, "; end it, or give this one a --work-dir of its own"));
  }
  ASSIGN_OR_RETURN(dir.worker_id_, ReadOrMakeId(dir.path_ + "/worker_id"));
  return dir;
}

WorkDir::WorkDir(WorkDir&& other) noexcept
    : path_(std::move(other.path_)),
      worker_id_(std::move(other.worker_id_)),
      lock_fd_(std::exchange(other.lock_fd_, -1)) {}

WorkDir::~WorkDir() {
  if (lock_fd_ >= 0) close(lock_fd_);
}

std::string WorkDir::SpoolPath(int64_t attempt_id, int epoch) const {
  return absl::StrCat(path_, "/spool/", attempt_id, "-", epoch, ".spool");
}

std::string WorkDir::AttemptPath(int64_t attempt_id) const {
  return absl::StrCat(path_, "/attempts/", attempt_id);
}

std::vector<std::string> WorkDir::LeftSpools() const {
  std::vector<std::string> paths;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path_ + "/spool", ignored)) {
    if (entry.path().extension() == ".spool") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

absl::StatusOr<std::string> WorkDir::MakeAttemptFolder(int64_t attempt_id) const {
  const std::string path = AttemptPath(attempt_id);
  std::error_code ignored;
  fs::remove_all(path, ignored);  // Of another coordinator's attempt with this number.
  RETURN_IF_ERROR(MakeFolder(path));
  return path;
}

void WorkDir::CleanAttempts(int keep, int64_t keep_bytes,
                            const absl::flat_hash_set<int64_t>& busy) const {
  struct Folder {
    fs::path path;
    fs::file_time_type time;
  };
  std::vector<Folder> folders;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path_ + "/attempts", ignored)) {
    int64_t id = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &id) || busy.contains(id)) continue;
    folders.push_back({entry.path(), entry.last_write_time(ignored)});
  }
  std::sort(folders.begin(), folders.end(),
            [](const Folder& a, const Folder& b) { return a.time > b.time; });
  int64_t bytes = 0;
  for (size_t i = 0; i < folders.size(); ++i) {
    bytes += BytesBelow(folders[i].path);
    if (i < static_cast<size_t>(keep) && bytes <= keep_bytes) continue;
    std::error_code error;
    fs::remove_all(folders[i].path, error);
    if (error) {
      VLM_LOG_WARNING("cannot delete an old attempt's folder",
                      {{"path", folders[i].path.string()}, {"error", error.message()}});
    }
  }
}

}  // namespace vlm::agent
