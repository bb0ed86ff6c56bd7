// Where the ranks of a gang meet: node 0 binds and listens before it answers the offer, so that the
// address it names is already served when the other nodes hear of it.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace vlm::agent {

// A bound, listening TCP socket. Owns the descriptor.
class ListenSocket {
 public:
  // On any port of `host` if that is loopback, otherwise of all interfaces (the address that peers
  // use may be a translated one). UNAVAILABLE with the reason.
  static absl::StatusOr<ListenSocket> Open(const std::string& host);
  ListenSocket(ListenSocket&& other) noexcept;
  ListenSocket& operator=(ListenSocket&& other) noexcept;
  ~ListenSocket();

  int fd() const { return fd_; }
  int port() const { return port_; }

 private:
  ListenSocket(int fd, int port) : fd_(fd), port_(port) {}
  int fd_;
  int port_;
};

// The address by which this machine reaches `coordinator` (HOST:PORT or unix:PATH): a good guess at
// how peers reach it. 127.0.0.1 for a Unix socket or where nothing can be found out.
std::string GuessAddress(const std::string& coordinator);

}  // namespace vlm::agent
