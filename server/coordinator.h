// Owns the coordinator's parts: start, drain, stop.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace vlm::server {

struct CoordinatorOptions {
  std::string data_dir;
  std::vector<std::string> listen;       // HOST:PORT or unix:PATH.
  std::string http;                      // HOST:PORT; empty = no HTTP port.
  std::optional<int> keep_deleted_days;  // How long a deleted study can be restored; 7.
  bool insecure = false;                 // Allows plaintext on addresses that are not loopback.
};

class Coordinator {
 public:
  // FAILED_PRECONDITION: another coordinator holds the data directory, or a plaintext address is
  // off this machine without `insecure`. UNAVAILABLE: an address cannot be bound. Errors of the
  // study file as Store::Open.
  static absl::StatusOr<std::unique_ptr<Coordinator>> Start(const CoordinatorOptions& options);
  // Drains: streams end with UNAVAILABLE, calls finish, everything queued is committed. Training
  // goes on at the workers.
  ~Coordinator();

  // The addresses with their real ports.
  const std::vector<std::string>& addresses() const;
  std::string http_address() const;

 private:
  Coordinator();
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace vlm::server
