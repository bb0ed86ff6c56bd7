// Small things that the tests of the data part share.
#pragma once

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "tests/support/temp_dir.h"

namespace vlm::data::testing {

using vlm::testing::TempDir;

inline std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

// A committed file below tests/data/.
inline std::string TestFile(absl::string_view name) {
  return std::string(std::getenv("VLM_SOURCE_DIR")) + "/tests/data/" + std::string(name);
}

inline std::string Base64(absl::string_view bytes) {
  std::string text;
  absl::Base64Escape(bytes, &text);
  return text;
}

}  // namespace vlm::data::testing
