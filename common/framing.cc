#include "common/framing.h"

#include <endian.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace vlm {
namespace {

// `descriptor` may be null.
absl::Status SendAll(int fd, const char* data, size_t size, const int* descriptor) {
  while (size > 0) {
    iovec piece{const_cast<char*>(data), size};
    msghdr header{};
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    if (descriptor != nullptr) {
      header.msg_control = control;
      header.msg_controllen = sizeof(control);
      cmsghdr* message = CMSG_FIRSTHDR(&header);
      message->cmsg_level = SOL_SOCKET;
      message->cmsg_type = SCM_RIGHTS;
      message->cmsg_len = CMSG_LEN(sizeof(int));
      std::memcpy(CMSG_DATA(message), descriptor, sizeof(int));
    }
    const ssize_t sent = sendmsg(fd, &header, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      return absl::UnavailableError(absl::StrCat("send to peer: ", std::strerror(errno)));
    }
    descriptor = nullptr;  // It travelled with the first byte.
    data += sent;
    size -= static_cast<size_t>(sent);
  }
  return absl::OkStatus();
}

// Reads exactly `size` bytes. OUT_OF_RANGE: the peer closed before the first byte.
absl::Status ReceiveAll(int fd, char* data, size_t size, std::optional<int>* descriptor) {
  size_t done = 0;
  while (done < size) {
    iovec piece{data + done, size - done};
    msghdr header{};
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    header.msg_control = control;
    header.msg_controllen = sizeof(control);
    const ssize_t got = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno != ECONNRESET) {
      return absl::UnavailableError(absl::StrCat("receive from peer: ", std::strerror(errno)));
    }
    if (got <= 0) {
      if (done == 0) return absl::OutOfRangeError("peer closed the connection");
      return absl::DataLossError("peer closed the connection inside a frame");
    }
    for (cmsghdr* m = CMSG_FIRSTHDR(&header); m != nullptr; m = CMSG_NXTHDR(&header, m)) {
      if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_RIGHTS) continue;
      int received = -1;
      std::memcpy(&received, CMSG_DATA(m), sizeof(int));
      if (descriptor != nullptr && !descriptor->has_value()) {
        *descriptor = received;
      } else {
        close(received);
      }
    }
    done += static_cast<size_t>(got);
  }
  return absl::OkStatus();
}

}  // namespace

FrameSocket::~FrameSocket() { close(fd_); }

absl::Status FrameSocket::Send(const google::protobuf::MessageLite& message,
                               std::optional<int> descriptor) {
  const size_t size = message.ByteSizeLong();
  if (size > kMaxFrameBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("frame of ", size, " bytes is over the limit of ", kMaxFrameBytes));
  }
  std::string frame(sizeof(uint32_t), '\0');
  const uint32_t length = htole32(static_cast<uint32_t>(size));
  std::memcpy(frame.data(), &length, sizeof(length));
  if (!message.AppendToString(&frame)) return absl::InvalidArgumentError("message is incomplete");
  return SendAll(fd_, frame.data(), frame.size(),
                 descriptor.has_value() ? &descriptor.value() : nullptr);
}

absl::Status FrameSocket::Receive(google::protobuf::MessageLite& message,
                                  std::optional<int>* descriptor) {
  uint32_t length = 0;
  RETURN_IF_ERROR(ReceiveAll(fd_, reinterpret_cast<char*>(&length), sizeof(length), descriptor));
  length = le32toh(length);
  if (length > kMaxFrameBytes) {
    return absl::DataLossError(absl::StrCat("frame length ", length, " is over the limit"));
  }
  std::string bytes(length, '\0');
  if (length > 0) {
    absl::Status read = ReceiveAll(fd_, bytes.data(), length, descriptor);
    if (absl::IsOutOfRange(read)) return absl::DataLossError("peer closed inside a frame");
    RETURN_IF_ERROR(read);
  }
  if (!message.ParseFromString(bytes)) {
    return absl::DataLossError(
        absl::StrCat("frame of ", length, " bytes is no ", message.GetTypeName()));
  }
  return absl::OkStatus();
}

void FrameSocket::Shutdown() { shutdown(fd_, SHUT_RDWR); }

}  // namespace vlm
