#include "worker/trainer/data/batches.h"

#include <algorithm>
#include <map>
#include <thread>

#include "common/mutex.h"
#include "common/status.h"

namespace vlm::data {

// With threads: each takes the next index, fills a batch and puts it into `ready`; nobody works
// more than `ahead` batches in front of the consumer.
struct BatchLoader::Impl {
  Impl(const Dataset& data, const BatchOptions& o, BatchOrder batch_order)
      : dataset(data), options(o), ahead(2 * o.threads), order(std::move(batch_order)) {
    next_out = next_in = o.start;
  }

  absl::Status Fill(const std::vector<int64_t>& global, Batch* batch) const;
  void Work();
  Batch TakeBuffer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // Constant after construction.
  const Dataset& dataset;
  const BatchOptions options;
  const int64_t ahead;
  std::vector<std::thread> threads;

  Mutex mutex;
  CondVar changed;
  BatchOrder order ABSL_GUARDED_BY(mutex);
  int64_t next_in ABSL_GUARDED_BY(mutex) = 0;   // Next index to be made.
  int64_t next_out ABSL_GUARDED_BY(mutex) = 0;  // Next index to be delivered.
  std::map<int64_t, absl::StatusOr<Batch>> ready ABSL_GUARDED_BY(mutex);
  std::vector<Batch> spare ABSL_GUARDED_BY(mutex);
  bool stop ABSL_GUARDED_BY(mutex) = false;
};

Batch BatchLoader::Impl::TakeBuffer() {
  if (spare.empty()) return {};
  Batch batch = std::move(spare.back());
  spare.pop_back();
  return batch;
}

absl::Status BatchLoader::Impl::Fill(const std::vector<int64_t>& global, Batch* batch) const {
  batch->rows.clear();
  batch->length = 1;
  for (size_t i = 0; i < global.size(); ++i) {
    const auto length = static_cast<int64_t>(dataset.Tokens(global[i]).size());
    batch->length = std::max(batch->length, length);
    if (static_cast<int>(i % static_cast<size_t>(options.world_size)) == options.rank) {
      batch->rows.push_back(global[i]);
    }
  }
  batch->size = static_cast<int64_t>(batch->rows.size());
  const auto picture = static_cast<size_t>(3 * dataset.img_size() * dataset.img_size());
  const auto cells = static_cast<size_t>(batch->size * batch->length);
  const int64_t pad = dataset.vocabulary().pad();
  batch->pixels.resize(static_cast<size_t>(batch->size) * picture);
  batch->tokens.assign(cells, pad);
  batch->targets.assign(cells, pad);
  for (size_t i = 0; i < batch->rows.size(); ++i) {
    const int64_t row = batch->rows[i];
    RETURN_IF_ERROR(dataset.CheckPixels(row));
    const absl::Span<const uint8_t> pixels = dataset.Pixels(row);
    std::copy(pixels.begin(), pixels.end(),
              batch->pixels.begin() + static_cast<int64_t>(i * picture));
    const absl::Span<const int32_t> tokens = dataset.Tokens(row);
    const int64_t at = static_cast<int64_t>(i) * batch->length;
    std::copy(tokens.begin(), tokens.end(), batch->tokens.begin() + at);
    if (!tokens.empty()) {
      std::copy(tokens.begin() + 1, tokens.end(), batch->targets.begin() + at);
    }
  }
  return absl::OkStatus();
}

void BatchLoader::Impl::Work() {
  while (true) {
    int64_t index = 0;
    std::vector<int64_t> rows;
    Batch batch;
    {
      const MutexLock lock(mutex);
      while (!stop && next_in >= next_out + ahead) changed.Wait(mutex);
      if (stop) return;
      index = next_in++;
      rows = order.Rows(index);
      batch = TakeBuffer();
    }
    const absl::Status status = Fill(rows, &batch);
    const MutexLock lock(mutex);
    if (status.ok()) {
      ready.emplace(index, std::move(batch));
    } else {
      ready.emplace(index, status);
    }
    changed.NotifyAll();
  }
}

BatchLoader::BatchLoader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

BatchLoader::~BatchLoader() {
  {
    const MutexLock lock(impl_->mutex);
    impl_->stop = true;
    impl_->changed.NotifyAll();
  }
  for (std::thread& thread : impl_->threads) thread.join();
}

absl::StatusOr<std::unique_ptr<BatchLoader>> BatchLoader::Make(const Dataset& dataset,
                                                               const BatchOptions& options) {
  ASSIGN_OR_RETURN(BatchOrder order, BatchOrder::Make(dataset, options));
  auto impl = std::make_unique<Impl>(dataset, options, std::move(order));
  for (int i = 0; i < options.threads; ++i) {
    impl->threads.emplace_back([raw = impl.get()] { raw->Work(); });
  }
  return std::unique_ptr<BatchLoader>(new BatchLoader(std::move(impl)));
}

absl::StatusOr<Batch> BatchLoader::Next() {
  Impl& impl = *impl_;
  if (impl.threads.empty()) {
    std::vector<int64_t> rows;
    Batch batch;
    {
      const MutexLock lock(impl.mutex);
      rows = impl.order.Rows(impl.next_out++);
      batch = impl.TakeBuffer();
    }
    RETURN_IF_ERROR(impl.Fill(rows, &batch));
    return batch;
  }
  const MutexLock lock(impl.mutex);
  auto found = impl.ready.find(impl.next_out);
  while (found == impl.ready.end()) {
    impl.changed.Wait(impl.mutex);
    found = impl.ready.find(impl.next_out);
  }
  auto node = impl.ready.extract(found);
  ++impl.next_out;
  impl.changed.NotifyAll();
  return std::move(node.mapped());
}

void BatchLoader::Recycle(Batch batch) {
  const MutexLock lock(impl_->mutex);
  if (static_cast<int64_t>(impl_->spare.size()) <= impl_->ahead) {
    impl_->spare.push_back(std::move(batch));
  }
}

int64_t BatchLoader::position() const {
  const MutexLock lock(impl_->mutex);
  return impl_->next_out;
}

}  // namespace vlm::data
