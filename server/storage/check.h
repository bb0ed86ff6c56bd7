// Reads everything in a data directory and says what is wrong with it. Changes nothing.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"

namespace vlm::storage {

struct Finding {
  bool damage = false;  // False: it only takes room.
  std::string subject;  // Such as "study.db: trial 7" or "checkpoints/ckpt-3-100.safetensors".
  std::string message;
};

struct CheckSink {
  std::function<void(const Finding&)> finding;
  // Things looked at so far; false ends the check (CANCELLED).
  std::function<bool(int64_t)> progress;
};

// Pages, keys and every stored message of DATA/study.db, in one read transaction, and unless told
// otherwise the hash of every checkpoint that DATA/checkpoints should hold. An error says that
// nothing could be read at all. Any thread, beside a coordinator that writes.
absl::Status CheckDataDir(const std::string& data_dir, bool checkpoints, const CheckSink& sink);

}  // namespace vlm::storage
