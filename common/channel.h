// gRPC settings that both ends must share: keepalive, sizes, deadlines, credentials, error mapping.
// Keepalive has to agree on both sides or the server answers GOAWAY "too many pings".
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grpcpp/grpcpp.h"

namespace vlm {

inline constexpr int kMaxMessageBytes = 64 << 20;
inline constexpr absl::Duration kKeepaliveTime = absl::Seconds(60);
inline constexpr absl::Duration kKeepaliveTimeout = absl::Seconds(20);
// One table of deadlines; streams have none.
inline constexpr absl::Duration kUnaryDeadline = absl::Seconds(20);
inline constexpr absl::Duration kProbeDeadline = absl::Seconds(2);

// `address` is HOST:PORT or unix:PATH; plaintext without credentials.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address,
                                           const std::shared_ptr<grpc::ChannelCredentials>&
                                               credentials = grpc::InsecureChannelCredentials());
// The same keepalive and size settings for a server, plus a bound on its threads.
void ConfigureServer(grpc::ServerBuilder& builder, int max_threads);

// Absl and gRPC codes have equal numbers; messages travel along.
absl::Status FromGrpc(const grpc::Status& status);
grpc::Status ToGrpc(const absl::Status& status);

// A context with the deadline already set, so that it cannot be forgotten.
std::unique_ptr<grpc::ClientContext> MakeContext(absl::Duration deadline = kUnaryDeadline);

}  // namespace vlm
