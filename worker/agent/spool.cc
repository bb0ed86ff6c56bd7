#include "worker/agent/spool.h"

#include <endian.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/status.h"

namespace vlm::agent {
namespace {

constexpr size_t kHeadBytes = 8;
constexpr uint32_t kLongestRecord = 64u << 20;
constexpr int64_t kCompactBytes = 1 << 20;  // Acknowledged bytes that are worth a rewrite.

uint32_t Checksum(const std::string& payload) {
  return static_cast<uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(payload.data()), static_cast<uInt>(payload.size())));
}

std::string Record(const std::string& payload) {
  const uint32_t head[2] = {htole32(static_cast<uint32_t>(payload.size())),
                            htole32(Checksum(payload))};
  std::string record(reinterpret_cast<const char*>(head), kHeadBytes);
  return record + payload;
}

bool ReadAt(int fd, int64_t offset, char* data, size_t size) {
  return pread(fd, data, size, offset) == static_cast<ssize_t>(size);
}

// Reads the record at `offset`; says in `damage` why it is not one. At the very end both are empty.
std::optional<std::string> ReadRecord(int fd, int64_t offset, int64_t file_size,
                                      std::string* damage) {
  if (offset == file_size) return std::nullopt;
  uint32_t head[2];
  if (!ReadAt(fd, offset, reinterpret_cast<char*>(head), kHeadBytes)) {
    *damage = absl::StrCat("a torn record at byte ", offset);
    return std::nullopt;
  }
  const uint32_t size = le32toh(head[0]);
  if (size > kLongestRecord || offset + static_cast<int64_t>(kHeadBytes + size) > file_size) {
    *damage = absl::StrCat("a torn record at byte ", offset);
    return std::nullopt;
  }
  std::string payload(size, '\0');
  if (!ReadAt(fd, offset + static_cast<int64_t>(kHeadBytes), payload.data(), size) ||
      Checksum(payload) != le32toh(head[1])) {
    *damage = absl::StrCat("a record with a wrong checksum at byte ", offset);
    return std::nullopt;
  }
  return payload;
}

absl::Status FromErrno(const std::string& path) {
  const auto code = errno == ENOSPC || errno == EDQUOT || errno == EFBIG
                        ? absl::StatusCode::kResourceExhausted
                        : absl::StatusCode::kInternal;
  return absl::Status(code, absl::StrCat(path, ": ", std::strerror(errno)));
}

}  // namespace

Spool::Spool(std::string path, int fd, v1::HeldLease lease, int64_t max_bytes)
    : path_(std::move(path)), max_bytes_(max_bytes), fd_(fd), lease_(std::move(lease)) {}

Spool::~Spool() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<std::unique_ptr<Spool>> Spool::Create(const std::string& path,
                                                     const v1::HeldLease& lease,
                                                     int64_t max_bytes) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (fd < 0) return FromErrno(path);
  std::unique_ptr<Spool> spool(new Spool(path, fd, lease, max_bytes));
  MutexLock lock(spool->mutex_);
  spool->acked_ = spool->last_sequence_ = lease.last_acked_sequence();
  if (absl::Status written = spool->WriteRecord(lease.SerializeAsString()); !written.ok()) {
    unlink(path.c_str());
    return written;
  }
  return spool;
}

absl::StatusOr<std::unique_ptr<Spool>> Spool::Recover(const std::string& path, int64_t max_bytes) {
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return FromErrno(path);
  struct stat info {};
  fstat(fd, &info);
  std::string damage;
  const auto first = ReadRecord(fd, 0, info.st_size, &damage);
  v1::HeldLease lease;
  if (!first.has_value() || !lease.ParseFromString(*first) || lease.attempt_id() == 0) {
    close(fd);
    return absl::DataLossError(absl::StrCat(path, " has no whole first record (",
                                            damage.empty() ? "empty or of another kind" : damage,
                                            "); what it held is lost"));
  }
  std::unique_ptr<Spool> spool(new Spool(path, fd, lease, max_bytes));
  spool->Load();
  return spool;
}

void Spool::Load() {
  MutexLock lock(mutex_);
  struct stat info {};
  fstat(fd_, &info);
  acked_ = last_sequence_ = lease_.last_acked_sequence();
  end_ = static_cast<int64_t>(kHeadBytes + lease_.ByteSizeLong());
  while (auto payload = ReadRecord(fd_, end_, info.st_size, &damage_)) {
    v1::Report report;
    if (!report.ParseFromString(*payload) ||
        (report.sequence() != 0 && report.sequence() != last_sequence_ + 1)) {
      damage_ = absl::StrCat("a record that is no next batch at byte ", end_);
      break;
    }
    const int64_t offset = end_ + static_cast<int64_t>(kHeadBytes);
    end_ = offset + static_cast<int64_t>(payload->size());
    TakeRecord(std::move(report), offset, static_cast<uint32_t>(payload->size()));
  }
  if (!damage_.empty()) {
    damage_ = absl::StrCat(path_, ": ", damage_, "; ", info.st_size - end_,
                           " bytes after it are left out");
    if (ftruncate(fd_, end_) != 0) damage_ += ", and cannot be cut off";
  }
}

void Spool::TakeRecord(v1::Report report, int64_t offset, uint32_t size) {
  if (report.sequence() == 0) {
    notes_.push_back(std::move(report));
    return;
  }
  last_sequence_ = report.sequence();
  has_outcome_ = has_outcome_ || report.has_outcome();
  entries_.push_back({last_sequence_, offset, size, std::nullopt});
}

absl::Status Spool::WriteRecord(const std::string& payload) {
  const std::string record = Record(payload);
  size_t done = 0;
  while (done < record.size()) {
    const ssize_t wrote =
        pwrite(fd_, record.data() + done, record.size() - done, end_ + static_cast<int64_t>(done));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      const absl::Status status = FromErrno(path_);
      (void)!ftruncate(fd_, end_);  // Half a record must not stay.
      return status;
    }
    done += static_cast<size_t>(wrote);
  }
  end_ += static_cast<int64_t>(record.size());
  dirty_ = true;
  return absl::OkStatus();
}

absl::StatusOr<int64_t> Spool::Append(v1::Report report, bool must) {
  MutexLock lock(mutex_);
  report.set_sequence(last_sequence_ + 1);
  const bool outcome = report.has_outcome();
  std::string payload = report.SerializeAsString();
  absl::Status written = !must && end_ - acked_bytes_ > max_bytes_
                             ? absl::ResourceExhaustedError(absl::StrCat(
                                   path_, " has reached its bound of ", max_bytes_, " bytes"))
                             : WriteRecord(payload);
  if (!written.ok() && !must) return written;
  Entry entry{report.sequence(), end_ - static_cast<int64_t>(payload.size()),
              static_cast<uint32_t>(payload.size()), std::nullopt};
  if (!written.ok()) {
    VLM_LOG_WARNING("a batch is kept in memory only", {{"error", written.message()}});
    entry.kept = std::move(payload);
  }
  entries_.push_back(std::move(entry));
  has_outcome_ = has_outcome_ || outcome;
  return ++last_sequence_;
}

absl::Status Spool::AppendNote(v1::Report note) {
  MutexLock lock(mutex_);
  note.set_sequence(0);
  RETURN_IF_ERROR(WriteRecord(note.SerializeAsString()));
  notes_.push_back(std::move(note));
  return absl::OkStatus();
}

absl::Status Spool::Sync() {
  MutexLock lock(mutex_);
  if (!dirty_ || fd_ < 0) return absl::OkStatus();
  if (fdatasync(fd_) != 0) return FromErrno(path_);
  dirty_ = false;
  return absl::OkStatus();
}

absl::StatusOr<std::optional<v1::Report>> Spool::ReadAfter(int64_t sequence) const {
  MutexLock lock(mutex_);
  const auto it = std::find_if(entries_.begin(), entries_.end(), [sequence](const Entry& entry) {
    return entry.sequence > sequence;
  });
  if (it == entries_.end()) return std::nullopt;
  v1::Report report;
  if (it->kept.has_value()) {
    report.ParseFromString(*it->kept);
    return report;
  }
  std::string damage;
  const auto payload =
      ReadRecord(fd_, it->offset - static_cast<int64_t>(kHeadBytes), end_, &damage);
  if (!payload.has_value() || !report.ParseFromString(*payload)) {
    return absl::DataLossError(absl::StrCat(path_, ": batch ", it->sequence, ": ", damage));
  }
  return report;
}

void Spool::Acknowledge(int64_t sequence) {
  MutexLock lock(mutex_);
  acked_ = std::max(acked_, std::min(sequence, last_sequence_));
  while (!entries_.empty() && entries_.front().sequence <= acked_) {
    acked_bytes_ += static_cast<int64_t>(kHeadBytes) + entries_.front().size;
    entries_.pop_front();
  }
  if (acked_bytes_ < kCompactBytes || acked_bytes_ < end_ / 2) return;
  if (absl::Status status = Compact(); !status.ok()) {
    VLM_LOG_WARNING("cannot shorten a spool file", {{"error", status.message()}});
  }
}

// Writes what is still needed into a new file and puts it in the old one's place.
absl::Status Spool::Compact() {
  const std::string aside = path_ + ".new";
  v1::HeldLease lease = lease_;
  lease.set_last_acked_sequence(acked_);
  ASSIGN_OR_RETURN(std::unique_ptr<Spool> fresh, Create(aside, lease, max_bytes_));
  MutexLock lock(fresh->mutex_);
  for (const v1::Report& note : notes_) {
    RETURN_IF_ERROR(fresh->WriteRecord(note.SerializeAsString()));
  }
  std::deque<Entry> moved;
  for (const Entry& entry : entries_) {
    std::string payload(entry.size, '\0');
    if (entry.kept.has_value()) {
      payload = *entry.kept;
    } else if (!ReadAt(fd_, entry.offset, payload.data(), payload.size())) {
      return absl::DataLossError(absl::StrCat(path_, ": batch ", entry.sequence));
    }
    RETURN_IF_ERROR(fresh->WriteRecord(payload));
    moved.push_back({entry.sequence, fresh->end_ - static_cast<int64_t>(payload.size()), entry.size,
                     std::nullopt});
  }
  if (fdatasync(fresh->fd_) != 0 || rename(aside.c_str(), path_.c_str()) != 0) {
    return FromErrno(aside);
  }
  std::swap(fd_, fresh->fd_);
  end_ = fresh->end_;
  acked_bytes_ = 0;
  dirty_ = false;
  entries_ = std::move(moved);
  return absl::OkStatus();
}

void Spool::Remove() {
  MutexLock lock(mutex_);
  unlink(path_.c_str());
}

bool Spool::Full() const {
  MutexLock lock(mutex_);
  return end_ - acked_bytes_ > max_bytes_;
}

int64_t Spool::last_sequence() const {
  MutexLock lock(mutex_);
  return last_sequence_;
}

int64_t Spool::acked_sequence() const {
  MutexLock lock(mutex_);
  return acked_;
}

bool Spool::HasOutcome() const {
  MutexLock lock(mutex_);
  return has_outcome_;
}

std::vector<v1::Report> Spool::notes() const {
  MutexLock lock(mutex_);
  return notes_;
}

}  // namespace vlm::agent
