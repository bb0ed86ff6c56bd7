#include <cmath>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/search/sampler.h"

namespace vlm::search {

std::vector<double> ReadConstraints(
    const google::protobuf::Map<std::string, std::string>& system_attributes) {
  std::map<std::string, double> named;  // A number of either form; the second one wins.
  const auto add = [&named](const std::string& name, absl::string_view text) {
    double value = 0;
    if (absl::SimpleAtod(text, &value) && !std::isnan(value)) named[name] = value;
  };
  if (const auto it = system_attributes.find("constraints"); it != system_attributes.end()) {
    absl::string_view list = absl::StripAsciiWhitespace(it->second);
    if (absl::ConsumePrefix(&list, "[") && absl::ConsumeSuffix(&list, "]")) {
      int index = 0;
      for (absl::string_view text : absl::StrSplit(list, ',')) add(absl::StrCat(index++), text);
    }
  }
  for (const auto& [key, text] : system_attributes) {
    absl::string_view name = key;
    if (absl::ConsumePrefix(&name, "constraints:")) add(std::string(name), text);
  }
  std::vector<double> values;
  for (const auto& [name, value] : named) values.push_back(value);
  return values;
}

}  // namespace vlm::search
