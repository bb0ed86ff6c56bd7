#include "client/login.h"

#include <pwd.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

namespace vlm::client {

std::string LoginName() {
  const passwd* entry = getpwuid(getuid());
  return entry == nullptr ? absl::StrCat(getuid()) : entry->pw_name;
}

}  // namespace vlm::client
