// The index of the cache file as bytes: 64-bit numbers and strings with their length in front.
#include <cstring>

#include "absl/status/status.h"
#include "common/status.h"
#include "worker/trainer/data/cache_file.h"
#include "worker/trainer/data/utf8.h"

namespace vlm::data {
namespace {

class Writer {
 public:
  void Number(uint64_t value) { bytes_.append(reinterpret_cast<const char*>(&value), 8); }
  void Text(absl::string_view text) {
    Number(text.size());
    bytes_.append(text.data(), text.size());
  }
  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// After the first error everything reads as empty; ok() tells in the end.
class Reader {
 public:
  explicit Reader(absl::string_view bytes) : left_(bytes) {}
  uint64_t Number() {
    uint64_t value = 0;
    if (Enough(8)) {
      std::memcpy(&value, left_.data(), 8);
      left_.remove_prefix(8);
    }
    return value;
  }
  int64_t Signed() { return static_cast<int64_t>(Number()); }
  std::string Text() {
    const uint64_t size = Number();
    if (!Enough(size)) return {};
    std::string text(left_.substr(0, size));
    left_.remove_prefix(size);
    return text;
  }
  // A count of things that take at least 8 bytes each: a damaged one must not reserve memory.
  uint64_t Count() {
    const uint64_t count = Number();
    return Enough(count > left_.size() / 8 ? left_.size() + 1 : 0) ? count : 0;
  }
  bool ok() const { return ok_ && left_.empty(); }

 private:
  bool Enough(uint64_t size) {
    ok_ = ok_ && size <= left_.size();
    return ok_;
  }
  absl::string_view left_;
  bool ok_ = true;
};

}  // namespace

std::string SerializeIndex(const CacheIndex& index) {
  Writer out;
  out.Text(index.key);
  out.Text(index.input_file);
  out.Number(index.made_of.size());
  for (const FileIdentity& file : index.made_of) {
    out.Text(file.path);
    out.Number(static_cast<uint64_t>(file.size));
    out.Number(static_cast<uint64_t>(file.mtime_ns));
  }
  out.Number(index.rows.size());
  for (const CacheRow& row : index.rows) {
    out.Number(row.slot);
    out.Number(row.checksum);
    out.Number(static_cast<uint64_t>(row.number));
    out.Number(static_cast<uint64_t>(row.line));
    out.Text(row.caption);
  }
  out.Number(index.complaints.size());
  for (const std::string& text : index.complaints) out.Text(text);
  out.Number(index.bad_rows);
  out.Number(index.file_is_text ? 1 : 0);
  out.Number(index.file_characters.size());
  for (const char32_t c : index.file_characters) out.Number(c);
  return out.Take();
}

absl::StatusOr<CacheIndex> ParseIndex(absl::string_view bytes) {
  Reader in(bytes);
  CacheIndex index;
  index.key = in.Text();
  index.input_file = in.Text();
  index.made_of.resize(in.Count());
  for (FileIdentity& file : index.made_of) {
    file.path = in.Text();
    file.size = in.Signed();
    file.mtime_ns = in.Signed();
  }
  index.rows.resize(in.Count());
  for (CacheRow& row : index.rows) {
    row.slot = in.Number();
    row.checksum = in.Number();
    row.number = in.Signed();
    row.line = in.Signed();
    row.caption = in.Text();
  }
  index.complaints.resize(in.Count());
  for (std::string& text : index.complaints) text = in.Text();
  index.bad_rows = in.Number();
  index.file_is_text = in.Number() != 0;
  index.file_characters.resize(in.Count());
  for (char32_t& c : index.file_characters) c = static_cast<char32_t>(in.Number());
  if (!in.ok()) return absl::DataLossError("the index of the picture cache is damaged");
  return index;
}

}  // namespace vlm::data
