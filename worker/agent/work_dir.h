// The worker's directory: its identity, its lock, attempts' folders and the spool.
//   worker_id, agent.lock, attempts/<attempt_id>/{rank<k>.log, checkpoints, traces}, spool/*.spool
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"

namespace vlm::agent {

// Thread-safe after Open.
class WorkDir {
 public:
  // Makes what is missing and takes the lock, which goes with the process however it ends.
  // FAILED_PRECONDITION: another agent uses it. PERMISSION_DENIED: it cannot be made or written.
  static absl::StatusOr<WorkDir> Open(const std::string& path);
  WorkDir(WorkDir&& other) noexcept;
  WorkDir& operator=(WorkDir&&) = delete;
  ~WorkDir();

  const std::string& path() const { return path_; }
  const std::string& worker_id() const { return worker_id_; }
  std::string SpoolPath(int64_t attempt_id, int epoch) const;
  std::string AttemptPath(int64_t attempt_id) const;
  // Spool files that an earlier process left.
  std::vector<std::string> LeftSpools() const;
  // An empty folder for the attempt. RESOURCE_EXHAUSTED: the disk is full.
  absl::StatusOr<std::string> MakeAttemptFolder(int64_t attempt_id) const;
  // Deletes the oldest attempts' folders until `keep` are left with at most `keep_bytes` together;
  // those in `busy` stay.
  void CleanAttempts(int keep, int64_t keep_bytes, const absl::flat_hash_set<int64_t>& busy) const;

 private:
  WorkDir() = default;

  std::string path_;
  std::string worker_id_;
  int lock_fd_ = -1;
};

}  // namespace vlm::agent
