#include "worker/trainer/profile/trace_file.h"

#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdio>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"

namespace vlm::trainer {
namespace {

constexpr size_t kChunk = 1 << 18;
constexpr char kLevel[] = "wb4";  // JSON of traces shrinks about tenfold; higher levels only wait.

}  // namespace

absl::StatusOr<int64_t> GzipTrace(const std::string& json_path, const std::string& gz_path) {
  const std::unique_ptr<FILE, int (*)(FILE*)> in(std::fopen(json_path.c_str(), "rb"), std::fclose);
  if (in == nullptr) return absl::NotFoundError(absl::StrCat(json_path, ": cannot be opened"));
  gzFile out = gzopen(gz_path.c_str(), kLevel);
  bool ok = out != nullptr;
  std::vector<char> chunk(kChunk);
  while (ok) {
    const size_t got = std::fread(chunk.data(), 1, chunk.size(), in.get());
    if (got == 0) break;
    ok = gzwrite(out, chunk.data(), static_cast<unsigned>(got)) == static_cast<int>(got);
  }
  ok = out != nullptr && gzclose(out) == Z_OK && ok && std::ferror(in.get()) == 0;
  unlink(json_path.c_str());
  struct stat about {};
  if (!ok || stat(gz_path.c_str(), &about) != 0) {
    unlink(gz_path.c_str());
    return absl::ResourceExhaustedError(
        absl::StrCat(gz_path, ": the trace cannot be written; is the disk full?"));
  }
  return int64_t{about.st_size};
}

}  // namespace vlm::trainer
