// What every command works with: the global flags, the connection, and where output goes.
// Not thread-safe, except that stubs are.
#pragma once

#include <memory>
#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/context.h"
#include "client/output/records.h"
#include "common/channel.h"
#include "common/status.h"
#include "vlm/v1/control.grpc.pb.h"
#include "vlm/v1/fleet.grpc.pb.h"

namespace vlm::client {

struct Globals {
  std::string addr;
  std::string context;
  std::string output = "table";
  std::string timeout;  // "30s", "5m", or seconds.
  bool no_color = false;
};

// Where a command writes; the descriptors tell whether that is a terminal (-1: it is none).
struct Streams {
  std::ostream& out;
  std::ostream& err;
  int out_fd = -1;
  int err_fd = -1;
};

// How long a change is tried again while the coordinator is away.
inline constexpr absl::Duration kRetryTime = absl::Seconds(5);

using ControlStub = v1::Control::StubInterface;

class Session {
 public:
  // INVALID_ARGUMENT: a flag that cannot be read.
  static absl::StatusOr<std::unique_ptr<Session>> Open(const Globals& globals,
                                                       const Streams& streams);

  Format format() const { return format_; }
  bool structured() const { return format_ != Format::kTable && format_ != Format::kWide; }
  // Until when the whole command may take; far away without --timeout.
  absl::Time deadline() const { return deadline_; }
  std::ostream& out() { return streams_.out; }
  std::ostream& err() { return streams_.err; }
  void Print(const Records& records) { streams_.out << Render(records, format_); }
  // A message for people, on stderr.
  void Note(absl::string_view message);
  // Whether a stream is a terminal that may be drawn on and coloured.
  const Streams& streams() const { return streams_; }
  bool OutIsTerminal() const;
  bool ErrIsTerminal() const;
  bool color() const { return color_; }

  // The coordinator that flags, environment or contexts name, else the local one if it is up.
  // UNAVAILABLE: neither.
  absl::StatusOr<Target> FindTarget();
  // Whether something was configured, so that no local coordinator may be started instead.
  absl::StatusOr<bool> Configured() const;
  // Connects lazily; both live as long as the session.
  absl::StatusOr<ControlStub*> Control();
  absl::StatusOr<v1::Fleet::StubInterface*> Fleet();
  // A context with the deadline of unary calls, or of streams (only --timeout bounds those).
  std::unique_ptr<grpc::ClientContext> UnaryContext() const;
  std::unique_ptr<grpc::ClientContext> StreamContext() const;
  // Waits until the coordinator answers a small question; false when the time ran out. Reconnecting
  // has to happen inside a call: between calls nobody drives the connection.
  bool WaitForCoordinator(absl::Duration time) const;
  // The same error, with what to do when nobody answers.
  absl::Status Explain(const grpc::Status& status) const;

  template <typename Request, typename Response>
  using Method = grpc::Status (ControlStub::*)(grpc::ClientContext*, const Request&, Response*);

  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(Method<Request, Response> method, const Request& request) {
    ASSIGN_OR_RETURN(ControlStub * stub, Control());
    Response response;
    const auto context = UnaryContext();
    const grpc::Status status = (stub->*method)(context.get(), request, &response);
    if (!status.ok()) return Explain(status);
    return response;
  }

  // For requests that carry a request_id: UNAVAILABLE is tried again with the same id, for a few
  // seconds, so that a restart of the coordinator goes by unnoticed. `raw` gets the last status.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Mutate(Method<Request, Response> method, const Request& request,
                                  grpc::Status* raw = nullptr) {
    ASSIGN_OR_RETURN(ControlStub * stub, Control());
    const absl::Time give_up = absl::Now() + kRetryTime;
    while (true) {
      Response response;
      const auto context = UnaryContext();
      const grpc::Status status = (stub->*method)(context.get(), request, &response);
      if (raw != nullptr) *raw = status;
      if (status.ok()) return response;
      if (status.error_code() != grpc::StatusCode::UNAVAILABLE ||
          !WaitForCoordinator(give_up - absl::Now())) {
        return Explain(status);
      }
    }
  }

 private:
  explicit Session(const Streams& streams) : streams_(streams) {}
  absl::Status Connect();

  Streams streams_;
  Globals globals_;
  Format format_ = Format::kTable;
  absl::Time deadline_ = absl::InfiniteFuture();
  bool color_ = false;
  Target target_;
  std::string token_;
  std::unique_ptr<ControlStub> control_;
  std::unique_ptr<v1::Fleet::StubInterface> fleet_;
};

// "30s", "5m", "1h30m", or a plain number of seconds. INVALID_ARGUMENT otherwise.
absl::StatusOr<absl::Duration> ParseDurationText(const std::string& text);

}  // namespace vlm::client
