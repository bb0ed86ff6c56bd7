// Internal: what a Store owns. Shared by store.cc and reads.cc.
#pragma once

#include <memory>
#include <string>

#include "common/mutex.h"
#include "server/storage/apply.h"
#include "server/storage/connection.h"
#include "server/storage/store.h"

namespace vlm::storage {

struct Store::Parts {
  std::string path;
  std::unique_ptr<Connection> writer;  // Of the committing thread.
  IdMarks marks;
  Mutex read_mutex;
  std::unique_ptr<Connection> reader ABSL_GUARDED_BY(read_mutex);
};

}  // namespace vlm::storage
