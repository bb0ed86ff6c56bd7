#include "worker/agent/log_capture.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace vlm::agent {
namespace {

// Length of the UTF-8 character at the start of `s`, 0 if it is not one (RFC 3629: no surrogates,
// no overlong forms, at most U+10FFFF).
size_t CharacterLength(absl::string_view s) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || s.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  if (first == 0xE0 && byte(1) < 0xA0) return 0;
  if (first == 0xED && byte(1) > 0x9F) return 0;
  if (first == 0xF0 && byte(1) < 0x90) return 0;
  if (first == 0xF4 && byte(1) > 0x8F) return 0;
  return length;
}

}  // namespace

std::string CleanText(absl::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const size_t length = CharacterLength(bytes);
    if (length == 0) {
      text += "\xEF\xBF\xBD";
      bytes.remove_prefix(1);
      continue;
    }
    const auto first = static_cast<unsigned char>(bytes[0]);
    const bool control = length == 1 && (first < 0x20 || first == 0x7F) && first != '\t';
    absl::StrAppend(&text, control ? " " : bytes.substr(0, length));
    bytes.remove_prefix(length);
  }
  return text;
}

LogCapture::LogCapture(LogLimits limits, const Clock& clock)
    : limits_(limits), clock_(clock), tokens_(limits.burst_bytes), refilled_(clock.Monotonic()) {}

LogCapture::~LogCapture() {
  if (file_ >= 0) close(file_);
}

bool LogCapture::Add(bool is_stderr, absl::string_view bytes) {
  MutexLock lock(mutex_);
  Stream& stream = streams_[is_stderr ? 1 : 0];
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    const absl::string_view piece = bytes.substr(0, end);
    const size_t room = limits_.line_bytes - std::min(limits_.line_bytes, stream.partial.size());
    absl::StrAppend(&stream.partial, piece.substr(0, room));
    if (piece.size() > room) stream.cut += static_cast<int64_t>(piece.size() - room);
    if (end == absl::string_view::npos) break;
    EndLine(stream, is_stderr ? "stderr" : "stdout");
    bytes.remove_prefix(end + 1);
  }
  return !lines_.empty();
}

void LogCapture::Finish() {
  MutexLock lock(mutex_);
  for (int i = 0; i < 2; ++i) {
    if (!streams_[i].partial.empty()) EndLine(streams_[i], i == 1 ? "stderr" : "stdout");
  }
  PushDropMark();
}

void LogCapture::EndLine(Stream& stream, const char* name) {
  absl::string_view text = stream.partial;
  if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
  v1::LogLine line;
  line.set_time_ms(absl::ToUnixMillis(clock_.Wall()));
  line.set_rank(rank_);
  line.set_stream(name);
  line.set_text(CleanText(text));
  if (stream.cut > 0) absl::StrAppend(line.mutable_text(), " ... (", stream.cut, " bytes cut)");
  stream.partial.clear();
  stream.cut = 0;
  stream.tail.push_back(line.text());
  if (stream.tail.size() > limits_.tail_lines) stream.tail.pop_front();
  WriteFile(line);
  const absl::Duration now = clock_.Monotonic();
  tokens_ = std::min(limits_.burst_bytes,
                     tokens_ + absl::ToDoubleSeconds(now - refilled_) * limits_.bytes_per_second);
  refilled_ = now;
  const auto size = static_cast<double>(line.text().size() + 1);
  if (tokens_ < size || pending_bytes_ + line.text().size() > limits_.pending_bytes) {
    ++dropped_;
    return;
  }
  tokens_ -= size;
  PushDropMark();
  Push(std::move(line));
}

void LogCapture::Push(v1::LogLine line) {
  pending_bytes_ += line.text().size() + 1;
  lines_.push_back(std::move(line));
}

void LogCapture::PushDropMark() {
  if (dropped_ == 0) return;
  v1::LogLine mark;
  mark.set_time_ms(absl::ToUnixMillis(clock_.Wall()));
  mark.set_rank(rank_);
  mark.set_stream("agent");
  mark.set_text(absl::StrCat("... ", dropped_, " lines dropped: more output than is forwarded",
                             path_.empty() ? "" : "; all of it is on the worker in ", path_));
  dropped_ = 0;
  Push(std::move(mark));
}

void LogCapture::Attach(int rank, const std::string& path) {
  MutexLock lock(mutex_);
  rank_ = rank;
  path_ = path;
  file_ = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  file_left_ = limits_.file_bytes;
  for (v1::LogLine& line : lines_) {
    line.set_rank(rank);
    WriteFile(line);
  }
}

void LogCapture::WriteFile(const v1::LogLine& line) {
  if (file_ < 0) return;
  std::string text =
      absl::StrCat(absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ ", absl::FromUnixMillis(line.time_ms()),
                                    absl::UTCTimeZone()),
                   line.stream(), " ", line.text(), "\n");
  file_left_ -= static_cast<int64_t>(text.size());
  if (file_left_ < 0) text = absl::StrCat("... file limit of ", limits_.file_bytes, " bytes\n");
  // A full disk costs lines of this file only; the report still carries them.
  const bool written = write(file_, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (!written || file_left_ < 0) {
    close(file_);
    file_ = -1;
  }
}

std::vector<v1::LogLine> LogCapture::Take(size_t max_bytes) {
  MutexLock lock(mutex_);
  std::vector<v1::LogLine> taken;
  size_t bytes = 0;
  while (!lines_.empty() && bytes < max_bytes) {
    bytes += lines_.front().text().size() + 1;
    taken.push_back(std::move(lines_.front()));
    lines_.pop_front();
  }
  pending_bytes_ -= bytes;
  return taken;
}

bool LogCapture::HasLines() const {
  MutexLock lock(mutex_);
  return !lines_.empty();
}

std::string LogCapture::Tail() const {
  MutexLock lock(mutex_);
  return absl::StrJoin(streams_[1].tail.empty() ? streams_[0].tail : streams_[1].tail, "\n");
}

}  // namespace vlm::agent
