// The HTTP port: /healthz and /metrics (Prometheus text). Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "vlm/v1/control.pb.h"

namespace vlm::server {

class HttpServer {
 public:
  // Binds `address`: HOST:PORT, port 0 allowed. UNAVAILABLE: it cannot be bound.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Bind(const std::string& address);
  // Answers from now on; `status` is asked at each scrape. Once.
  void Serve(std::function<absl::StatusOr<v1::GetStatusResponse>()> status);
  ~HttpServer();
  const std::string& address() const;  // With the real port.

 private:
  HttpServer();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Splits HOST:PORT, also [::1]:PORT. INVALID_ARGUMENT.
absl::StatusOr<std::pair<std::string, int>> SplitAddress(const std::string& address);

}  // namespace vlm::server
