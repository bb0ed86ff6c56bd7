// The heart's memory out of the file. Throws; runs inside Guard.
#pragma once

#include "server/core/mutation.h"
#include "server/storage/connection.h"

namespace vlm::storage {

core::Snapshot LoadSnapshot(Connection& c);

}  // namespace vlm::storage
