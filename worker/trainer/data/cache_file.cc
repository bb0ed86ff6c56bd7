#include "worker/trainer/data/cache_file.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "worker/trainer/data/checksum.h"

namespace vlm::data {
namespace {

// Up to this much is checked when mapped: at 5 GB/s that is 50 ms. More is checked as it is used.
constexpr uint64_t kCheckAllBytes = uint64_t{256} << 20;
constexpr char kMagic[8] = {'V', 'L', 'M', 'P', 'I', 'X', '0', '1'};

struct Header {
  char magic[8];
  uint64_t picture_bytes;
  uint64_t slots;
  uint64_t index_offset;
  uint64_t index_size;
  uint64_t index_checksum;
  uint64_t reserved;
  uint64_t checksum;  // Of the bytes before.
};
static_assert(sizeof(Header) == 64);

absl::string_view AsBytes(const Header& header) {
  return {reinterpret_cast<const char*>(&header), sizeof(header)};
}

uint64_t HeaderChecksum(const Header& header) {
  return Checksum(AsBytes(header).substr(0, offsetof(Header, checksum)));
}

absl::Status Damaged(const std::string& path, absl::string_view what) {
  return absl::DataLossError(absl::StrCat("picture cache ", path, " is damaged: ", what));
}

}  // namespace

absl::Status MappedCache::Finish(int fd, const std::string& path, int64_t picture_bytes,
                                 uint64_t slots, const CacheIndex& index) {
  const std::string bytes = SerializeIndex(index);
  Header header{};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.picture_bytes = static_cast<uint64_t>(picture_bytes);
  header.slots = slots;
  header.index_offset = static_cast<uint64_t>(kPicturesOffset) + slots * header.picture_bytes;
  header.index_size = bytes.size();
  header.index_checksum = Checksum(bytes);
  header.checksum = HeaderChecksum(header);
  RETURN_IF_ERROR(WriteAt(fd, bytes, static_cast<int64_t>(header.index_offset), path));
  return WriteAt(fd, AsBytes(header), 0, path);
}

absl::StatusOr<std::unique_ptr<MappedCache>> MappedCache::Map(int fd, const std::string& path) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot use ", path));
  std::unique_ptr<MappedCache> cache(new MappedCache);
  cache->path_ = path;
  cache->size_ = static_cast<size_t>(info.st_size);
  if (cache->size_ < static_cast<size_t>(kPicturesOffset)) return Damaged(path, "it is too short");
  // MAP_POPULATE: one call instead of a page fault for every 16 pages.
  const int populate = cache->size_ <= kCheckAllBytes ? MAP_POPULATE : 0;
  void* data = ::mmap(nullptr, cache->size_, PROT_READ, MAP_SHARED | populate, fd, 0);
  if (data == MAP_FAILED) return absl::ErrnoToStatus(errno, absl::StrCat("cannot map ", path));
  cache->data_ = static_cast<const char*>(data);
  RETURN_IF_ERROR(cache->ReadHeader());
  RETURN_IF_ERROR(cache->CheckAll());
  return cache;
}

MappedCache::~MappedCache() {
  if (data_ != nullptr) ::munmap(const_cast<char*>(data_), size_);
}

absl::Status MappedCache::ReadHeader() {
  Header header;
  std::memcpy(&header, data_, sizeof(header));
  if (std::memcmp(header.magic, kMagic, sizeof(kMagic)) != 0 ||
      header.checksum != HeaderChecksum(header)) {
    return Damaged(path_, "its header is wrong");
  }
  if (header.index_offset > size_ || header.index_size != size_ - header.index_offset) {
    return Damaged(path_, "it was cut");
  }
  const absl::string_view bytes(data_ + header.index_offset, header.index_size);
  if (Checksum(bytes) != header.index_checksum) return Damaged(path_, "its index is wrong");
  ASSIGN_OR_RETURN(index_, ParseIndex(bytes));
  picture_bytes_ = static_cast<int64_t>(header.picture_bytes);
  for (const CacheRow& row : index_.rows) {
    if (row.slot >= header.slots) return Damaged(path_, "a row has no picture");
  }
  return absl::OkStatus();
}

absl::Status MappedCache::CheckAll() {
  if (size_ > kCheckAllBytes) return absl::OkStatus();
  for (size_t i = 0; i < index_.rows.size(); ++i) RETURN_IF_ERROR(CheckPicture(i));
  checked_ = true;
  return absl::OkStatus();
}

absl::Span<const uint8_t> MappedCache::Picture(size_t row) const {
  const uint64_t size = static_cast<uint64_t>(picture_bytes_);
  const char* at = data_ + kPicturesOffset + index_.rows[row].slot * size;
  return {reinterpret_cast<const uint8_t*>(at), size};
}

absl::Status MappedCache::CheckPicture(size_t row) const {
  const absl::Span<const uint8_t> picture = Picture(row);
  const absl::string_view bytes(reinterpret_cast<const char*>(picture.data()), picture.size());
  if (Checksum(bytes) == index_.rows[row].checksum) return absl::OkStatus();
  return Damaged(path_, absl::StrCat("the picture of row ", index_.rows[row].number));
}

}  // namespace vlm::data
