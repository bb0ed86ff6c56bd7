#include "worker/trainer/data/picture_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/log.h"
#include "common/status.h"
#include "worker/trainer/data/cache_build.h"

namespace vlm::data {
namespace {

namespace fs = std::filesystem;

// What decides about the pictures, apart from the content of the input files, which the index
// lists. One key has one file, so an edited input replaces its cache instead of adding one.
std::string KeyOf(const v1::TrainConfig& config) {
  std::error_code ignored;
  fs::path input = fs::weakly_canonical(config.input_path(), ignored);
  if (input.empty()) input = config.input_path();
  return absl::StrCat("pictures 1\ninput_path ", input.string(), "\nimg_size ", config.img_size(),
                      "\nmax_pixels ", config.data().max_pixels(), "\nskip ",
                      config.data().on_error() == v1::ON_ERROR_SKIP);
}

bool StillMadeOf(const CacheIndex& index) {
  return std::all_of(index.made_of.begin(), index.made_of.end(),
                     [](const FileIdentity& file) { return Identify(file.path) == file; });
}

// The finished cache at `path`, or null: none, stale, or damaged (which is logged).
std::unique_ptr<MappedCache> TryMap(const std::string& path, const std::string& key,
                                    int64_t picture_bytes) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return nullptr;
  auto cache = MappedCache::Map(fd.get(), path);
  if (!cache.ok()) {
    VLM_LOG_WARNING("picture cache is made anew", {{"reason", cache.status().message()}});
    return nullptr;
  }
  const CacheIndex& index = (*cache)->index();
  if (index.key != key || (*cache)->picture_bytes() != picture_bytes || !StillMadeOf(index)) {
    return nullptr;
  }
  return *std::move(cache);
}

// Held until destroyed. Without a lock (some network file systems) two trainers decode twice.
UniqueFd Lock(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  while (fd.valid() && ::flock(fd.get(), LOCK_EX) != 0 && errno == EINTR) {
  }
  return fd;
}

BuildOptions MakeOptions(const v1::TrainConfig& config, int threads) {
  BuildOptions options;
  options.input_path = config.input_path();
  options.img_size = static_cast<int>(config.img_size());
  options.max_pixels = config.data().max_pixels();
  options.skip_bad_rows = config.data().on_error() == v1::ON_ERROR_SKIP;
  options.threads =
      threads > 0 ? threads : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  return options;
}

// Errors of the input are told apart from those of the cache folder by `*cache_failed`.
absl::StatusOr<std::unique_ptr<MappedCache>> BuildOnDisk(const BuildOptions& options,
                                                         const std::string& key,
                                                         const std::string& path,
                                                         bool* cache_failed) {
  std::string aside = absl::StrCat(path, ".XXXXXX");
  UniqueFd fd(::mkostemp(aside.data(), O_CLOEXEC));
  *cache_failed = !fd.valid();
  if (!fd.valid()) return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", aside));
  absl::Status status = BuildCache(options, key, fd.get(), aside);
  *cache_failed = absl::IsResourceExhausted(status);
  if (status.ok() && ::rename(aside.c_str(), path.c_str()) != 0) {
    *cache_failed = true;
    status = absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path));
  }
  if (!status.ok()) {
    ::unlink(aside.c_str());
    return status;
  }
  return MappedCache::Map(fd.get(), path);
}

absl::StatusOr<std::unique_ptr<MappedCache>> BuildInMemory(const BuildOptions& options,
                                                           const std::string& key) {
  const UniqueFd fd(::memfd_create("vlm-pictures", MFD_CLOEXEC));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, "cannot keep pictures in memory");
  RETURN_IF_ERROR(BuildCache(options, key, fd.get(), "pictures in memory"));
  return MappedCache::Map(fd.get(), "pictures in memory");
}

}  // namespace

absl::StatusOr<std::unique_ptr<PictureStore>> PictureStore::Open(const v1::TrainConfig& config,
                                                                 const std::string& cache_dir,
                                                                 int threads) {
  const std::string key = KeyOf(config);
  const BuildOptions options = MakeOptions(config, threads);
  const int64_t picture_bytes = int64_t{3} * options.img_size * options.img_size;
  const auto make = [](std::unique_ptr<MappedCache> cache, std::string path, bool from_cache) {
    return std::unique_ptr<PictureStore>(
        new PictureStore(std::move(cache), std::move(path), from_cache));
  };
  if (!cache_dir.empty()) {
    const std::string path = absl::StrCat(cache_dir, "/", Sha256(key).substr(0, 32), ".pictures");
    if (auto cache = TryMap(path, key, picture_bytes)) return make(std::move(cache), path, true);
    std::error_code ignored;  // Shows when the file is made.
    fs::create_directories(cache_dir, ignored);
    const UniqueFd lock = Lock(absl::StrCat(path, ".lock"));
    if (auto cache = TryMap(path, key, picture_bytes)) return make(std::move(cache), path, true);
    bool cache_failed = false;
    auto built = BuildOnDisk(options, key, path, &cache_failed);
    if (built.ok()) return make(*std::move(built), path, false);
    if (!cache_failed) return built.status();
    VLM_LOG_WARNING("pictures are not cached on disk", {{"reason", built.status().message()}});
  }
  ASSIGN_OR_RETURN(auto cache, BuildInMemory(options, key));
  return make(std::move(cache), "", false);
}

absl::Status PictureStore::CheckPicture(size_t row) const {
  if (cache_->checked()) return absl::OkStatus();
  const absl::Status status = cache_->CheckPicture(row);
  if (!status.ok() && !path_.empty()) ::unlink(path_.c_str());
  return status;
}

}  // namespace vlm::data
