// Finds, checks, makes and shares the cache file of a data set. Safe with several trainers at once,
// on one machine or over a shared folder: a file is written aside and renamed, and on one machine a
// lock lets one of them decode while the others wait. Immutable after Open.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "vlm/v1/config.pb.h"
#include "worker/trainer/data/cache_file.h"

namespace vlm::data {

class PictureStore {
 public:
  // Of `config`: input_path, img_size, data.max_pixels, data.on_error. Errors: Dataset::Open.
  static absl::StatusOr<std::unique_ptr<PictureStore>> Open(const v1::TrainConfig& config,
                                                            const std::string& cache_dir,
                                                            int threads);

  const CacheIndex& index() const { return cache_->index(); }
  absl::Span<const uint8_t> Picture(size_t row) const { return cache_->Picture(row); }
  // DATA_LOSS, after removing the file, so that the next Open makes it anew.
  absl::Status CheckPicture(size_t row) const;
  bool from_cache() const { return from_cache_; }

 private:
  PictureStore(std::unique_ptr<MappedCache> cache, std::string path, bool from_cache)
      : cache_(std::move(cache)), path_(std::move(path)), from_cache_(from_cache) {}

  const std::unique_ptr<MappedCache> cache_;
  const std::string path_;  // Empty: kept in memory only.
  const bool from_cache_;
};

}  // namespace vlm::data
