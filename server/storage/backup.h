// A copy of a data directory at one moment, while others go on writing.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"

namespace vlm::storage {

struct BackupProgress {
  std::string file;  // Being copied, relative to the folder.
  int64_t done_bytes = 0;
  int64_t total_bytes = 0;
};

// Copies DATA/study.db and, unless told otherwise, DATA/checkpoints into `to`, which is made and
// must be empty; synced when it returns. The copy is a data directory that a coordinator can serve.
// Checkpoints that the study file names and that went away meanwhile are taken out of the copy.
// `progress` may say false: CANCELLED. After any error nothing is left behind. INVALID_ARGUMENT:
// `to` is no absolute path or lies inside of `data_dir`; ALREADY_EXISTS: it is not empty. Any
// thread.
absl::Status BackUp(const std::string& data_dir, const std::string& to, bool checkpoints,
                    const std::function<bool(const BackupProgress&)>& progress);

}  // namespace vlm::storage
