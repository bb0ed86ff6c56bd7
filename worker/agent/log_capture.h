// What a trainer writes to stdout and stderr: cut into lines with time stamps, kept for the next
// report, written to a file beside it, and bounded in line length, rate and memory. A trainer that
// floods loses lines (counted, and said so), never the agent its memory.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "vlm/v1/study.pb.h"

namespace vlm::agent {

struct LogLimits {
  size_t line_bytes = 16 << 10;
  size_t pending_bytes = 1 << 20;       // Waiting for a report.
  double burst_bytes = 1 << 20;         // Token bucket of what is forwarded at all ...
  double bytes_per_second = 256 << 10;  // ... and its refill.
  int64_t file_bytes = 64 << 20;
  size_t tail_lines = 20;  // Last lines of stderr kept to explain a failure.
};

// Invalid bytes become U+FFFD, control characters except tab become spaces: protobuf strings must
// be UTF-8, and terminals must not obey a log.
std::string CleanText(absl::string_view bytes);

// Thread-safe.
class LogCapture {
 public:
  LogCapture(LogLimits limits, const Clock& clock);
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  // Bytes as they came. True: a whole line is waiting.
  bool Add(bool is_stderr, absl::string_view bytes);
  // The ends of the streams: a last line without a line break counts too.
  void Finish();
  // From now on lines belong to `rank` and go to the file at `path` as well, those that wait first.
  void Attach(int rank, const std::string& path);
  // Takes lines that wait, up to about `max_bytes` of text.
  std::vector<v1::LogLine> Take(size_t max_bytes = 256 << 10);
  bool HasLines() const;
  // The last lines of stderr, joined by line breaks; of stdout if stderr was silent.
  std::string Tail() const;

 private:
  struct Stream {
    std::string partial;
    int64_t cut = 0;  // Bytes beyond line_bytes of the line being read.
    std::deque<std::string> tail;
  };
  void EndLine(Stream& stream, const char* name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Push(v1::LogLine line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PushDropMark() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteFile(const v1::LogLine& line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const LogLimits limits_;
  const Clock& clock_;
  mutable Mutex mutex_;
  Stream streams_[2] ABSL_GUARDED_BY(mutex_);
  std::deque<v1::LogLine> lines_ ABSL_GUARDED_BY(mutex_);
  size_t pending_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t dropped_ ABSL_GUARDED_BY(mutex_) = 0;
  double tokens_ ABSL_GUARDED_BY(mutex_);
  absl::Duration refilled_ ABSL_GUARDED_BY(mutex_);
  int rank_ ABSL_GUARDED_BY(mutex_) = 0;
  int file_ ABSL_GUARDED_BY(mutex_) = -1;
  std::string path_ ABSL_GUARDED_BY(mutex_);
  int64_t file_left_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace vlm::agent
