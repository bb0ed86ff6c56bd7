#include "server/storage/connection.h"

#include <sqlite3.h>
#include <sys/statvfs.h>

#include "absl/strings/str_cat.h"

namespace vlm::storage {
namespace {

constexpr int kBusyMillis = 10'000;  // Other programs write Optuna's tables for short moments.

absl::StatusCode CodeOf(int error) {
  switch (error & 0xff) {
    case SQLITE_FULL:
      return absl::StatusCode::kResourceExhausted;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::StatusCode::kDataLoss;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::StatusCode::kUnavailable;
    case SQLITE_CANTOPEN:
      return absl::StatusCode::kNotFound;
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return absl::StatusCode::kPermissionDenied;
    default:
      return absl::StatusCode::kInternal;
  }
}

const char* Remedy(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kResourceExhausted:
      return "; free some space on that disk";
    case absl::StatusCode::kUnavailable:
      return "; another program holds its lock: end that program's transaction";
    case absl::StatusCode::kNotFound:  // SQLite says so of a log that it may not make, too.
    case absl::StatusCode::kPermissionDenied:
      return "; its directory must exist, and both must be writable";
    default:
      return "";
  }
}

bool DiskIsFull(const std::string& path) {
  struct statvfs disk {};
  constexpr uint64_t kNeeded = 256 << 10;
  return statvfs(path.c_str(), &disk) == 0 && disk.f_bavail * disk.f_frsize < kNeeded;
}

}  // namespace

Connection::Connection(const std::string& path, bool writable)
    : database_(path,
                writable ? SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE : SQLite::OPEN_READONLY) {
  database_.setBusyTimeout(kBusyMillis);
}

SQLite::Statement& Connection::Prepare(const std::string& sql) {
  auto& slot = statements_[sql];
  if (slot == nullptr) slot = std::make_unique<SQLite::Statement>(database_, sql);
  slot->reset();
  slot->clearBindings();
  return *slot;
}

absl::Status Guard(const std::string& what, const std::function<void()>& body) {
  try {
    body();
    return absl::OkStatus();
  } catch (const SQLite::Exception& e) {
    absl::StatusCode code = CodeOf(e.getErrorCode());
    // A log or index file that cannot grow is an I/O error to SQLite.
    if ((e.getErrorCode() & 0xff) == SQLITE_IOERR && DiskIsFull(what)) {
      code = absl::StatusCode::kResourceExhausted;
    }
    return absl::Status(code, absl::StrCat(what, ": ", e.what(), Remedy(code)));
  } catch (const std::exception& e) {
    return absl::DataLossError(absl::StrCat(what, ": ", e.what()));
  }
}

}  // namespace vlm::storage
