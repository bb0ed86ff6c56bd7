#include "client/session.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/local/local.h"
#include "client/local/paths.h"

namespace vlm::client {
namespace {

constexpr absl::Duration kProbePause = absl::Milliseconds(100);

absl::StatusOr<std::string> ReadAll(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) return absl::InvalidArgumentError(absl::StrCat("cannot read ", path));
  return text.str();
}

bool StaysOnThisMachine(const std::string& addr) {
  return absl::StartsWith(addr, "unix:") || absl::StartsWith(addr, "127.") ||
         absl::StartsWith(addr, "localhost:") || absl::StartsWith(addr, "[::1]:");
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> Dial(const Target& target) {
  if (target.cacert.empty()) {
    if (!target.token_file.empty() && !StaysOnThisMachine(target.addr)) {
      return absl::InvalidArgumentError(
          absl::StrCat("the token of ", target.token_file, " would travel to ", target.addr,
                       " in the clear; set VLMCTL_CACERT, or cacert in the context, to use TLS"));
    }
    return MakeChannel(target.addr);
  }
  grpc::SslCredentialsOptions tls;
  ASSIGN_OR_RETURN(tls.pem_root_certs, ReadAll(target.cacert));
  if (!target.cert.empty()) {
    ASSIGN_OR_RETURN(tls.pem_cert_chain, ReadAll(target.cert));
  }
  if (!target.key.empty()) {
    ASSIGN_OR_RETURN(tls.pem_private_key, ReadAll(target.key));
  }
  return MakeChannel(target.addr, grpc::SslCredentials(tls));
}

bool ColorWanted(const Globals& globals) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return !globals.no_color && (no_color == nullptr || *no_color == '\0') && term != nullptr &&
         absl::string_view(term) != "dumb";
}

bool CanDraw(int fd) {
  const char* term = std::getenv("TERM");
  return fd >= 0 && isatty(fd) == 1 && term != nullptr && absl::string_view(term) != "dumb";
}

}  // namespace

absl::StatusOr<absl::Duration> ParseDurationText(const std::string& text) {
  double seconds = 0;
  absl::Duration duration;
  if (absl::SimpleAtod(text, &seconds)) {
    duration = absl::Seconds(seconds);
  } else if (!absl::ParseDuration(text, &duration)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is no duration; write 30s, 5m, 1h30m or seconds"));
  }
  if (duration <= absl::ZeroDuration() || duration == absl::InfiniteDuration()) {
    return absl::InvalidArgumentError(absl::StrCat("the duration ", text, " is not above 0"));
  }
  return duration;
}

absl::StatusOr<std::unique_ptr<Session>> Session::Open(const Globals& globals,
                                                       const Streams& streams) {
  std::unique_ptr<Session> session(new Session(streams));
  session->globals_ = globals;
  ASSIGN_OR_RETURN(session->format_, ParseFormat(globals.output));
  if (!globals.timeout.empty()) {
    auto timeout = ParseDurationText(globals.timeout);
    if (!timeout.ok()) return Annotate(timeout.status(), "--timeout");
    session->deadline_ = absl::Now() + *timeout;
  }
  session->color_ = ColorWanted(globals);
  return session;
}

void Session::Note(absl::string_view message) {
  streams_.err << "vlmctl: " << Sanitize(message) << "\n" << std::flush;
}

bool Session::OutIsTerminal() const { return CanDraw(streams_.out_fd); }
bool Session::ErrIsTerminal() const { return CanDraw(streams_.err_fd); }

absl::StatusOr<bool> Session::Configured() const {
  ASSIGN_OR_RETURN(const Target target, ConfiguredTarget(globals_.addr, globals_.context));
  return !target.addr.empty();
}

absl::StatusOr<Target> Session::FindTarget() {
  if (!target_.addr.empty()) return target_;
  ASSIGN_OR_RETURN(Target target, ConfiguredTarget(globals_.addr, globals_.context));
  if (target.addr.empty()) {
    ASSIGN_OR_RETURN(const LocalPaths paths, FindLocalPaths());
    if (!CoordinatorAnswers(paths)) {
      return absl::UnavailableError("no coordinator: run `vlmctl up` or pass --addr HOST:PORT");
    }
    target.addr = paths.address();
    target.source = "local";
  }
  target_ = target;
  return target_;
}

absl::Status Session::Connect() {
  if (control_ != nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Target target, FindTarget());
  if (!target.token_file.empty()) {
    ASSIGN_OR_RETURN(token_, ReadAll(target.token_file));
    token_ = std::string(absl::StripAsciiWhitespace(token_));
  }
  ASSIGN_OR_RETURN(const auto channel, Dial(target));
  control_ = v1::Control::NewStub(channel);
  fleet_ = v1::Fleet::NewStub(channel);
  return absl::OkStatus();
}

absl::StatusOr<ControlStub*> Session::Control() {
  RETURN_IF_ERROR(Connect());
  return control_.get();
}

absl::StatusOr<v1::Fleet::StubInterface*> Session::Fleet() {
  RETURN_IF_ERROR(Connect());
  return fleet_.get();
}

std::unique_ptr<grpc::ClientContext> Session::UnaryContext() const {
  auto context =
      MakeContext(deadline_ == absl::InfiniteFuture() ? kUnaryDeadline : deadline_ - absl::Now());
  if (!token_.empty()) context->AddMetadata("authorization", absl::StrCat("Bearer ", token_));
  return context;
}

std::unique_ptr<grpc::ClientContext> Session::StreamContext() const {
  auto context = std::make_unique<grpc::ClientContext>();
  if (deadline_ != absl::InfiniteFuture()) context->set_deadline(absl::ToChronoTime(deadline_));
  if (!token_.empty()) context->AddMetadata("authorization", absl::StrCat("Bearer ", token_));
  return context;
}

absl::Status Session::Explain(const grpc::Status& status) const {
  const absl::Status error = FromGrpc(status);
  if (error.code() == absl::StatusCode::kUnavailable) {
    return absl::UnavailableError(absl::StrCat("no coordinator answers at ", target_.addr, " (",
                                               target_.source, "): ", error.message()));
  }
  if (error.code() == absl::StatusCode::kDeadlineExceeded) {
    return absl::DeadlineExceededError(absl::StrCat("the coordinator at ", target_.addr,
                                                    " did not answer in time: ", error.message()));
  }
  return error;
}

bool Session::WaitForCoordinator(absl::Duration time) const {
  const absl::Time end = std::min(deadline_, absl::Now() + time);
  while (absl::Now() < end) {
    const auto context = MakeContext(end - absl::Now());
    context->set_wait_for_ready(true);
    v1::GetStatusResponse response;
    if (control_->GetStatus(context.get(), {}, &response).ok()) return true;
    absl::SleepFor(std::min(kProbePause, end - absl::Now()));  // It is draining, say.
  }
  return false;
}

}  // namespace vlm::client
