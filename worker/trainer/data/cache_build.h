// Reads an input, decodes its pictures on several threads and writes them into a cache file that is
// open already. Memory: a few rows per thread, whatever the size of the data set.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "worker/trainer/data/cache_file.h"

namespace vlm::data {

struct BuildOptions {
  std::string input_path;
  int img_size = 0;
  int64_t max_pixels = 0;
  bool skip_bad_rows = false;  // Otherwise the first bad row in file order is the error.
  int threads = 1;
};

// INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED: the input. RESOURCE_EXHAUSTED: `fd` is full.
// `made_for` becomes CacheIndex::key.
absl::Status BuildCache(const BuildOptions& options, const std::string& made_for, int fd,
                        const std::string& path);

}  // namespace vlm::data
