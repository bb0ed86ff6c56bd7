#include "insight/shapes/shapes.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status.h"
#include "insight/shapes/scene.h"

namespace vlm::insight {
namespace {

namespace fs = std::filesystem;

absl::Status Errno(absl::string_view what, const std::string& path) {
  return absl::ErrnoToStatus(errno, absl::StrCat(what, " ", path));
}

absl::Status WriteFile(const std::string& path, absl::string_view data) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return Errno("cannot create", path);
  absl::Status status;
  while (!data.empty() && status.ok()) {
    const ssize_t n = ::write(fd, data.data(), data.size());
    if (n >= 0) {
      data.remove_prefix(static_cast<size_t>(n));
    } else if (errno != EINTR) {
      status = Errno("cannot write", path);
    }
  }
  if (::close(fd) != 0 && status.ok()) status = Errno("cannot write", path);
  return status;
}

absl::Status Check(const ShapesOptions& options) {
  if (options.out.empty()) return absl::InvalidArgumentError("shapes: name a folder to write to");
  if (options.n < 1 || options.n > 1'000'000) {
    return absl::InvalidArgumentError(
        absl::StrCat("shapes: n is ", options.n, ", allowed are 1 to 1000000"));
  }
  if (options.image_size < 16 || options.image_size > 1024) {
    return absl::InvalidArgumentError(
        absl::StrCat("shapes: image size is ", options.image_size, ", allowed are 16 to 1024"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteShapes(const ShapesOptions& options) {
  RETURN_IF_ERROR(Check(options));
  const fs::path out(options.out);
  const std::string csv_path = (out / "captions.csv").string();
  std::error_code error;
  fs::create_directories(out / "pictures", error);
  if (error) {
    return absl::ErrnoToStatus(error.value(),
                               absl::StrCat("cannot make the folder ", options.out, "/pictures"));
  }
  // An older list must not describe half of the new pictures if this is interrupted.
  if (::unlink(csv_path.c_str()) != 0 && errno != ENOENT) return Errno("cannot replace", csv_path);
  std::string csv = "image_path,caption\n";
  for (int64_t i = 0; i < options.n; ++i) {
    const Scene scene = MakeScene(options.seed, i);
    const std::string name = absl::StrFormat("pictures/%05d.png", i);
    ASSIGN_OR_RETURN(const std::string png, RenderPng(scene, options.image_size));
    RETURN_IF_ERROR(WriteFile((out / name).string(), png));
    absl::StrAppend(&csv, name, ",", Caption(scene), "\n");
    if (options.progress) options.progress(i + 1);
  }
  const std::string aside = absl::StrCat(csv_path, ".part");
  RETURN_IF_ERROR(WriteFile(aside, csv));
  if (::rename(aside.c_str(), csv_path.c_str()) != 0) return Errno("cannot create", csv_path);
  return absl::OkStatus();
}

}  // namespace vlm::insight
