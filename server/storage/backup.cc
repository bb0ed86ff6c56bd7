#include "server/storage/backup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <set>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status.h"
#include "server/storage/connection.h"

namespace vlm::storage {
namespace {

namespace fs = std::filesystem;

constexpr char kDatabase[] = "study.db";
constexpr char kCheckpoints[] = "checkpoints";
constexpr char kSuffix[] = ".safetensors";
constexpr char kOwnStore[] = "coordinator:";

absl::Status Failed(const std::string& what, const std::error_code& error) {
  const std::string message = absl::StrCat(what, ": ", error.message());
  if (error == std::errc::no_space_on_device) return absl::ResourceExhaustedError(message);
  if (error == std::errc::permission_denied) return absl::PermissionDeniedError(message);
  return absl::InternalError(message);
}

absl::Status Sync(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Failed(path, {errno, std::generic_category()});
  const bool synced = fsync(fd) == 0;
  const int error = errno;
  close(fd);
  return synced ? absl::OkStatus() : Failed(path, {error, std::generic_category()});
}

absl::Status MakeEmpty(const std::string& data_dir, const std::string& to) {
  if (!fs::path(to).is_absolute()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", to, "\" is not an absolute path on the coordinator's machine"));
  }
  std::error_code error;
  const fs::path inside =
      fs::weakly_canonical(to, error).lexically_relative(fs::weakly_canonical(data_dir, error));
  if (!inside.empty() && *inside.begin() != "..") {
    return absl::InvalidArgumentError(
        absl::StrCat(to, " lies inside of the data directory ", data_dir, "; name another folder"));
  }
  if (fs::exists(to, error) && !fs::is_empty(to, error)) {
    return absl::AlreadyExistsError(absl::StrCat(to, " is not empty; name a new folder"));
  }
  if (fs::create_directories(to, error); error) return Failed(to, error);
  if (chmod(to.c_str(), 0700) != 0) return Failed(to, {errno, std::generic_category()});
  return absl::OkStatus();
}

class Copier {
 public:
  Copier(std::string from, std::string to, const std::function<bool(const BackupProgress&)>& say)
      : from_(std::move(from)), to_(std::move(to)), say_(say) {}

  absl::Status Run(bool checkpoints) {
    RETURN_IF_ERROR(Measure(checkpoints));
    // First what there is, so that little can go away between the study file's moment and its copy.
    if (checkpoints) RETURN_IF_ERROR(CopyCheckpoints(Listed()));
    RETURN_IF_ERROR(CopyDatabase());
    std::vector<std::string> named;
    RETURN_IF_ERROR(Guard(to_, [&] { named = Named(); }));
    if (checkpoints) RETURN_IF_ERROR(CopyCheckpoints(named));
    RETURN_IF_ERROR(Guard(to_, [&] { TakeOut(named); }));
    RETURN_IF_ERROR(Sync(absl::StrCat(to_, "/", kDatabase)));
    if (checkpoints) RETURN_IF_ERROR(Sync(absl::StrCat(to_, "/", kCheckpoints)));
    return Sync(to_);
  }

 private:
  std::string From(const std::string& name) const {
    return absl::StrCat(from_, "/", kCheckpoints, "/", name);
  }
  std::string To(const std::string& name) const {
    return absl::StrCat(to_, "/", kCheckpoints, "/", name);
  }
  // Checkpoint files that are whole.
  std::vector<std::string> Listed() const {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry :
         fs::directory_iterator(absl::StrCat(from_, "/", kCheckpoints), error)) {
      const std::string name = entry.path().filename().string();
      if (entry.is_regular_file(error) && absl::EndsWith(name, kSuffix)) names.push_back(name);
    }
    return names;
  }
  absl::Status Measure(bool checkpoints) {
    std::error_code error;
    for (const char* suffix : {"", "-wal"}) {
      const auto size = fs::file_size(absl::StrCat(from_, "/", kDatabase, suffix), error);
      if (!error) progress_.total_bytes += static_cast<int64_t>(size);
    }
    if (!checkpoints) return absl::OkStatus();
    for (const std::string& name : Listed()) {
      const auto size = fs::file_size(From(name), error);
      if (!error) progress_.total_bytes += static_cast<int64_t>(size);
    }
    return fs::create_directories(absl::StrCat(to_, "/", kCheckpoints), error) || !error
               ? absl::OkStatus()
               : Failed(to_, error);
  }
  absl::Status Say(const std::string& file, int64_t bytes) {
    progress_.file = file;
    progress_.done_bytes += bytes;
    progress_.total_bytes = std::max(progress_.total_bytes, progress_.done_bytes);
    return say_(progress_) ? absl::OkStatus() : absl::CancelledError("the caller went away");
  }
  // Files never change once they have their name: a second name costs nothing where that is
  // possible.
  absl::Status CopyCheckpoints(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      std::error_code error;
      if (copied_.count(name) > 0) continue;
      fs::create_hard_link(From(name), To(name), error);
      if (error && error != std::errc::no_such_file_or_directory) {
        error.clear();
        fs::copy_file(From(name), To(name), error);
        if (!error) RETURN_IF_ERROR(Sync(To(name)));
      }
      if (error == std::errc::no_such_file_or_directory) continue;  // Removed meanwhile.
      if (error) return Failed(To(name), error);
      copied_.insert(name);
      const auto size = fs::file_size(To(name), error);
      RETURN_IF_ERROR(
          Say(absl::StrCat(kCheckpoints, "/", name), error ? 0 : static_cast<int64_t>(size)));
    }
    return absl::OkStatus();
  }
  absl::Status CopyDatabase() {
    const std::string path = absl::StrCat(to_, "/", kDatabase);
    RETURN_IF_ERROR(Say(kDatabase, 0));
    RETURN_IF_ERROR(Guard(absl::StrCat(from_, "/", kDatabase), [&] {
      Connection source(absl::StrCat(from_, "/", kDatabase), false);
      SQLite::Statement& vacuum = source.Prepare("VACUUM INTO ?");  // One read transaction.
      vacuum.bind(1, path);
      vacuum.exec();
    }));
    std::error_code error;
    const auto size = fs::file_size(path, error);
    return Say(kDatabase, error ? 0 : static_cast<int64_t>(size));
  }
  // Files of our own store that the copied study file names.
  std::vector<std::string> Named() const {
    std::vector<std::string> names;
    Connection copy(absl::StrCat(to_, "/", kDatabase), false);
    SQLite::Statement& s = copy.Prepare("SELECT checkpoint_id, uri FROM vlm_checkpoints");
    while (s.executeStep()) {
      if (!absl::StartsWith(s.getColumn(1).getString(), kOwnStore)) continue;
      names.push_back(absl::StrCat(s.getColumn(0).getString(), kSuffix));
    }
    return names;
  }
  void TakeOut(const std::vector<std::string>& named) const {
    Connection copy(absl::StrCat(to_, "/", kDatabase), true);
    for (const std::string& name : named) {
      if (copied_.count(name) > 0) continue;
      SQLite::Statement& s = copy.Prepare("DELETE FROM vlm_checkpoints WHERE checkpoint_id = ?");
      s.bind(1, std::string(absl::StripSuffix(name, kSuffix)));
      s.exec();
    }
  }

  std::string from_;
  std::string to_;
  const std::function<bool(const BackupProgress&)>& say_;
  BackupProgress progress_;
  std::set<std::string> copied_;
};

}  // namespace

absl::Status BackUp(const std::string& data_dir, const std::string& to, bool checkpoints,
                    const std::function<bool(const BackupProgress&)>& progress) {
  RETURN_IF_ERROR(MakeEmpty(data_dir, to));
  absl::Cleanup remove = [&] {
    std::error_code ignored;
    fs::remove_all(to, ignored);
  };
  RETURN_IF_ERROR(Copier(data_dir, to, progress).Run(checkpoints));
  std::move(remove).Cancel();
  return absl::OkStatus();
}

}  // namespace vlm::storage
