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
#include "common/status.h"
#include "server/storage/connection.h"
#include "server/storage/file_bytes.h"
#include "server/storage/own_checkpoints.h"

namespace vlm::storage {
namespace {

namespace fs = std::filesystem;

constexpr char kDatabase[] = "study.db";

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
    std::vector<OwnCheckpoint> named;
    RETURN_IF_ERROR(Guard(to_, [&] { named = Named(); }));
    std::vector<std::string> files;
    for (const OwnCheckpoint& checkpoint : named) files.push_back(checkpoint.file);
    if (checkpoints) RETURN_IF_ERROR(CopyCheckpoints(files));
    RETURN_IF_ERROR(Guard(to_, [&] { TakeOut(named); }));
    RETURN_IF_ERROR(Sync(absl::StrCat(to_, "/", kDatabase)));
    if (checkpoints) RETURN_IF_ERROR(Sync(absl::StrCat(to_, "/", kCheckpointFolder)));
    return Sync(to_);
  }

 private:
  std::string From(const std::string& name) const {
    return absl::StrCat(from_, "/", kCheckpointFolder, "/", name);
  }
  std::string To(const std::string& name) const {
    return absl::StrCat(to_, "/", kCheckpointFolder, "/", name);
  }
  // Checkpoint files that are whole.
  std::vector<std::string> Listed() const {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry :
         fs::directory_iterator(absl::StrCat(from_, "/", kCheckpointFolder), error)) {
      const std::string name = entry.path().filename().string();
      if (entry.is_regular_file(error) && absl::EndsWith(name, kCheckpointSuffix))
        names.push_back(name);
    }
    return names;
  }
  absl::Status Measure(bool checkpoints) {
    progress_.total_bytes = DatabaseBytes(absl::StrCat(from_, "/", kDatabase));
    if (!checkpoints) return absl::OkStatus();
    for (const std::string& name : Listed()) progress_.total_bytes += FileBytes(From(name));
    std::error_code error;
    return fs::create_directories(absl::StrCat(to_, "/", kCheckpointFolder), error) || !error
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
      RETURN_IF_ERROR(Say(absl::StrCat(kCheckpointFolder, "/", name), FileBytes(To(name))));
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
    return Say(kDatabase, FileBytes(path));
  }
  // What the copied study file names.
  std::vector<OwnCheckpoint> Named() const {
    Connection copy(absl::StrCat(to_, "/", kDatabase), false);
    return OwnCheckpoints(copy);
  }
  void TakeOut(const std::vector<OwnCheckpoint>& named) const {
    Connection copy(absl::StrCat(to_, "/", kDatabase), true);
    for (const OwnCheckpoint& checkpoint : named) {
      if (copied_.count(checkpoint.file) > 0) continue;
      SQLite::Statement& s = copy.Prepare("DELETE FROM vlm_checkpoints WHERE checkpoint_id = ?");
      s.bind(1, checkpoint.id);
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
