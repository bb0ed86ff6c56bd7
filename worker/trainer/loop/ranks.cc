#include "worker/trainer/loop/ranks.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status.h"

namespace vlm::trainer {
namespace {

constexpr char kVariable[] = "VLM_STANDALONE_RANK";  // rank:world_size:port:listen_fd

struct Rendezvous {
  int fd = -1;
  int port = 0;
};

absl::StatusOr<Rendezvous> Listen() {
  Rendezvous result;
  result.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (result.fd < 0 || bind(result.fd, generic, size) != 0 || listen(result.fd, SOMAXCONN) != 0 ||
      getsockname(result.fd, generic, &size) != 0) {
    return absl::UnavailableError(
        absl::StrCat("rendezvous socket on 127.0.0.1: ", std::strerror(errno)));
  }
  result.port = ntohs(address.sin_port);
  return result;
}

// This process's own arguments, null-terminated as exec wants them.
std::vector<std::string> OwnArguments() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  std::string all = text.str();
  if (!all.empty() && all.back() == '\0') all.pop_back();
  return absl::StrSplit(all, '\0');
}

[[noreturn]] void BecomeRank(const RankPlace& place, const std::vector<std::string>& arguments) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int fd = place.rank == 0 ? *place.listen_fd : -1;
  if (fd >= 0) fcntl(fd, F_SETFD, 0);  // Rank 0 inherits it.
  const std::string value =
      absl::StrCat(place.rank, ":", place.world_size, ":", place.port, ":", fd);
  setenv(kVariable, value.c_str(), 1);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  signal(SIGINT, SIG_DFL);
  execv("/proc/self/exe", argv.data());
  std::fprintf(stderr, "vlm-trainer: cannot start a rank: %s\n", std::strerror(errno));
  _exit(1);
}

int ExitCodeOf(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 1; }

}  // namespace

std::optional<RankPlace> RankFromEnvironment() {
  const char* text = std::getenv(kVariable);
  if (text == nullptr) return std::nullopt;
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  RankPlace place;
  int fd = -1;
  if (parts.size() != 4 || !absl::SimpleAtoi(parts[0], &place.rank) ||
      !absl::SimpleAtoi(parts[1], &place.world_size) || !absl::SimpleAtoi(parts[2], &place.port) ||
      !absl::SimpleAtoi(parts[3], &fd)) {
    return std::nullopt;
  }
  if (fd >= 0) place.listen_fd = fd;
  return place;
}

absl::StatusOr<int> RunRanks(int world_size) {
  ASSIGN_OR_RETURN(const Rendezvous rendezvous, Listen());
  const std::vector<std::string> arguments = OwnArguments();
  signal(SIGINT, SIG_IGN);  // The terminal tells the ranks; they end, then this process does.
  std::vector<pid_t> ranks;
  for (int rank = 0; rank < world_size; ++rank) {
    const pid_t pid = fork();
    if (pid == 0) BecomeRank({rank, world_size, rendezvous.port, rendezvous.fd}, arguments);
    if (pid < 0) {
      for (const pid_t started : ranks) kill(started, SIGKILL);
      return absl::ResourceExhaustedError(absl::StrCat("fork: ", std::strerror(errno)));
    }
    ranks.push_back(pid);
  }
  close(rendezvous.fd);
  int code = 0;
  for (size_t left = ranks.size(); left > 0; --left) {
    int status = 0;
    pid_t ended = -1;
    while ((ended = waitpid(-1, &status, 0)) < 0 && errno == EINTR) {
    }
    if (ended < 0) break;
    if (code == 0) code = ExitCodeOf(status);
  }
  return code;
}

}  // namespace vlm::trainer
