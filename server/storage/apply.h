// One mutation as rows. Throws; runs inside the transaction of Store::Commit.
#pragma once

#include "server/core/mutation.h"
#include "server/storage/connection.h"
#include "server/storage/packed.h"

namespace vlm::storage {

// High-water marks that survive deletion; written when they have grown.
struct IdMarks {
  int64_t study = 0;
  int64_t trial = 0;
  int64_t attempt = 0;
  int64_t event = 0;
  bool operator==(const IdMarks&) const = default;
};

void Apply(Connection& c, const core::Mutation& mutation, IdMarks* marks, ParamKinds* kinds);
void WriteMarks(Connection& c, const IdMarks& marks);

}  // namespace vlm::storage
