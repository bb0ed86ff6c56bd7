#include "worker/trainer/model/memory.h"

#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <malloc.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "common/mutex.h"

namespace vlm::trainer {
namespace {

constexpr size_t kSmallest = 64 << 10;  // Smaller tensors go to malloc, which handles them well.
constexpr size_t kHugePage = 2 << 20;

// Rounds up to an eighth of a power of two: at most 12.5 % of a block is wasted.
size_t ClassOf(size_t bytes) {
  const size_t step = std::bit_floor(bytes) / 8;
  return (bytes + step - 1) / step * step;
}

// One process-wide pool of free blocks by size class. Thread-safe.
class Pool {
 public:
  void* Take(size_t size) {
    {
      const MutexLock lock(mutex_);
      const auto found = free_.find(size);
      if (found != free_.end() && !found->second.empty()) {
        void* block = found->second.back();
        found->second.pop_back();
        cached_ -= static_cast<int64_t>(size);
        sizes_[block] = size;
        return block;
      }
    }
    void* block = Map(size);
    if (block == nullptr) {
      Release();
      block = Map(size);
    }
    if (block == nullptr) return nullptr;
    const MutexLock lock(mutex_);
    sizes_[block] = size;
    return block;
  }

  // False: not a block of this pool.
  bool Give(void* block) {
    const MutexLock lock(mutex_);
    const auto found = sizes_.find(block);
    if (found == sizes_.end()) return false;
    free_[found->second].push_back(block);
    cached_ += static_cast<int64_t>(found->second);
    sizes_.erase(found);
    return true;
  }

  void Release() {
    const MutexLock lock(mutex_);
    for (auto& [size, blocks] : free_) {
      for (void* block : blocks) std::free(block);
    }
    free_.clear();
    cached_ = 0;
  }

  int64_t cached() {
    const MutexLock lock(mutex_);
    return cached_;
  }

 private:
  static void* Map(size_t size) {
    void* block = nullptr;
    const size_t alignment = size >= kHugePage ? kHugePage : 4096;
    if (posix_memalign(&block, alignment, size) != 0) return nullptr;
    if (size >= kHugePage) madvise(block, size / kHugePage * kHugePage, MADV_HUGEPAGE);
    return block;
  }

  Mutex mutex_;
  std::unordered_map<size_t, std::vector<void*>> free_ ABSL_GUARDED_BY(mutex_);
  std::unordered_map<void*, size_t> sizes_ ABSL_GUARDED_BY(mutex_);
  int64_t cached_ ABSL_GUARDED_BY(mutex_) = 0;
};

Pool& ThePool() {
  static Pool* const pool = new Pool;  // Tensors of static objects may outlive any destructor.
  return *pool;
}

void DeleteSmall(void* block) {
  if (block == nullptr) return;
  c10::profiledCPUMemoryReporter().Delete(block);
  c10::free_cpu(block);
}

// Of blocks of either kind.
void DeleteAny(void* block) {
  if (block == nullptr) return;
  c10::profiledCPUMemoryReporter().Delete(block);
  if (!ThePool().Give(block)) c10::free_cpu(block);
}

class CachingAllocator final : public at::Allocator {
 public:
  at::DataPtr allocate(size_t bytes) override {
    void* block = nullptr;
    at::DeleterFnPtr deleter = &DeleteSmall;
    if (bytes < kSmallest) {
      block = bytes == 0 ? nullptr : c10::alloc_cpu(bytes);
    } else {
      block = ThePool().Take(ClassOf(bytes));
      deleter = &DeleteAny;
      if (block == nullptr) {
        c10::profiledCPUMemoryReporter().OutOfMemory(bytes);
        TORCH_CHECK_WITH(OutOfMemoryError, false, "out of memory: ", bytes, " bytes for a tensor");
      }
    }
    if (block != nullptr) c10::profiledCPUMemoryReporter().New(block, bytes);
    return {block, block, deleter, at::Device(at::DeviceType::CPU)};
  }
  at::DeleterFnPtr raw_deleter() const override { return &DeleteAny; }
  void copy_data(void* to, const void* from, size_t count) const override {
    default_copy_data(to, from, count);
  }
};

}  // namespace

void TuneAllocator() {
  // The largest values that mallopt takes: nothing is given back, nothing is mapped on its own.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 64 << 20);
  c10::SetCPUAllocator(new CachingAllocator, /*priority=*/1);
}

void ReleaseCachedMemory() {
  ThePool().Release();
  malloc_trim(0);
}

int64_t CachedBytes() { return ThePool().cached(); }

}  // namespace vlm::trainer
