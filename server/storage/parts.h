// Internal: what a Store owns. Shared by store.cc and reads.cc.
#pragma once

#include <memory>
#include <string>

#include "common/mutex.h"
#include "server/storage/apply.h"
#include "server/storage/connection.h"
#include "server/storage/store.h"
#include "server/storage/write_lock.h"

namespace vlm::storage {

struct Store::Parts {
  std::string path;
  WriteLock lock;                      // Before the connections: it must outlive them.
  std::unique_ptr<Connection> writer;  // Of the committing thread.
  IdMarks marks;
  ParamKinds kinds;
  int64_t seen_version = 0;  // Data version up to which changes of other programs were taken.
  Mutex read_mutex;
  std::unique_ptr<Connection> reader ABSL_GUARDED_BY(read_mutex);
};

}  // namespace vlm::storage
