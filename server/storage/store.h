// The study file: an Optuna 5 database (schema 12, alembic v3.2.0.a) with our own vlm_* tables
// beside Optuna's. optuna.load_study and optuna-dashboard open it while it is in use.
//
// Errors: FAILED_PRECONDITION (another program's file, a newer version of ours),
// RESOURCE_EXHAUSTED (disk full), DATA_LOSS (damaged), UNAVAILABLE (locked by another process for
// too long), INTERNAL. Threading: Commit and the lock from one thread at a time; reads from any.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/core/mutation.h"
#include "vlm/v1/control.pb.h"

namespace vlm::storage {

class Store {
 public:
  // Makes the file, or migrates it after a backup beside it (PATH.before-migration-N).
  static absl::StatusOr<std::unique_ptr<Store>> Open(const std::string& path);
  ~Store();

  // Everything the heart keeps in memory. Call once, before the first Commit. `whole`: for those
  // who want to look at all trials, which are all in `trials` then; slow if there are many.
  absl::StatusOr<core::Snapshot> Load(bool whole = false);

  // Takes the file's write lock, keeps it over commits until LetGo, and says what other programs
  // have written since the last look. What is decided while it is kept is decided in the knowledge
  // of everything in the file. FAILED_PRECONDITION: Optuna's schema was upgraded meanwhile.
  absl::StatusOr<core::ForeignRows> TakeLock();
  void LetGo();
  // Whether another program has written since the last look. Cheap.
  bool HasForeignRows();
  // Whether another process has the file open and may want to write.
  bool HasCompany();

  // All batches in one transaction, synced to disk before it returns. On an error nothing of them
  // is stored.
  absl::Status Commit(const std::vector<const core::Batch*>& batches);

  // Points by step. Where attempts overlap (a resumed trial repeats steps) the newer one counts.
  // `names` empty: all series.
  absl::StatusOr<std::vector<v1::Series>> ReadSeries(int64_t trial_id,
                                                     const std::vector<std::string>& names,
                                                     int64_t from_step);
  // Lines after a sequence, oldest first; `tail` > 0: only the last so many; at most about `limit`.
  absl::StatusOr<std::vector<v1::LogLine>> ReadLogs(int64_t trial_id, int64_t after_sequence,
                                                    int tail, size_t limit = 10'000);
  absl::StatusOr<v1::GetProfileResponse> ReadProfiles(int64_t trial_id);
  // The newest `count` events, oldest first.
  absl::StatusOr<std::vector<v1::Event>> ReadEvents(int count);
  // Writes a study as an Optuna database of its own to `path`, where nothing is yet. Any thread.
  absl::Status ExportStudy(int64_t study_id, const std::string& path);
  // NOT_FOUND: no deleted study has this id.
  absl::StatusOr<v1::WholeStudy> ReadDeletedStudy(int64_t study_id);
  // Bytes of the file and its write-ahead log.
  int64_t FileBytes() const;

 private:
  Store();
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace vlm::storage
