#include "server/coordinator.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/channel.h"
#include "common/log.h"
#include "common/status.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/health_check_service_interface.h"
#include "server/http.h"
#include "server/rpc/control_service.h"
#include "server/rpc/fleet_service.h"
#include "server/rpc/optuna_service.h"

#ifndef VLM_VERSION
#define VLM_VERSION "0.1.0"
#endif

namespace vlm::server {
namespace {

constexpr int kKeepDeletedDays = 7;

constexpr int kServerThreads = 64;
constexpr int kPreloadedEvents = 1'000;
// For calls under way. A client that does not look at its idle connection uses all of it up.
constexpr absl::Duration kDrainTime = absl::Seconds(2);

bool IsLocal(const std::string& host) {
  return host == "localhost" || host == "::1" || absl::StartsWith(host, "127.");
}

// One coordinator per data directory: the lock goes with the process, however it ends.
absl::StatusOr<int> LockDirectory(const std::string& dir) {
  std::error_code error;
  const bool made = std::filesystem::create_directories(dir, error);
  if (made && chmod(dir.c_str(), 0700) != 0) error.assign(errno, std::generic_category());
  if (error) {
    return absl::PermissionDeniedError(
        absl::StrCat("cannot make the data directory ", dir, ": ", error.message()));
  }
  const std::string path = absl::StrCat(dir, "/coordinator.lock");
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) {
    return absl::PermissionDeniedError(absl::StrCat(path, ": ", std::strerror(errno)));
  }
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    close(fd);
    return absl::FailedPreconditionError(
        absl::StrCat("another coordinator uses ", dir, "; end it or name another --data"));
  }
  return fd;
}

}  // namespace

struct Coordinator::Parts {
  int lock_fd = -1;
  std::unique_ptr<storage::Store> store;
  std::unique_ptr<rpc::CheckpointFiles> files;
  std::unique_ptr<rpc::Hub> hub;
  std::unique_ptr<Engine> engine;
  std::unique_ptr<TaskThread> reader;
  std::unique_ptr<HttpServer> http;
  std::unique_ptr<rpc::ControlService> control;
  std::unique_ptr<rpc::FleetService> fleet;
  std::unique_ptr<rpc::OptunaService> optuna;
  std::unique_ptr<grpc::Server> server;
  std::vector<std::string> addresses;

  absl::Status OpenStore(const CoordinatorOptions& options);
  absl::Status Serve(const CoordinatorOptions& options);
};

Coordinator::Coordinator() : parts_(std::make_unique<Parts>()) {}

absl::Status Coordinator::Parts::OpenStore(const CoordinatorOptions& options) {
  ASSIGN_OR_RETURN(lock_fd, LockDirectory(options.data_dir));
  ASSIGN_OR_RETURN(store, storage::Store::Open(absl::StrCat(options.data_dir, "/study.db")));
  ASSIGN_OR_RETURN(core::Snapshot snapshot, store->Load());
  ASSIGN_OR_RETURN(auto opened, rpc::CheckpointFiles::Open(options.data_dir));
  files = std::make_unique<rpc::CheckpointFiles>(std::move(opened));
  hub = std::make_unique<rpc::Hub>([this](const std::string& id) { files->Remove(id); });
  ASSIGN_OR_RETURN(auto events, store->ReadEvents(kPreloadedEvents));
  hub->Preload(std::move(events));
  core::CoreOptions core_options;
  core_options.version = VLM_VERSION;
  core_options.data_dir = options.data_dir;
  core_options.deleted_kept =
      absl::Hours(24) * options.keep_deleted_days.value_or(kKeepDeletedDays);
  core_options.time_zone = absl::LocalTimeZone();
  VLM_LOG_INFO("study file is open", {{"studies", snapshot.studies.size()},
                                      {"trials", snapshot.trials.size()},
                                      {"data", options.data_dir}});
  engine = std::make_unique<Engine>(store.get(), std::move(snapshot), core_options, hub.get(),
                                    RealClock());
  reader = std::make_unique<TaskThread>("reader");
  return absl::OkStatus();
}

absl::Status Coordinator::Parts::Serve(const CoordinatorOptions& options) {
  if (!options.http.empty()) {
    ASSIGN_OR_RETURN(http, HttpServer::Bind(options.http));
  }
  rpc::ControlParts control_parts{
      engine.get(),    hub.get(), store.get(), reader.get(), http ? http->address() : "",
      options.data_dir};
  control = std::make_unique<rpc::ControlService>(control_parts);
  fleet = std::make_unique<rpc::FleetService>(engine.get(), hub.get(), files.get());
  optuna = std::make_unique<rpc::OptunaService>(engine.get());
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  ConfigureServer(builder, kServerThreads);
  // Without this a second coordinator on the same port would silently share its calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  std::vector<int> ports(options.listen.size(), 0);
  for (size_t i = 0; i < options.listen.size(); ++i) {
    const std::string& address = options.listen[i];
    if (absl::StartsWith(address, "unix:")) {
      builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &ports[i]);
      continue;
    }
    ASSIGN_OR_RETURN(const auto split, SplitAddress(address));
    if (!IsLocal(split.first) && !options.insecure) {
      return absl::FailedPreconditionError(absl::StrCat(
          "listening on ", address,
          " would serve everyone who reaches it without authentication; "
          "use 127.0.0.1 or a unix: socket, or say --insecure if the network is trusted"));
    }
    builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &ports[i]);
  }
  builder.RegisterService(control.get());
  builder.RegisterService(fleet.get());
  builder.RegisterService(optuna.get());
  server = builder.BuildAndStart();
  for (size_t i = 0; i < options.listen.size(); ++i) {
    const std::string& address = options.listen[i];
    if (server == nullptr || ports[i] == 0) {
      return absl::UnavailableError(
          absl::StrCat("cannot listen on ", address, "; is it in use, or not of this machine?"));
    }
    if (absl::StartsWith(address, "unix:")) {
      chmod(address.substr(5).c_str(), 0600);
      addresses.push_back(address);
    } else {
      addresses.push_back(absl::StrCat(address.substr(0, address.rfind(':')), ":", ports[i]));
    }
  }
  if (http != nullptr) http->Serve([this] { return control->Status(); });
  server->GetHealthCheckService()->SetServingStatus("vlm.v1.Control", true);
  server->GetHealthCheckService()->SetServingStatus("vlm.v1.Fleet", true);
  server->GetHealthCheckService()->SetServingStatus("optuna.StorageService", true);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Coordinator>> Coordinator::Start(const CoordinatorOptions& options) {
  std::unique_ptr<Coordinator> out(new Coordinator);
  RETURN_IF_ERROR(out->parts_->OpenStore(options));
  RETURN_IF_ERROR(out->parts_->Serve(options));
  return out;
}

Coordinator::~Coordinator() {
  Parts& p = *parts_;
  p.http.reset();
  if (p.server != nullptr) {
    p.server->GetHealthCheckService()->SetServingStatus(false);
    p.hub->CloseAll(absl::UnavailableError("the coordinator is shutting down; try again later"));
    p.server->Shutdown(absl::ToChronoTime(absl::Now() + kDrainTime));
    p.server->Wait();
    p.server.reset();
  }
  p.reader.reset();
  p.engine.reset();
  p.store.reset();
  if (p.lock_fd >= 0) close(p.lock_fd);
}

const std::vector<std::string>& Coordinator::addresses() const { return parts_->addresses; }
std::string Coordinator::http_address() const {
  return parts_->http ? parts_->http->address() : "";
}

}  // namespace vlm::server
