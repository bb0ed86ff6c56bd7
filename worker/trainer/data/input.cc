#include "worker/trainer/data/input.h"

#include <sys/stat.h>

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "worker/trainer/data/input_csv.h"
#include "worker/trainer/data/input_jsonl.h"

namespace vlm::data {
namespace {

bool IsFolder(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

}  // namespace

absl::StatusOr<std::unique_ptr<InputReader>> OpenInput(const std::string& input_path) {
  const bool folder = IsFolder(input_path);
  const std::string file = folder ? absl::StrCat(input_path, "/captions.jsonl") : input_path;
  auto text = RawText::Open(file);
  if (!text.ok()) {
    const absl::string_view remedy =
        folder ? "; a folder needs a file captions.jsonl with {\"image\": ..., \"caption\": ...} "
                 "a line, or name a CSV file"
               : "; name a CSV file or a folder with captions.jsonl";
    return absl::Status(text.status().code(),
                        absl::StrCat("input_path: ", text.status().message(), remedy));
  }
  if (folder || absl::EndsWith(file, ".jsonl")) return OpenJsonl(*std::move(text));
  return OpenCsv(*std::move(text));
}

absl::Status RowError(const std::string& file, int64_t number, int64_t line,
                      const absl::Status& error) {
  return Annotate(error, absl::StrCat(file, ": row ", number, " (line ", line, ")"));
}

}  // namespace vlm::data
