// System attributes that carry numbers for pruners and samplers.
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/search/pruner.h"

namespace vlm::search {
namespace {

bool ParseAnyNumber(absl::string_view text, double* value) {
  text = absl::StripAsciiWhitespace(text);
  if (text == "NaN") return *value = NAN, true;
  if (text == "Infinity") return *value = INFINITY, true;
  if (text == "-Infinity") return *value = -INFINITY, true;
  return absl::SimpleAtod(text, value) && std::isfinite(*value);
}

// The rungs are read in sequence, so that a gap (another program's) ends them.
void ReadRungs(const google::protobuf::Map<std::string, std::string>& attributes,
               TrialView::Extras* extras) {
  extras->rungs.clear();
  double value = 0;
  for (int rung = 0;; ++rung) {
    const auto it = attributes.find(absl::StrCat(kRungPrefix, rung));
    if (it == attributes.end() || !ParseJsonNumber(it->second, &value)) return;
    extras->rungs.push_back(value);
  }
}

}  // namespace

std::string JsonNumber(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  std::string text = absl::StrFormat("%.15g", value);
  double back = 0;
  for (int digits = 16; !(absl::SimpleAtod(text, &back) && back == value) && digits <= 17;
       ++digits) {
    text = absl::StrFormat("%.*g", digits, value);
  }
  if (text.find_first_of(".e") == std::string::npos) text += ".0";  // A float stays one.
  return text;
}

bool ParseJsonNumber(const std::string& text, double* value) {
  return ParseAnyNumber(text, value) && !std::isnan(*value);
}

std::string JsonNumbers(const std::vector<double>& values) {
  return absl::StrCat(
      "[", absl::StrJoin(values, ", ", [](std::string* out, double v) { *out += JsonNumber(v); }),
      "]");
}

bool ParseJsonNumbers(const std::string& text, std::vector<double>* values) {
  absl::string_view inside = absl::StripAsciiWhitespace(text);
  if (!absl::ConsumePrefix(&inside, "[") || !absl::ConsumeSuffix(&inside, "]")) return false;
  values->clear();
  if (absl::StripAsciiWhitespace(inside).empty()) return true;
  for (absl::string_view part : absl::StrSplit(inside, ',')) {
    if (!ParseAnyNumber(part, &values->emplace_back())) return false;
  }
  return true;
}

void ReadAttributes(const google::protobuf::Map<std::string, std::string>& attributes,
                    TrialView* view) {
  if (attributes.empty()) return;
  TrialView::Extras extras = view->extras();
  ReadRungs(attributes, &extras);
  double number = 0;
  for (const auto& [key, text] : attributes) {
    int64_t step = 0;
    if (key == kResource) {
      if (ParseJsonNumber(text, &number)) extras.pruner_resource = static_cast<int64_t>(number);
    } else if (absl::StartsWith(key, kVectorPrefix) &&
               absl::SimpleAtoi(key.substr(sizeof(kVectorPrefix) - 1), &step)) {
      std::vector<double> vector;
      if (ParseJsonNumbers(text, &vector)) extras.intermediate_vectors[step] = std::move(vector);
    }
  }
  const bool any =
      !extras.rungs.empty() || !extras.intermediate_vectors.empty() || extras.pruner_resource != 0;
  if (any || !view->rungs().empty()) view->mutable_extras() = std::move(extras);
}

}  // namespace vlm::search
