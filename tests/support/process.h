// Real processes in tests: start one, read what it says, end it and everything it started.
// Threads: each Process reads its output on two threads of its own; methods may be called from any
// thread.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "tests/support/temp_dir.h"

namespace vlm::testing {

// Path of one of the project's programs (VLM_BIN_DIR is set by vlm_test).
std::string Binary(const std::string& name);
// Path inside the source tree.
std::string SourceFile(const std::string& relative);

// Polls until `condition` holds; false when the time ran out.
bool Eventually(absl::Duration timeout, const std::function<bool()>& condition);

// The pids of the live processes (no zombies) whose command line holds `text`.
std::vector<pid_t> FindProcesses(const std::string& text);
bool IsAlive(pid_t pid);

class Process {
 public:
  using Env = std::vector<std::pair<std::string, std::string>>;
  // Starts argv[0] in a process group of its own with the parent's environment and `env` on top.
  static absl::StatusOr<std::unique_ptr<Process>> Start(const std::vector<std::string>& argv,
                                                        const Env& env = {});
  // Kills the whole group, in case it still runs.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // The rest of the first line of stdout that begins with `prefix`. DEADLINE_EXCEEDED or
  // UNAVAILABLE (it ended), both with all that it wrote.
  absl::StatusOr<std::string> WaitForLine(const std::string& prefix,
                                          absl::Duration timeout = absl::Seconds(20));
  // 0..255: its exit code; 128 + n: ended by signal n. DEADLINE_EXCEEDED: it still runs.
  absl::StatusOr<int> Wait(absl::Duration timeout = absl::Seconds(20));
  void Signal(int signal) const;
  // SIGKILL for the group, and waits for the end.
  void Kill();
  pid_t pid() const { return pid_; }
  std::string Stdout() const;
  std::string Stderr() const;

 private:
  Process(pid_t pid, int out, int err);
  void Read(int fd, std::string* into);

  const pid_t pid_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::string out_ ABSL_GUARDED_BY(mutex_);
  std::string err_ ABSL_GUARDED_BY(mutex_);
  int open_pipes_ ABSL_GUARDED_BY(mutex_) = 2;
  int exit_ ABSL_GUARDED_BY(mutex_) = -1;
  std::thread out_reader_;
  std::thread err_reader_;
};

}  // namespace vlm::testing
