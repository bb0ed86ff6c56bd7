#include "client/prompt.h"

#include <unistd.h>

#include <iostream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace vlm::client {

absl::Status Confirm(Session& session, bool yes, const std::string& question) {
  if (yes) return absl::OkStatus();
  if (isatty(STDIN_FILENO) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(question, " There is no terminal to ask on; add --yes to do it."));
  }
  session.Note(absl::StrCat(question, " [y/N]"));
  std::string answer;
  std::getline(std::cin, answer);
  answer = absl::AsciiStrToLower(absl::StripAsciiWhitespace(answer));
  if (answer == "y" || answer == "yes") return absl::OkStatus();
  return absl::CancelledError("nothing was changed");
}

}  // namespace vlm::client
