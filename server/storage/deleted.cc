#include "server/storage/deleted.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "server/storage/blocks.h"
#include "server/storage/parts.h"
#include "server/storage/store.h"

namespace vlm::storage {

bool IsSeriesTable(const std::string& table) {
  return std::find(std::begin(kSeriesTables), std::end(kSeriesTables), table) !=
         std::end(kSeriesTables);
}

void WriteDeleted(Connection& c, const v1::WholeStudy& whole) {
  v1::WholeStudy summary;
  *summary.mutable_study() = whole.study();
  for (const v1::Checkpoint& checkpoint : whole.checkpoints()) {
    summary.add_checkpoints()->set_checkpoint_id(checkpoint.checkpoint_id());
  }
  const std::string head = summary.SerializeAsString();
  const std::string body = Pack(whole);
  SQLite::Statement& s = c.Prepare(
      "INSERT OR REPLACE INTO vlm_deleted_studies (study_id, summary, body) VALUES (?, ?, ?)");
  s.bind(1, whole.study().study_id());
  s.bind(2, head.data(), static_cast<int>(head.size()));
  s.bind(3, body.data(), static_cast<int>(body.size()));
  s.exec();
}

bool ReadDeleted(Connection& c, int64_t study_id, v1::WholeStudy* whole) {
  SQLite::Statement& s = c.Prepare("SELECT body FROM vlm_deleted_studies WHERE study_id = ?");
  s.bind(1, study_id);
  const bool found = s.executeStep();
  if (found) Unpack(s.getColumn(0).getString(), whole);
  s.reset();
  return found;
}

void DropDeleted(Connection& c, const core::DropDeletedStudy& drop) {
  v1::WholeStudy whole;
  if (drop.purge && ReadDeleted(c, drop.study_id, &whole)) {
    for (const v1::Trial& trial : whole.trials()) {
      for (const char* table : kSeriesTables) {
        SQLite::Statement& s =
            c.Prepare(std::string("DELETE FROM ") + table + " WHERE trial_id = ?");
        s.bind(1, trial.trial_id());
        s.exec();
      }
    }
  }
  SQLite::Statement& s = c.Prepare("DELETE FROM vlm_deleted_studies WHERE study_id = ?");
  s.bind(1, drop.study_id);
  s.exec();
}

void LoadDeleted(Connection& c, core::Snapshot* out) {
  SQLite::Statement& s =
      c.Prepare("SELECT study_id, summary FROM vlm_deleted_studies ORDER BY study_id");
  while (s.executeStep()) {
    if (!out->deleted.emplace_back().ParseFromArray(s.getColumn(1).getBlob(),
                                                    s.getColumn(1).getBytes())) {
      throw std::runtime_error(
          absl::StrCat("deleted study ", s.getColumn(0).getInt64(), " is damaged"));
    }
    out->last_study_id = std::max(out->last_study_id, s.getColumn(0).getInt64());
  }
}

absl::StatusOr<v1::WholeStudy> Store::ReadDeletedStudy(int64_t study_id) {
  v1::WholeStudy whole;
  bool found = false;
  MutexLock lock(parts_->read_mutex);
  Connection& reader = *parts_->reader;
  RETURN_IF_ERROR(Guard(parts_->path, [&] { found = ReadDeleted(reader, study_id, &whole); }));
  if (!found) return absl::NotFoundError(absl::StrCat("study ", study_id, " is not deleted"));
  return whole;
}

}  // namespace vlm::storage
