#include "common/config/config.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/config/reader.h"
#include "common/hash.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace vlm::config {
namespace {

// Position of the first byte that is no UTF-8 (nor a surrogate, nor beyond U+10FFFF); npos = none.
size_t FirstNonUtf8(absl::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (length == 0 || lead > 0xf4 || i + length > text.size()) return i;
    uint32_t code = length == 1 ? lead : lead & (0xff >> (length + 1));
    for (size_t k = 1; k < length; ++k) {
      const auto byte = static_cast<unsigned char>(text[i + k]);
      if ((byte & 0xc0) != 0x80) return i;
      code = code << 6 | (byte & 0x3f);
    }
    const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    if (overlong || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff) return i;
    i += length;
  }
  return absl::string_view::npos;
}

}  // namespace

bool LoadResult::ok() const {
  return std::all_of(issues.begin(), issues.end(),
                     [](const v1::ConfigIssue& issue) { return issue.warning(); });
}

LoadResult Load(absl::string_view text, const std::string& path,
                const std::vector<std::string>& overrides, bool strict) {
  LoadResult result;
  const auto fail = [&](int line, int column, const std::string& message,
                        const std::string& suggestion) {
    v1::ConfigIssue issue;
    issue.set_file(path);
    issue.set_line(line);
    issue.set_column(column);
    issue.set_message(message);
    issue.set_suggestion(suggestion);
    result.issues.push_back(std::move(issue));
  };
  result.spec.mutable_train()->mutable_tracking();  // Present although both its keys are unset.
  for (const Key& key : Keys()) {
    if (*key.fallback != '\0') SetFromText(key, key.fallback, &result.spec);
  }
  if (text.size() > kMaxConfigBytes) {
    fail(0, 0, absl::StrCat("the file has ", text.size(), " bytes; at most ", kMaxConfigBytes),
         "is it a configuration?");
    return result;
  }
  if (const size_t bad = FirstNonUtf8(text); bad != absl::string_view::npos) {
    const absl::string_view before = text.substr(0, bad);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const size_t start = before.rfind('\n') == absl::string_view::npos ? 0 : before.rfind('\n') + 1;
    fail(static_cast<int>(line), static_cast<int>(bad - start) + 1, "a byte here is not UTF-8",
         "save the file as UTF-8");
    return result;
  }
  Reader reader(path, &result, strict);
  try {
    reader.ReadRoot(YAML::Load(std::string(text)));
    for (const std::string& text_override : overrides) reader.ReadOverride(text_override);
    reader.Finish();
  } catch (const YAML::ParserException& e) {
    fail(e.mark.line + 1, e.mark.column + 1, absl::StrCat("not YAML: ", e.msg),
         "check quotes, colons and indentation here");
  } catch (const std::exception& e) {
    fail(0, 0, absl::StrCat("cannot be read: ", e.what()), "");
  }
  std::stable_sort(result.issues.begin(), result.issues.end(), [](const auto& a, const auto& b) {
    return std::make_pair(a.line(), a.column()) < std::make_pair(b.line(), b.column());
  });
  result.spec.set_source_text(std::string(text));
  result.spec.set_source_path(path);
  return result;
}

std::string ConfigHash(const v1::StudySpec& spec) {
  v1::StudySpec copy = spec;
  copy.clear_source_text();
  copy.clear_source_path();
  copy.clear_name();
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    copy.SerializeToCodedStream(&coded);
  }
  return Sha256(bytes);
}

std::string FormatIssue(const v1::ConfigIssue& issue) {
  std::string out = issue.file();
  if (issue.line() > 0) absl::StrAppend(&out, ":", issue.line(), ":", issue.column());
  absl::StrAppend(&out, ": ", issue.warning() ? "warning: " : "error: ");
  if (!issue.key().empty()) absl::StrAppend(&out, issue.key(), ": ");
  absl::StrAppend(&out, issue.message());
  if (!issue.suggestion().empty()) absl::StrAppend(&out, " (", issue.suggestion(), ")");
  return out;
}

}  // namespace vlm::config
