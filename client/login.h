// Who the person is to this machine.
#pragma once

#include <string>

namespace vlm::client {

// The login name; where there is none, the number.
std::string LoginName();

}  // namespace vlm::client
