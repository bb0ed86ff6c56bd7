#include "worker/trainer/parallel/process_group.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "torch/csrc/distributed/c10d/PrefixStore.hpp"
#include "torch/csrc/distributed/c10d/ProcessGroup.hpp"
#include "torch/csrc/distributed/c10d/ProcessGroupGloo.hpp"
#include "torch/csrc/distributed/c10d/TCPStore.hpp"
#include "worker/trainer/cuda/plugin.h"

namespace vlm::trainer {
namespace {

// The local address that reaches `host`: peers of the gang reach us there too. Gloo binds to it.
std::string AddressTowards(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), absl::StrCat(port).c_str(), &hints, &found) != 0) {
    return "127.0.0.1";
  }
  std::string address = "127.0.0.1";
  for (addrinfo* it = found; it != nullptr; it = it->ai_next) {
    // Connecting a datagram socket sends nothing; it only asks the routing table.
    const int fd = socket(it->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) continue;
    sockaddr_storage local{};
    socklen_t size = sizeof(local);
    char text[NI_MAXHOST] = {};
    const bool ok = connect(fd, it->ai_addr, it->ai_addrlen) == 0 &&
                    getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size) == 0 &&
                    getnameinfo(reinterpret_cast<sockaddr*>(&local), size, text, sizeof(text),
                                nullptr, 0, NI_NUMERICHOST) == 0;
    close(fd);
    if (ok) {
      address = text;
      break;
    }
  }
  freeaddrinfo(found);
  return address;
}

c10::intrusive_ptr<c10d::Store> OpenStore(const GroupOptions& options) {
  c10d::TCPStoreOptions store;
  store.port = static_cast<uint16_t>(options.port);
  store.isServer = options.rank == 0;
  store.numWorkers = static_cast<size_t>(options.world_size);
  store.timeout = options.join_timeout;
  if (options.rank == 0 && options.listen_fd.has_value()) store.masterListenFd = options.listen_fd;
  return c10::make_intrusive<c10d::TCPStore>(options.host, store);
}

c10::intrusive_ptr<c10d::Backend> OpenGloo(const GroupOptions& options,
                                           const c10::intrusive_ptr<c10d::Store>& store) {
  auto gloo = c10d::ProcessGroupGloo::Options::create(options.timeout);
  gloo->threads = 2;
  gloo->devices.push_back(
      c10d::ProcessGroupGloo::createDeviceForHostname(AddressTowards(options.host, options.port)));
  return c10::make_intrusive<c10d::ProcessGroupGloo>(store, options.rank, options.world_size, gloo);
}

}  // namespace

struct ProcessGroup::Parts {
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::Backend> backend;
  c10::intrusive_ptr<c10d::ProcessGroup> group;
};

absl::Status GroupError(const std::exception& error, const std::string& what) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  const std::string text =
      torch_error != nullptr ? torch_error->what_without_backtrace() : error.what();
  const std::string message = absl::StrCat(what, ": ", text.substr(0, text.find('\n')));
  if (absl::StrContains(text, "imed out") || absl::StrContains(text, "imeout")) {
    return absl::DeadlineExceededError(message);
  }
  return absl::UnavailableError(message);
}

absl::StatusOr<std::unique_ptr<ProcessGroup>> ProcessGroup::Create(const GroupOptions& options) {
  try {
    auto parts = std::make_unique<Parts>();
    parts->store = c10::make_intrusive<c10d::PrefixStore>("default_pg/", OpenStore(options));
    parts->group =
        c10::make_intrusive<c10d::ProcessGroup>(parts->store, options.rank, options.world_size);
    if (options.nccl) {
      absl::StatusOr<c10::intrusive_ptr<c10d::Backend>> nccl = CudaPlugin::Get().MakeNccl(
          parts->store, options.rank, options.world_size, options.device.index(), options.timeout);
      if (!nccl.ok()) return nccl.status();
      parts->backend = *nccl;
      parts->group->setBoundDeviceId(options.device);
      parts->group->setBackend(c10::DeviceType::CUDA, c10d::ProcessGroup::NCCL, parts->backend);
      parts->group->setDefaultBackend(c10d::ProcessGroup::NCCL);
    } else {
      parts->backend = OpenGloo(options, parts->store);
      parts->group->setBackend(c10::DeviceType::CPU, c10d::ProcessGroup::GLOO, parts->backend);
      parts->group->setDefaultBackend(c10d::ProcessGroup::GLOO);
    }
    parts->group->setGroupName("default_pg");
    return std::unique_ptr<ProcessGroup>(new ProcessGroup(options, std::move(parts)));
  } catch (const std::exception& error) {
    return GroupError(
        error, absl::StrCat("rank ", options.rank, " joining ", options.host, ":", options.port));
  }
}

ProcessGroup::ProcessGroup(GroupOptions options, std::unique_ptr<Parts> parts)
    : options_(std::move(options)), parts_(std::move(parts)) {}

// Backend, then group, then store: a backend that outlives its store may block peers.
ProcessGroup::~ProcessGroup() {
  try {
    parts_->backend->shutdown();
  } catch (const std::exception&) {
    // A peer is gone; there is nobody to say goodbye to.
  }
  parts_->group.reset();
  parts_->backend.reset();
  parts_->store.reset();
}

absl::Status ProcessGroup::AllReduceSum(torch::Tensor tensor) {
  try {
    std::vector<at::Tensor> tensors{std::move(tensor)};
    parts_->group->allreduce(tensors)->wait();
    return absl::OkStatus();
  } catch (const std::exception& error) {
    return GroupError(error, "all-reduce");
  }
}

absl::Status ProcessGroup::Broadcast(torch::Tensor tensor) {
  try {
    std::vector<at::Tensor> tensors{std::move(tensor)};
    parts_->group->broadcast(tensors)->wait();
    return absl::OkStatus();
  } catch (const std::exception& error) {
    return GroupError(error, "broadcast");
  }
}

absl::Status ProcessGroup::Barrier() {
  torch::Tensor one =
      torch::ones({1}, torch::TensorOptions().dtype(torch::kFloat32).device(options_.device));
  absl::Status status = AllReduceSum(one);
  return status;
}

c10::intrusive_ptr<c10d::ProcessGroup> ProcessGroup::handle() const { return parts_->group; }

}  // namespace vlm::trainer
