// Compressed blocks of serialized messages: metric points and log lines are many.
#pragma once

#include <string>

#include "google/protobuf/message_lite.h"

namespace vlm::storage {

// zlib (level 1) behind a little-endian uint32 of the raw size.
std::string Pack(const google::protobuf::MessageLite& message);
// Throws std::runtime_error on damage; callers run inside Guard.
void Unpack(const std::string& block, google::protobuf::MessageLite* message);

}  // namespace vlm::storage
