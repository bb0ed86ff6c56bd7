// Two ranks as two threads of the test.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <functional>
#include <thread>
#include <vector>

#include "worker/trainer/parallel/process_group.h"

namespace vlm::trainer::testing {

// A listening socket on a free port: what the agent of rank 0 hands over.
struct Rendezvous {
  Rendezvous() {
    fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(fd, 16), 0);
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
  }
  GroupOptions Options(int rank) const {
    GroupOptions options;
    options.rank = rank;
    options.world_size = 2;
    options.host = "127.0.0.1";
    options.port = port;
    if (rank == 0) options.listen_fd = fd;
    options.timeout = std::chrono::seconds(10);
    options.join_timeout = std::chrono::seconds(10);
    return options;
  }
  int fd = -1;
  int port = 0;
};

// Runs `body` as rank 0 and rank 1 at once.
inline void AsTwoRanks(const std::function<void(ProcessGroup*)>& body) {
  const Rendezvous rendezvous;
  std::vector<std::thread> ranks;
  for (int rank = 0; rank < 2; ++rank) {
    ranks.emplace_back([&, rank] {
      auto group = ProcessGroup::Create(rendezvous.Options(rank));
      ASSERT_TRUE(group.ok()) << group.status();
      body(group->get());
    });
  }
  for (std::thread& rank : ranks) rank.join();
}

}  // namespace vlm::trainer::testing
