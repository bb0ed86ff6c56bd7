// SHA-256 through OpenSSL: checkpoints, configurations. Not thread-safe per object.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace vlm {

// Hex, lower case, 64 characters.
std::string Sha256(absl::string_view data);
// NOT_FOUND, PERMISSION_DENIED or DATA_LOSS (read error) with the path in the message.
absl::StatusOr<std::string> Sha256File(const std::string& path);

// For data that comes in pieces.
class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  void Update(absl::string_view data);
  std::string Finish();  // Once.

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vlm
