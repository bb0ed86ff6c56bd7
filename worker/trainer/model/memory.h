// Memory of the trainer. A training step allocates and frees the same large tensors again and
// again; glibc maps and unmaps each of them, which costs a page fault per 4 KiB on every use.
#pragma once

#include <cstdint>

namespace vlm::trainer {

// Installs a caching allocator for CPU tensors (freed blocks are kept by size class, large ones on
// huge pages where the kernel allows) and raises malloc's thresholds for everything else. Call
// once, first thing in main, before any tensor exists. The allocator reports to the profiler.
void TuneAllocator();

// Gives cached blocks back to the system. Thread-safe.
void ReleaseCachedMemory();

// Bytes that the allocator holds for reuse. Thread-safe.
int64_t CachedBytes();

}  // namespace vlm::trainer
