#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "worker/trainer/data/batches.h"
#include "worker/trainer/data/random_order.h"

namespace vlm::data {

absl::StatusOr<BatchOrder> BatchOrder::Make(const Dataset& dataset, const BatchOptions& options) {
  const bool train = options.part == BatchOptions::Part::kTrain;
  const char* key = train ? "batch_size" : "val_batch_size";
  if (options.batch_size < 1 || options.world_size < 1 || options.rank < 0 ||
      options.rank >= options.world_size || options.start < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(key, " ", options.batch_size, ", rank ", options.rank, " of world size ",
                     options.world_size, ", first batch ", options.start, ": out of range"));
  }
  if (options.batch_size % options.world_size != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(key, " ", options.batch_size, " cannot be shared by resources.world_size ",
                     options.world_size, " ranks; make it a multiple"));
  }
  BatchOrder order;
  order.dataset_ = &dataset;
  order.options_ = options;
  if (!train) return order;
  order.per_epoch_ = dataset.train_size() / options.batch_size;
  if (order.per_epoch_ > 0) return order;
  const int64_t rows = dataset.train_size() / dataset.repeat();
  const int64_t needed = (options.batch_size + rows - 1) / rows;
  return absl::InvalidArgumentError(absl::StrCat(
      "batch_size ", options.batch_size, " is more than the ", dataset.train_size(),
      " training rows; lower it, add rows, or set data.repeat to ", needed, " or more"));
}

std::vector<int64_t> BatchOrder::Rows(int64_t index) {
  const int64_t size = options_.batch_size;
  std::vector<int64_t> rows(static_cast<size_t>(size));
  if (options_.part == BatchOptions::Part::kValidation) {
    const int64_t n = dataset_->val_size();
    const int64_t first = index % n * (size % n) % n;  // index x size mod n, without overflow.
    for (int64_t i = 0; i < size; ++i) {
      rows[static_cast<size_t>(i)] = dataset_->ValRow((first + i) % n);
    }
    return rows;
  }
  const int64_t epoch = index / per_epoch_;
  if (epoch != epoch_) {
    shuffled_ = EpochOrder(options_.seed, epoch, dataset_->train_size());
    epoch_ = epoch;
  }
  const auto from = shuffled_.begin() + index % per_epoch_ * size;
  std::transform(from, from + size, rows.begin(), [&](int64_t i) { return dataset_->TrainRow(i); });
  return rows;
}

}  // namespace vlm::data
