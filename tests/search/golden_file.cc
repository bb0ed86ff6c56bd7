#include "tests/search/golden_file.h"

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace vlm::search {

int64_t GoldenCase::Int(const std::string& key) const {
  const auto it = options.find(key);
  return it == options.end() ? 0 : std::stoll(it->second);
}

std::string GoldenCase::Title() const {
  std::string title = sampler;
  for (const auto& [key, value] : options) absl::StrAppend(&title, " ", key, "=", value);
  return title;
}

std::vector<GoldenCase> ReadGolden() {
  std::ifstream in(std::string(std::getenv("VLM_SOURCE_DIR")) + "/tests/search/golden.txt");
  std::vector<GoldenCase> cases;
  std::string line;
  while (std::getline(in, line)) {
    std::istringstream words(line);
    std::string kind;
    std::string word;
    words >> kind >> word;
    if (kind == "case") {
      GoldenCase& next = cases.emplace_back();
      next.sampler = word;
      while (words >> word) {
        const size_t equals = word.find('=');
        next.options[word.substr(0, equals)] = word.substr(equals + 1);
      }
    } else if (kind == "row") {
      std::vector<double>& row = cases.back().rows[std::stoul(word)];
      while (words >> word) row.push_back(std::strtod(word.c_str(), nullptr));
    } else {
      words >> word;
      for (size_t i = 0; i < word.size(); i += 4) {
        cases.back().sums.push_back(
            static_cast<uint32_t>(std::stoul(word.substr(i, 4), nullptr, 16)));
      }
    }
  }
  return cases;
}

uint32_t GoldenChecksum(const std::vector<double>& values) {
  uint64_t state = 0xcbf29ce484222325;
  for (double value : values) {
    unsigned char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    for (unsigned char byte : bytes) state = (state ^ byte) * 0x100000001b3;
  }
  return (state ^ state >> 16 ^ state >> 32 ^ state >> 48) & 0xffff;
}

v1::SearchParam FloatParam(const std::string& name, double low, double high, bool log,
                           double step) {
  v1::SearchParam param;
  param.set_name(name);
  auto* range = param.mutable_distribution()->mutable_float_distribution();
  range->set_low(low);
  range->set_high(high);
  range->set_log(log);
  if (step > 0) range->set_step(step);
  return param;
}

v1::SearchParam IntParam(const std::string& name, int64_t low, int64_t high, bool log,
                         int64_t step) {
  v1::SearchParam param;
  param.set_name(name);
  auto* range = param.mutable_distribution()->mutable_int_distribution();
  range->set_low(low);
  range->set_high(high);
  range->set_log(log);
  range->set_step(step);
  return param;
}

v1::SearchParam ChoiceParam(const std::string& name, int choices) {
  v1::SearchParam param;
  param.set_name(name);
  auto* range = param.mutable_distribution()->mutable_categorical_distribution();
  for (int i = 0; i < choices; ++i) range->add_choices()->set_int_value(i);
  return param;
}

Space GoldenSpace(const std::string& name) {
  if (name == "default") {
    return {FloatParam("learning_rate", 1e-3, 6e-3, true), ChoiceParam("batch_size", 4),
            ChoiceParam("n_embd", 3)};
  }
  if (name == "mixed") {
    return {FloatParam("learning_rate", 1e-5, 1e-1, true), FloatParam("dropout", 0, 0.5, false),
            FloatParam("momentum", 0, 1, false, 0.125), ChoiceParam("schedule", 2),
            IntParam("layers", 1, 100000, true)};
  }
  if (name == "ints") {
    return {IntParam("width", 8, 512, true),  IntParam("batch", 16, 256, false, 16),
            IntParam("layers", 1, 12, false), IntParam("fixed", 7, 7, false),
            ChoiceParam("optimizer", 9),      FloatParam("drop", 0, 0.5, false, 0.05)};
  }
  if (name == "floats") {
    return {FloatParam("x", -3, 5, false), FloatParam("y", 0, 1, false),
            FloatParam("z", 1e-5, 1e-1, true)};
  }
  if (name == "small") {
    return {IntParam("layers", 1, 4, false), FloatParam("drop", 0, 0.3, false, 0.1),
            ChoiceParam("kind", 3)};
  }
  if (name == "tree") {
    return {ChoiceParam("choice", 3), FloatParam("rate", 0, 1, false), FloatParam("a", 1, 10, true),
            IntParam("b", 0, 20, false), FloatParam("c", -1, 1, false)};
  }
  Space wide;
  for (int i = 0; i < 19; ++i) {
    wide.push_back(FloatParam(absl::StrFormat("x%02d", i), -1, 2.0 + i, false));
  }
  return wide;
}

std::vector<std::string> TreeBranch(int choice) {
  if (choice == 0) return {"a", "b"};
  if (choice == 1) return {"c"};
  return {};
}

}  // namespace vlm::search
