// Where the coordinator is: flag, environment, or a file of named contexts. Wraps yaml-cpp.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace vlm::client {

// How to reach a coordinator. With `cacert` the connection is TLS; `cert` and `key` are ours.
struct Target {
  std::string addr;  // HOST:PORT or unix:PATH.
  std::string cacert;
  std::string cert;
  std::string key;
  std::string token_file;
  std::string source;  // For messages: "--addr", "VLMCTL_ADDR", "context NAME", "local".
};

// ~/.config/vlmctl/config.yaml:
//   current: lab
//   contexts:
//     lab: {addr: "gpu1:7747", cacert: ca.pem, cert: me.pem, key: me.key, token_file: token}
struct ContextFile {
  std::string path;
  std::string current;
  std::map<std::string, Target> contexts;
};

// $VLMCTL_CONFIG, else below $XDG_CONFIG_HOME or ~/.config.
std::string ContextPath();
// A missing file is an empty one. INVALID_ARGUMENT names file, line and key.
absl::StatusOr<ContextFile> LoadContexts(const std::string& path);
// Replaces the file in one step; readable by its owner only.
absl::Status SaveContexts(const ContextFile& contexts);

// Flag, then VLMCTL_ADDR, then the context (flag, VLMCTL_CONTEXT, the file's current one). The TLS
// variables VLMCTL_CACERT, VLMCTL_CERT, VLMCTL_KEY and VLMCTL_TOKEN_FILE beat the context's. An
// empty addr: nothing is configured. NOT_FOUND: a context of that name is not in the file.
absl::StatusOr<Target> ConfiguredTarget(const std::string& addr_flag,
                                        const std::string& context_flag);

}  // namespace vlm::client
