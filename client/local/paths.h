// Where local mode keeps things. Data and logs survive; the socket lives in a private directory.
// That is not below XDG_RUNTIME_DIR: it goes away at logout, and the daemons do not.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace vlm::client {

struct LocalPaths {
  std::string state_dir;    // ${XDG_STATE_HOME:-~/.local/state}/vlmctl/local
  std::string runtime_dir;  // state_dir/run, or below /tmp if a socket's name would be too long.
  std::string socket;       // runtime_dir/coordinator.sock

  std::string address() const { return "unix:" + socket; }
  std::string data_dir() const { return state_dir + "/data"; }
  std::string work_dir() const { return state_dir + "/worker"; }
  std::string lock() const { return state_dir + "/up.lock"; }
  std::string pid_file(const std::string& program) const {
    return state_dir + "/" + program + ".pid";
  }
  std::string log_file(const std::string& program) const {
    return state_dir + "/" + program + ".log";
  }
};

// Touches nothing. Two state directories never share a runtime directory. FAILED_PRECONDITION:
// there is neither XDG_STATE_HOME nor HOME.
absl::StatusOr<LocalPaths> FindLocalPaths();

// Makes both directories. PERMISSION_DENIED: the runtime directory exists but is not ours alone (a
// link, another owner, or open to others), so a socket in it could not be trusted.
absl::Status MakeLocalDirs(const LocalPaths& paths);

}  // namespace vlm::client
