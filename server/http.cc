#include "server/http.h"

#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/status.h"
#include "httplib.h"
#include "prometheus/gauge.h"
#include "prometheus/registry.h"
#include "prometheus/text_serializer.h"

namespace vlm::server {
namespace {

std::string MetricsText(const v1::GetStatusResponse& status) {
  prometheus::Registry registry;
  const auto gauge = [&](const char* name, const char* help, double value) {
    prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({}).Set(value);
  };
  gauge("vlm_studies", "Studies in the file", static_cast<double>(status.studies()));
  gauge("vlm_studies_active", "Studies that grant trials",
        static_cast<double>(status.active_studies()));
  gauge("vlm_workers_attached", "Workers with a live stream", status.workers());
  gauge("vlm_slots", "Slots of the attached workers", status.slots());
  gauge("vlm_slots_free", "Slots that no attempt holds", status.free_slots());
  gauge("vlm_database_bytes", "Size of the study file and its log",
        static_cast<double>(status.database_bytes()));
  gauge("process_resident_memory_bytes", "Resident memory",
        static_cast<double>(status.rss_bytes()));
  gauge("process_start_time_seconds", "Start, seconds since 1970",
        static_cast<double>(status.start_time().seconds()));
  return prometheus::TextSerializer().Serialize(registry.Collect());
}

}  // namespace

absl::StatusOr<std::pair<std::string, int>> SplitAddress(const std::string& address) {
  const size_t colon = address.rfind(':');
  int port = 0;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 0 || port > 65535) {
    return absl::InvalidArgumentError(absl::StrCat("\"", address, "\" is not HOST:PORT"));
  }
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  return std::make_pair(host, port);
}

struct HttpServer::Impl {
  httplib::Server server;
  std::string address;
  std::thread thread;
};

HttpServer::HttpServer() : impl_(std::make_unique<Impl>()) {}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Bind(const std::string& address) {
  ASSIGN_OR_RETURN(const auto split, SplitAddress(address));
  std::unique_ptr<HttpServer> out(new HttpServer);
  Impl& impl = *out->impl_;
  impl.server.new_task_queue = [] { return new httplib::ThreadPool(2); };
  int port = split.second;
  if (port == 0) {
    port = impl.server.bind_to_any_port(split.first.c_str());
  } else if (!impl.server.bind_to_port(split.first.c_str(), port)) {
    port = -1;
  }
  if (port < 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", address, " for HTTP; is it in use?"));
  }
  const bool ipv6 = split.first.find(':') != std::string::npos;
  impl.address = absl::StrCat(ipv6 ? "[" : "", split.first, ipv6 ? "]:" : ":", port);
  return out;
}

void HttpServer::Serve(std::function<absl::StatusOr<v1::GetStatusResponse>()> status) {
  impl_->server.Get("/healthz", [](const httplib::Request&, httplib::Response& response) {
    response.set_content("ok\n", "text/plain");
  });
  impl_->server.Get("/metrics", [status](const httplib::Request&, httplib::Response& response) {
    const auto now = status();
    if (!now.ok()) {
      response.status = 503;
      response.set_content(absl::StrCat(std::string(now.status().message()), "\n"), "text/plain");
      return;
    }
    response.set_content(MetricsText(*now), "text/plain; version=0.0.4");
  });
  impl_->thread = std::thread([this] { impl_->server.listen_after_bind(); });
  // stop() before the listener runs would be lost.
  while (!impl_->server.is_running()) absl::SleepFor(absl::Milliseconds(1));
}

HttpServer::~HttpServer() {
  if (!impl_->thread.joinable()) return;
  impl_->server.stop();
  impl_->thread.join();
}

const std::string& HttpServer::address() const { return impl_->address; }

}  // namespace vlm::server
