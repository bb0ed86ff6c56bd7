// The cache file of a data set: uint8 pictures that can be mapped, and an index that says what they
// are and what they were made of.
//
//   0     header, 64 bytes: magic, bytes per picture, offset/size/checksum of the index, own
//   checksum 4096  pictures, each planar [3, img, img], without gaps
//   ...   index (CacheIndex), to the end of the file
//
// Little endian. Written once, then never changed; the header is written last.
// MappedCache is immutable, therefore thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "worker/trainer/data/files.h"

namespace vlm::data {

struct CacheRow {
  uint64_t slot = 0;      // Which picture of the file.
  uint64_t checksum = 0;  // Of the picture.
  int64_t number = 0;     // Row of the input, from 1, and the line it begins in.
  int64_t line = 0;
  std::string caption;
};

struct CacheIndex {
  std::string key;                      // What the file was made for; see picture_store.cc.
  std::string input_file;               // Where the rows came from.
  std::vector<FileIdentity> made_of;    // Every input file as it was.
  std::vector<CacheRow> rows;           // Good rows, in file order.
  std::vector<std::string> complaints;  // Of bad rows, the first ones.
  uint64_t bad_rows = 0;
  bool file_is_text = true;  // `file_characters` are known.
  std::vector<char32_t> file_characters;
};

std::string SerializeIndex(const CacheIndex& index);
// DATA_LOSS: cut or damaged.
absl::StatusOr<CacheIndex> ParseIndex(absl::string_view bytes);

inline constexpr int64_t kPicturesOffset = 4096;

class MappedCache {
 public:
  // Completes a file whose pictures are already at kPicturesOffset. RESOURCE_EXHAUSTED: disk full.
  static absl::Status Finish(int fd, const std::string& path, int64_t picture_bytes, uint64_t slots,
                             const CacheIndex& index);
  // Maps the file and checks header and index, and the pictures too if they are small in sum (see
  // checked()). DATA_LOSS: damaged, or of another version.
  static absl::StatusOr<std::unique_ptr<MappedCache>> Map(int fd, const std::string& path);
  ~MappedCache();
  MappedCache(const MappedCache&) = delete;
  MappedCache& operator=(const MappedCache&) = delete;

  const CacheIndex& index() const { return index_; }
  absl::Span<const uint8_t> Picture(size_t row) const;
  absl::Status CheckPicture(size_t row) const;  // DATA_LOSS.
  bool checked() const { return checked_; }     // All pictures were compared by Map.
  int64_t picture_bytes() const { return picture_bytes_; }

 private:
  MappedCache() = default;
  absl::Status ReadHeader();
  absl::Status CheckAll();

  std::string path_;
  const char* data_ = nullptr;
  size_t size_ = 0;
  int64_t picture_bytes_ = 0;
  CacheIndex index_;
  bool checked_ = false;
};

}  // namespace vlm::data
