// Batches of a Dataset in a fixed order that depends on (seed, batch size, position) only: never on
// the number of threads or ranks. A resumed run says where it was and gets the same batches.
//
// Training: each epoch is a shuffle keyed by (seed, epoch); global batch k of an epoch takes its
// rows [k B, (k+1) B); the tail that fills no batch is dropped, so every batch is without
// replacement. Validation: batch i takes rows i B ... of the validation part and wraps around.
// Rank r of a world of W gets rows r, r+W, r+2W, ... of the global batch.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/trainer/data/dataset.h"

namespace vlm::data {

// This rank's share of one global batch.
struct Batch {
  int64_t size = 0;    // Rows here: global batch size / world size.
  int64_t length = 0;  // T: the longest caption of the *global* batch, the same on every rank.
  std::vector<uint8_t> pixels;   // [size, 3, img, img]
  std::vector<int64_t> tokens;   // [size, length], filled up with <pad>.
  std::vector<int64_t> targets;  // [size, length]: tokens shifted left by one, <pad> last.
  std::vector<int64_t> rows;     // [size] rows of the Dataset, for error messages and tests.
};

struct BatchOptions {
  enum class Part { kTrain, kValidation };
  Part part = Part::kTrain;
  int64_t batch_size = 1;  // Global; world_size must divide it.
  int rank = 0;
  int world_size = 1;
  uint64_t seed = 0;  // Of the order; no matter for validation.
  int64_t start = 0;  // First global batch to deliver, counted from 0 over all epochs.
  int threads = 0;    // Prefetching threads; 0 = batches are made inside Next().
};

// Rows of global batch `index`: the order itself, without threads.
class BatchOrder {
 public:
  // INVALID_ARGUMENT: batch_size larger than the training part (remedy: data.repeat), or not
  // divisible by world_size.
  static absl::StatusOr<BatchOrder> Make(const Dataset& dataset, const BatchOptions& options);
  // The whole global batch, in order. Not thread-safe: keeps the shuffle of the last epoch asked.
  std::vector<int64_t> Rows(int64_t index);
  int64_t batches_per_epoch() const { return per_epoch_; }  // Training; validation: 0.

 private:
  const Dataset* dataset_ = nullptr;
  BatchOptions options_;
  int64_t per_epoch_ = 0;
  int64_t epoch_ = -1;
  std::vector<int64_t> shuffled_;
};

// Not thread-safe: one consumer. `dataset` must outlive it. The destructor ends the threads.
class BatchLoader {
 public:
  static absl::StatusOr<std::unique_ptr<BatchLoader>> Make(const Dataset& dataset,
                                                           const BatchOptions& options);
  ~BatchLoader();

  // Blocks for the next batch; never ends. DATA_LOSS: see Dataset::CheckPixels.
  absl::StatusOr<Batch> Next();
  // Gives the buffers back for reuse: fresh memory costs more than filling it.
  void Recycle(Batch batch);
  // Index of the batch that Next() will deliver: what a checkpoint keeps as `start`.
  int64_t position() const;

 private:
  struct Impl;
  explicit BatchLoader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace vlm::data
