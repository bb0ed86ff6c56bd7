#include "worker/trainer/data/picture_path.h"

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace vlm::data {

absl::StatusOr<std::string> ResolvePicture(const std::string& file, absl::string_view path) {
  const auto bad = [&](absl::string_view why) {
    return absl::InvalidArgumentError(
        absl::StrCat("path \"", absl::CHexEscape(path.substr(0, 200)), "\" ", why));
  };
  if (path.empty()) return bad("is empty");
  if (path.find('\0') != absl::string_view::npos) return bad("holds a zero byte");
  if (path.front() == '/') {
    return bad("is absolute; write it relative to the file's folder (a link there may lead out)");
  }
  int depth = 0;
  for (const absl::string_view part : absl::StrSplit(path, '/')) {
    if (part == "..") --depth;
    if (!part.empty() && part != "." && part != "..") ++depth;
    if (depth < 0) return bad("leaves the file's folder; put the pictures, or a link, below it");
  }
  const size_t slash = file.rfind('/');
  const absl::string_view folder = slash == std::string::npos
                                       ? absl::string_view(".")
                                       : absl::string_view(file).substr(0, slash);
  return absl::StrCat(folder, "/", path);
}

}  // namespace vlm::data
