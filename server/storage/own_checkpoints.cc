#include "server/storage/own_checkpoints.h"

#include "absl/strings/str_cat.h"

namespace vlm::storage {

std::vector<OwnCheckpoint> OwnCheckpoints(Connection& c, const std::string& only) {
  SQLite::Statement& s = c.Prepare(
      "SELECT checkpoint_id, sha256 FROM vlm_checkpoints WHERE uri LIKE 'coordinator:%' "
      "AND (? = '' OR checkpoint_id = ?)");
  s.bind(1, only);
  s.bind(2, only);
  std::vector<OwnCheckpoint> found;
  while (s.executeStep()) {
    const std::string id = s.getColumn(0).getString();
    found.push_back({id, s.getColumn(1).getString(), absl::StrCat(id, kCheckpointSuffix)});
  }
  return found;
}

}  // namespace vlm::storage
