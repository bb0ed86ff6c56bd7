#include "server/storage/check.h"

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/status.h"
#include "server/storage/blocks.h"
#include "server/storage/connection.h"
#include "server/storage/own_checkpoints.h"
#include "vlm/v1/control.pb.h"
#include "vlm/v1/trainer.pb.h"

namespace vlm::storage {
namespace {

constexpr int kMostFindings = 100;  // A kind; whatever destroyed more says no more with them.
constexpr int64_t kReport = 1000;

// A column of messages: how its rows are called, where they are.
struct Stored {
  const char* what;
  const char* sql;  // Name, bytes.
  std::unique_ptr<google::protobuf::MessageLite> message;
  bool packed = false;  // See blocks.h.
};

std::vector<Stored> AllStored() {
  std::vector<Stored> all;
  const auto add = [&](const char* what, const char* sql, google::protobuf::MessageLite* message,
                       bool packed = false) {
    all.push_back({what, sql, std::unique_ptr<google::protobuf::MessageLite>(message), packed});
  };
  add("study", "SELECT study_id, body FROM vlm_studies", new v1::Study);
  add("configuration of study", "SELECT study_id, spec FROM vlm_studies", new v1::StudySpec);
  add("trial", "SELECT trial_id, body FROM vlm_trials", new v1::Trial);
  add("attempt", "SELECT attempt_id, body FROM vlm_attempts", new v1::Attempt);
  add("worker", "SELECT worker_id, body FROM vlm_workers", new v1::Worker);
  add("checkpoint", "SELECT checkpoint_id, body FROM vlm_checkpoints", new v1::Checkpoint);
  add("event", "SELECT sequence, body FROM vlm_events", new v1::Event);
  add("series of trial", "SELECT trial_id, data FROM vlm_metric_blocks", new v1::Report, true);
  add("profile of trial", "SELECT trial_id, data FROM vlm_profiles", new v1::GetProfileResponse,
      true);
  add("log of trial", "SELECT trial_id, data FROM vlm_logs", new v1::TailLogsResponse, true);
  return all;
}

// Rows that belong to nothing any more.
constexpr struct {
  const char* what;
  const char* sql;
} kOrphans[] = {
    {"attempt",
     "SELECT attempt_id FROM vlm_attempts WHERE trial_id NOT IN "
     "(SELECT trial_id FROM trials)"},
    {"series of trial",
     "SELECT DISTINCT trial_id FROM vlm_metric_blocks WHERE trial_id NOT IN "
     "(SELECT trial_id FROM trials)"},
    {"checkpoint",
     "SELECT checkpoint_id FROM vlm_checkpoints WHERE trial_id NOT IN "
     "(SELECT trial_id FROM trials)"},
};

class Checker {
 public:
  Checker(Connection& c, const CheckSink& sink) : c_(c), sink_(sink) {}

  void Run() {
    SQLite::Transaction one(c_.database());
    Pages();
    Keys();
    if (cancelled_) return;
    for (Stored& stored : AllStored()) Messages(stored);
    Trials();
    const bool deleted = Count("SELECT count(*) FROM vlm_deleted_studies") > 0;
    for (const auto& orphans : kOrphans) {
      if (deleted) break;  // Their series and checkpoints are kept on purpose.
      SQLite::Statement& s = c_.Prepare(orphans.sql);
      while (s.executeStep() && !cancelled_) {
        Find(false, absl::StrCat(orphans.what, " ", s.getColumn(0).getString()),
             "belongs to no trial; the next start removes it");
      }
    }
  }
  bool cancelled() const { return cancelled_; }

 private:
  void Find(bool damage, const std::string& subject, const std::string& message) {
    sink_.finding({damage, absl::StrCat("study.db: ", subject), message});
  }
  void Looked() {
    if (++looked_ % kReport == 0 && !sink_.progress(looked_)) cancelled_ = true;
  }
  int64_t Count(const char* sql) {
    SQLite::Statement& s = c_.Prepare(sql);
    const int64_t count = s.executeStep() ? s.getColumn(0).getInt64() : 0;
    s.reset();
    return count;
  }
  void Pages() {
    SQLite::Statement& s = c_.Prepare(absl::StrCat("PRAGMA integrity_check(", kMostFindings, ")"));
    while (s.executeStep()) {
      const std::string line = s.getColumn(0).getString();
      if (line != "ok") Find(true, "pages", absl::StrCat(line, "; restore the newest backup"));
    }
  }
  void Keys() {
    SQLite::Statement& s = c_.Prepare("PRAGMA foreign_key_check");
    for (int found = 0; s.executeStep() && found < kMostFindings; ++found) {
      Find(true, absl::StrCat(s.getColumn(0).getString(), " row ", s.getColumn(1).getString()),
           absl::StrCat("refers to a row of ", s.getColumn(2).getString(), " that is not there"));
    }
  }
  void Messages(Stored& stored) {
    SQLite::Statement& s = c_.Prepare(stored.sql);
    int found = 0;
    while (!cancelled_ && found < kMostFindings && s.executeStep()) {
      const SQLite::Column bytes = s.getColumn(1);
      const std::string text(static_cast<const char*>(bytes.getBlob()),
                             static_cast<size_t>(bytes.getBytes()));
      if (!Reads(stored, text)) {
        ++found;
        Find(true, absl::StrCat(stored.what, " ", s.getColumn(0).getString()),
             "its stored form is damaged; restore the newest backup");
      }
      Looked();
    }
    s.reset();
  }
  static bool Reads(Stored& stored, const std::string& text) {
    if (!stored.packed) return stored.message->ParseFromString(text);
    try {
      Unpack(text, stored.message.get());
      return true;
    } catch (const std::exception&) {
      return false;
    }
  }
  // What Optuna could not read any more.
  void Trials() {
    SQLite::Statement& s = c_.Prepare(
        "SELECT t.trial_id FROM trials t WHERE t.state = 'COMPLETE' AND NOT EXISTS "
        "(SELECT 1 FROM trial_values v WHERE v.trial_id = t.trial_id)");
    for (int found = 0; s.executeStep() && found < kMostFindings; ++found) {
      Find(true, absl::StrCat("trial ", s.getColumn(0).getString()), "is COMPLETE without a value");
    }
    s.reset();
  }

  Connection& c_;
  const CheckSink& sink_;
  int64_t looked_ = 0;
  bool cancelled_ = false;
};

std::string WrongWith(const std::string& path, const std::string& sha256) {
  constexpr char kRemedy[] = "; an attempt that would go on from it takes the one before";
  const auto hash = Sha256File(path);
  if (absl::IsNotFound(hash.status())) return absl::StrCat("is missing", kRemedy);
  if (!hash.ok()) return std::string(hash.status().message());
  return *hash == sha256 ? "" : absl::StrCat("no longer has its hash", kRemedy);
}

// False: cancelled.
bool CheckFiles(Connection& c, const std::string& data_dir, const CheckSink& sink) {
  int64_t looked = 0;
  for (const OwnCheckpoint& checkpoint : OwnCheckpoints(c)) {
    const std::string name = absl::StrCat(kCheckpointFolder, "/", checkpoint.file);
    const std::string wrong = WrongWith(absl::StrCat(data_dir, "/", name), checkpoint.sha256);
    // One that was removed meanwhile is no loss.
    if (!wrong.empty() && !OwnCheckpoints(c, checkpoint.id).empty())
      sink.finding({true, name, wrong});
    if (!sink.progress(++looked)) return false;
  }
  return true;
}

}  // namespace

absl::Status CheckDataDir(const std::string& data_dir, bool checkpoints, const CheckSink& sink) {
  bool cancelled = false;
  const std::string path = absl::StrCat(data_dir, "/study.db");
  RETURN_IF_ERROR(Guard(path, [&] {
    Connection connection(path, false);
    {
      Checker checker(connection, sink);
      checker.Run();
      cancelled = checker.cancelled();
    }
    if (!cancelled && checkpoints) cancelled = !CheckFiles(connection, data_dir, sink);
  }));
  return cancelled ? absl::CancelledError("the caller went away") : absl::OkStatus();
}

}  // namespace vlm::storage
