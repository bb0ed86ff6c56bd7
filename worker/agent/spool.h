// One attempt's batches on disk until the coordinator has them: an append-only file of records.
//
//   record: uint32 length, uint32 crc32 of the payload (both little endian), payload
//   first payload: HeldLease (identity; last_acked_sequence = what was dropped before this file)
//   others: Report. sequence > 0: a batch. sequence 0: a note of the agent's own (a checkpoint that
//   is still to be uploaded), never sent.
//
// Recovery keeps everything up to the first record that is torn or has a wrong checksum, names the
// damage, and cuts the file there. A batch is sent only after Sync, so that what the coordinator
// has is always a prefix of what is on disk. Thread-safe; calls do disk I/O under the object's
// lock.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "vlm/v1/fleet.pb.h"

namespace vlm::agent {

class Spool {
 public:
  // RESOURCE_EXHAUSTED: the disk is full.
  static absl::StatusOr<std::unique_ptr<Spool>> Create(const std::string& path,
                                                       const v1::HeldLease& lease,
                                                       int64_t max_bytes);
  // DATA_LOSS: not even the first record is whole; the file is worthless.
  static absl::StatusOr<std::unique_ptr<Spool>> Recover(const std::string& path, int64_t max_bytes);
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  // Numbers the batch and writes it. RESOURCE_EXHAUSTED: the bound is reached or the disk is full,
  // nothing was written. With `must` the batch is kept in memory where the disk does not take it.
  absl::StatusOr<int64_t> Append(v1::Report report, bool must = false);
  // Writes a note (sequence 0). Errors as Append.
  absl::Status AppendNote(v1::Report note);
  absl::Status Sync();
  // The batch after `sequence`; nothing if there is none yet. DATA_LOSS: it cannot be read back.
  absl::StatusOr<std::optional<v1::Report>> ReadAfter(int64_t sequence) const;
  // Batches up to `sequence` are the coordinator's now.
  void Acknowledge(int64_t sequence);
  // Deletes the file.
  void Remove();

  bool Full() const;
  int64_t last_sequence() const;
  int64_t acked_sequence() const;
  bool HasOutcome() const;
  std::vector<v1::Report> notes() const;
  const v1::HeldLease& lease() const { return lease_; }
  // What recovery had to leave behind; empty = nothing.
  const std::string& damage() const { return damage_; }

 private:
  struct Entry {
    int64_t sequence = 0;
    int64_t offset = 0;  // Of the payload.
    uint32_t size = 0;
    std::optional<std::string> kept;  // In memory, because the disk did not take it.
  };
  Spool(std::string path, int fd, v1::HeldLease lease, int64_t max_bytes);
  absl::Status WriteRecord(const std::string& payload) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Load();
  void TakeRecord(v1::Report report, int64_t offset, uint32_t size)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Compact() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string path_;
  const int64_t max_bytes_;
  mutable Mutex mutex_;
  int fd_ ABSL_GUARDED_BY(mutex_);
  v1::HeldLease lease_;  // Identity is constant; last_acked_sequence is that of the file.
  std::string damage_;   // Constant after Recover.
  int64_t end_ ABSL_GUARDED_BY(mutex_) = 0;  // Of the good part of the file.
  int64_t acked_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool dirty_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::Report> notes_ ABSL_GUARDED_BY(mutex_);
  int64_t last_sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t acked_ ABSL_GUARDED_BY(mutex_) = 0;
  bool has_outcome_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace vlm::agent
