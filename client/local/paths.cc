#include "client/local/paths.h"

#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/status.h"

namespace vlm::client {
namespace {

constexpr char kSocketName[] = "/coordinator.sock";
constexpr size_t kMaxSocketPath = sizeof(sockaddr_un::sun_path) - 1;

std::string Env(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// A directory of ours that nobody else can enter.
absl::Status MakePrivate(const std::string& dir) {
  if (mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) {
    return absl::PermissionDeniedError(
        absl::StrCat("cannot make the directory ", dir, ": ", std::strerror(errno)));
  }
  struct stat info {};
  if (lstat(dir.c_str(), &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != getuid() ||
      (info.st_mode & 077) != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat(dir, " must be a directory of yours with mode 0700 and is not; remove it"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LocalPaths> FindLocalPaths() {
  LocalPaths paths;
  std::string state = Env("XDG_STATE_HOME");
  if (state.empty() || state[0] != '/') {
    if (Env("HOME").empty()) {
      return absl::FailedPreconditionError(
          "local mode needs HOME or XDG_STATE_HOME to know where studies are kept");
    }
    state = absl::StrCat(Env("HOME"), "/.local/state");
  }
  paths.state_dir = absl::StrCat(state, "/vlmctl/local");
  paths.runtime_dir = absl::StrCat(paths.state_dir, "/run");
  if (paths.runtime_dir.size() + std::strlen(kSocketName) > kMaxSocketPath) {
    // The hash keeps two state directories apart.
    paths.runtime_dir =
        absl::StrCat("/tmp/vlmctl-", getuid(), "-", Sha256(paths.state_dir).substr(0, 12));
  }
  paths.socket = paths.runtime_dir + kSocketName;
  return paths;
}

absl::Status MakeLocalDirs(const LocalPaths& paths) {
  std::error_code error;
  std::filesystem::create_directories(paths.state_dir, error);
  if (error) {
    return absl::PermissionDeniedError(
        absl::StrCat("cannot make the directory ", paths.state_dir, ": ", error.message()));
  }
  chmod(paths.state_dir.c_str(), 0700);
  return MakePrivate(paths.runtime_dir);
}

}  // namespace vlm::client
