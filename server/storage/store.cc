#include "server/storage/store.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/time/clock.h"
#include "common/status.h"
#include "server/storage/file_bytes.h"
#include "server/storage/foreign.h"
#include "server/storage/load.h"
#include "server/storage/migrations.h"
#include "server/storage/parts.h"

namespace vlm::storage {
namespace {

constexpr int64_t kKeptEvents = 100'000;
constexpr int64_t kKeptRequestSeconds = int64_t{24} * 3600;

// What only the recent past needs: events for the resumption of a watch, answers for repetition.
void DropOldRows(Connection& c) {
  SQLite::Statement& events = c.Prepare(
      "DELETE FROM vlm_events WHERE sequence <= (SELECT max(sequence) FROM vlm_events) - ?");
  events.bind(1, kKeptEvents);
  events.exec();
  SQLite::Statement& requests = c.Prepare("DELETE FROM vlm_answers WHERE created_s < ?");
  requests.bind(1, absl::ToUnixSeconds(absl::Now()) - kKeptRequestSeconds);
  requests.exec();
}

// The states of samplers are large and each replaces the one before: of a transaction only the last
// of each study is written.
absl::flat_hash_map<int64_t, const core::Mutation*> LastSamplerStates(
    const std::vector<const core::Batch*>& batches) {
  absl::flat_hash_map<int64_t, const core::Mutation*> last;
  for (const core::Batch* batch : batches) {
    for (const core::Mutation& mutation : *batch) {
      if (const auto* put = std::get_if<core::PutSamplerState>(&mutation)) {
        last[put->study_id] = &mutation;
      }
    }
  }
  return last;
}

}  // namespace

Store::Store() : parts_(std::make_unique<Parts>()) {}
Store::~Store() { parts_->lock.LetGo(); }

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const std::string& path) {
  std::unique_ptr<Store> store(new Store);
  store->parts_->path = path;
  RETURN_IF_ERROR(
      Guard(path, [&] { store->parts_->writer = std::make_unique<Connection>(path, true); }));
  RETURN_IF_ERROR(Migrate(*store->parts_->writer, path));
  RETURN_IF_ERROR(Guard(path, [&] {
    // Many small transactions: checkpoint the log in larger steps.
    store->parts_->writer->Execute("PRAGMA wal_autocheckpoint = 2000");
    SwitchTriggersOff(*store->parts_->writer);
    store->parts_->lock.Install(store->parts_->writer->database().getHandle(), path);
  }));
  std::unique_ptr<Connection> reader;
  RETURN_IF_ERROR(Guard(path, [&] { reader = std::make_unique<Connection>(path, false); }));
  MutexLock lock(store->parts_->read_mutex);
  store->parts_->reader = std::move(reader);
  return store;
}

absl::StatusOr<core::Snapshot> Store::Load(bool whole) {
  core::Snapshot snapshot;
  RETURN_IF_ERROR(Guard(parts_->path, [&] {
    Connection& c = *parts_->writer;
    SQLite::Transaction transaction(c.database(), SQLite::TransactionBehavior::IMMEDIATE);
    DropOldRows(c);
    DropOrphans(c);
    if (!whole) DropStaleRows(c);
    ForgetChanges(c);
    snapshot = whole ? LoadWholeSnapshot(c) : LoadSnapshot(c, parts_->kinds);
    parts_->seen_version = DataVersion(c);
    transaction.commit();
  }));
  parts_->marks = {snapshot.last_study_id, snapshot.last_trial_id, snapshot.last_attempt_id,
                   snapshot.last_event_sequence};
  return snapshot;
}

absl::StatusOr<core::ForeignRows> Store::TakeLock() {
  core::ForeignRows rows;
  absl::Status revision;
  const absl::Status taken = Guard(parts_->path, [&] {
    Connection& c = *parts_->writer;
    parts_->lock.Keep();
    SQLite::Transaction transaction(c.database(), SQLite::TransactionBehavior::IMMEDIATE);
    const int64_t version = DataVersion(c);
    if (version == parts_->seen_version) return;
    revision = CheckRevision(c, parts_->path);
    if (!revision.ok()) return;
    rows = TakeForeignRows(c, parts_->kinds);
    IdMarks marks = parts_->marks;
    for (const auto& row : rows.studies) marks.study = std::max(marks.study, row.study.study_id());
    for (const auto& trial : rows.trials) marks.trial = std::max(marks.trial, trial.trial_id());
    if (!(marks == parts_->marks)) WriteMarks(c, marks);
    transaction.commit();
    parts_->marks = marks;
    parts_->seen_version = version;
  });
  if (taken.ok() && revision.ok()) return rows;
  parts_->kinds.Forget();
  parts_->lock.LetGo();
  return taken.ok() ? revision : taken;
}

void Store::LetGo() { parts_->lock.LetGo(); }

bool Store::HasForeignRows() {
  bool changed = false;
  const absl::Status looked =
      Guard(parts_->path, [&] { changed = DataVersion(*parts_->writer) != parts_->seen_version; });
  return looked.ok() && changed;
}

bool Store::HasCompany() { return parts_->lock.HasCompany(); }

absl::Status Store::Commit(const std::vector<const core::Batch*>& batches) {
  IdMarks marks = parts_->marks;
  const auto states = LastSamplerStates(batches);
  const absl::Status stored = Guard(parts_->path, [&] {
    SQLite::Transaction transaction(parts_->writer->database(),
                                    SQLite::TransactionBehavior::IMMEDIATE);
    for (const core::Batch* batch : batches) {
      for (const core::Mutation& mutation : *batch) {
        const auto* put = std::get_if<core::PutSamplerState>(&mutation);
        if (put != nullptr && states.at(put->study_id) != &mutation) continue;
        Apply(*parts_->writer, mutation, &marks, &parts_->kinds);
      }
    }
    if (!(marks == parts_->marks)) WriteMarks(*parts_->writer, marks);
    transaction.commit();
  });
  if (stored.ok()) {
    parts_->marks = marks;
  } else {
    parts_->kinds.Forget();  // Slots that were given out are not in the file.
  }
  return stored;
}

int64_t Store::FileBytes() const { return DatabaseBytes(parts_->path); }

}  // namespace vlm::storage
