// Length-prefixed protobuf messages over a Unix stream socket (proto/vlm/v1/trainer.proto).
// A frame: uint32 little endian length (at most kMaxFrameBytes), then that many bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/message_lite.h"

namespace vlm {

inline constexpr size_t kMaxFrameBytes = 64u << 20;

// Blocking. Owns the descriptor. One reader thread and one writer thread may use it at once;
// several writers must lock.
class FrameSocket {
 public:
  explicit FrameSocket(int fd) : fd_(fd) {}
  ~FrameSocket();
  FrameSocket(const FrameSocket&) = delete;
  FrameSocket& operator=(const FrameSocket&) = delete;

  // Sends one frame, with a descriptor along if given (SCM_RIGHTS; the caller keeps its copy).
  // UNAVAILABLE: the peer closed. INVALID_ARGUMENT: larger than kMaxFrameBytes.
  absl::Status Send(const google::protobuf::MessageLite& message,
                    std::optional<int> descriptor = std::nullopt);
  // Receives one frame. OUT_OF_RANGE: the peer closed between frames (a clean end). DATA_LOSS:
  // closed inside a frame, a length over the limit, or bytes that are no such message. A descriptor
  // that came along is stored in `descriptor` (the caller owns it), or closed if that is null.
  absl::Status Receive(google::protobuf::MessageLite& message,
                       std::optional<int>* descriptor = nullptr);
  // Wakes a blocked Receive, which then returns OUT_OF_RANGE.
  void Shutdown();
  int fd() const { return fd_; }

 private:
  int fd_;
};

}  // namespace vlm
