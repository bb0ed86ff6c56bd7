#include "worker/trainer/data/cache_build.h"

#include <algorithm>
#include <deque>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/mutex.h"
#include "common/status.h"
#include "worker/trainer/data/checksum.h"
#include "worker/trainer/data/input.h"
#include "worker/trainer/data/picture.h"
#include "worker/trainer/data/utf8.h"

namespace vlm::data {
namespace {

constexpr size_t kComplaints = 10;

struct Job {
  uint64_t slot = 0;
  InputRow row;
};
struct Result {
  CacheRow row;
  FileIdentity picture;  // Without a path: the picture is in the row itself.
  absl::Status error;
};

// The reader hands rows to the threads; what comes back is sorted in the end.
class Builder {
 public:
  Builder(const BuildOptions& options, int fd, const std::string& path)
      : options_(options), fd_(fd), path_(path) {}

  absl::Status Read(InputReader* input) {
    std::vector<std::thread> threads;
    for (int i = 0; i < options_.threads; ++i) threads.emplace_back([this] { Work(); });
    const absl::Status status = Feed(input);
    {
      const MutexLock lock(mutex_);
      no_more_ = true;
      changed_.NotifyAll();
    }
    for (std::thread& thread : threads) thread.join();
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(status);
    return machine_error_;
  }

  // The index, or the first bad row. REQUIRES: Read has returned.
  absl::StatusOr<CacheIndex> Finish(const InputReader& input) {
    const MutexLock lock(mutex_);
    std::sort(results_.begin(), results_.end(),
              [](const Result& a, const Result& b) { return a.row.number < b.row.number; });
    CacheIndex index;
    index.input_file = input.file();
    for (Result& result : results_) {
      if (!result.picture.path.empty()) index.made_of.push_back(std::move(result.picture));
      if (result.error.ok()) {
        index.rows.push_back(std::move(result.row));
        continue;
      }
      const absl::Status error =
          RowError(input.file(), result.row.number, result.row.line, result.error);
      if (!options_.skip_bad_rows) return WithRemedy(error);
      if (++index.bad_rows <= kComplaints) index.complaints.emplace_back(error.message());
    }
    if (results_.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(input.file(), " holds no rows"));
    }
    if (index.rows.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("all ", index.bad_rows, " rows of ", input.file(),
                       " are bad; the first: ", index.complaints.front()));
    }
    return index;
  }

  uint64_t slots() const { return slots_; }

 private:
  static absl::Status WithRemedy(const absl::Status& error) {
    return absl::InvalidArgumentError(absl::StrCat(
        error.message(), " (mend the row, or set data.on_error: skip to leave such rows out)"));
  }

  absl::Status Feed(InputReader* input) {
    const size_t most = static_cast<size_t>(options_.threads) * 2;
    while (true) {
      Job job;
      ASSIGN_OR_RETURN(const bool any, input->Next(&job.row));
      if (!any) return absl::OkStatus();
      job.slot = slots_++;
      const MutexLock lock(mutex_);
      while (jobs_.size() >= most && !Stopping()) changed_.Wait(mutex_);
      if (Stopping()) return absl::OkStatus();
      jobs_.push_back(std::move(job));
      changed_.NotifyAll();
    }
  }

  void Work() {
    while (true) {
      Job job;
      {
        const MutexLock lock(mutex_);
        while (jobs_.empty() && !no_more_) changed_.Wait(mutex_);
        if (jobs_.empty()) return;
        job = std::move(jobs_.front());
        jobs_.pop_front();
        changed_.NotifyAll();
      }
      Result result;
      const absl::Status machine = Decode(&job, &result);
      const MutexLock lock(mutex_);
      if (!machine.ok() && machine_error_.ok()) machine_error_ = machine;
      found_bad_ = found_bad_ || !result.error.ok();
      results_.push_back(std::move(result));
      changed_.NotifyAll();
    }
  }

  // Rows after a bad one need not be read when it fails the whole; those before it are queued.
  bool Stopping() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !machine_error_.ok() || (found_bad_ && !options_.skip_bad_rows);
  }

  // The row's fault goes into `result`; what is returned is the machine's.
  absl::Status Decode(Job* job, Result* result) const {
    InputRow& row = job->row;
    result->row = CacheRow{job->slot, 0, row.number, row.line, std::move(row.caption)};
    if (!row.path.empty()) result->picture = Identify(row.path);
    result->error = row.error;
    if (result->error.ok()) result->error = CheckCaption(result->row.caption);
    if (!result->error.ok()) return absl::OkStatus();
    const auto pixels = Pixels(row);
    if (absl::IsResourceExhausted(pixels.status()) || absl::IsDataLoss(pixels.status())) {
      return pixels.status();
    }
    result->error = pixels.status();
    if (!pixels.ok()) return absl::OkStatus();
    const absl::string_view bytes(reinterpret_cast<const char*>(pixels->data()), pixels->size());
    result->row.checksum = Checksum(bytes);
    const int64_t at = kPicturesOffset + static_cast<int64_t>(job->slot * bytes.size());
    return WriteAt(fd_, bytes, at, path_);
  }

  static absl::Status CheckCaption(const std::string& caption) {
    if (caption.empty()) {
      return absl::InvalidArgumentError("column caption: is empty; write what the picture shows");
    }
    if (caption.find('\0') != std::string::npos) {
      return absl::InvalidArgumentError("column caption: holds a zero byte; remove it");
    }
    return Annotate(DecodeUtf8(caption).status(), "column caption");
  }

  absl::StatusOr<std::vector<uint8_t>> Pixels(const InputRow& row) const {
    if (!row.path.empty()) return PrepareFile(row.path, options_.img_size, options_.max_pixels);
    constexpr absl::string_view kColumn = "column b64string_images";
    std::string bytes;
    if (row.base64.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(kColumn, ": is empty"));
    }
    if (!absl::Base64Unescape(row.base64, &bytes)) {
      return absl::InvalidArgumentError(
          absl::StrCat(kColumn, ": is not base64: \"", absl::CHexEscape(row.base64.substr(0, 24)),
                       row.base64.size() > 24 ? "...\"" : "\"",
                       "; encode the bytes of a PNG, JPEG or WebP file"));
    }
    auto pixels = PrepareBytes(bytes, options_.img_size, options_.max_pixels);
    if (!pixels.ok()) return Annotate(pixels.status(), kColumn);
    return pixels;
  }

  const BuildOptions& options_;
  const int fd_;
  const std::string& path_;
  uint64_t slots_ = 0;  // The reading thread's.
  Mutex mutex_;
  CondVar changed_;
  std::deque<Job> jobs_ ABSL_GUARDED_BY(mutex_);
  bool no_more_ ABSL_GUARDED_BY(mutex_) = false;
  bool found_bad_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Result> results_ ABSL_GUARDED_BY(mutex_);
  absl::Status machine_error_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::Status BuildCache(const BuildOptions& options, const std::string& made_for, int fd,
                        const std::string& path) {
  ASSIGN_OR_RETURN(const std::unique_ptr<InputReader> input, OpenInput(options.input_path));
  Builder builder(options, fd, path);
  RETURN_IF_ERROR(builder.Read(input.get()));
  ASSIGN_OR_RETURN(CacheIndex index, builder.Finish(*input));
  index.key = made_for;
  index.made_of.push_back(input->identity());
  const auto characters = input->FileCharacters();
  index.file_is_text = characters.ok();
  if (characters.ok()) index.file_characters = *characters;
  const int64_t picture_bytes = int64_t{3} * options.img_size * options.img_size;
  return MappedCache::Finish(fd, path, picture_bytes, builder.slots(), index);
}

}  // namespace vlm::data
