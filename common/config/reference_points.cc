// Reference points of nsga3: given, or made up from the number of parts of an edge.
#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/config/reader.h"

namespace vlm::config {
namespace {

// Trials of a generation are compared with each reference point, along the line to it.
constexpr int kMostReferencePoints = 10'000;
constexpr double kFarthestPoint = 1e6;  // So that squares neither overflow nor vanish.

}  // namespace

// Points of as many coordinates as there are objectives, and not so many that a generation takes
// seconds to breed.
void Reader::CheckReferencePoints() {
  const v1::SamplerConfig& sampler = result_->spec.sampler();
  if (sampler.name() != "nsga3") return;
  const int objectives = std::max(1, result_->spec.directions_size());
  const std::string points_key = "study.sampler.reference_points";
  const std::string dividing_key = "study.sampler.dividing_parameter";
  if (sampler.reference_points().empty()) {
    double points = 1;  // Of d units over m axes: (m + d - 1)! / (d! (m - 1)!).
    const auto dividing = static_cast<double>(sampler.dividing_parameter());
    for (int i = 1; i < objectives; ++i) points *= (dividing + i) / i;
    if (std::round(points) <= kMostReferencePoints) return;
    return IssueAt(
        PlaceOf(dividing_key), dividing_key,
        absl::StrFormat("%d makes %.4g reference points of %d objectives",
                        sampler.dividing_parameter(), points, objectives),
        absl::StrCat("make it smaller, so that they are ", kMostReferencePoints, " at most"));
  }
  if (seen_.contains(dividing_key)) {
    IssueAt(PlaceOf(dividing_key), dividing_key, "is not used with reference_points",
            "remove one of the two");
  }
  for (int i = 0; i < sampler.reference_points_size(); ++i) {
    const int size = sampler.reference_points(i).coordinates_size();
    if (size == objectives || size == 0) continue;  // None: it has been found wrong already.
    IssueAt(PlaceOf(points_key), absl::StrCat(points_key, "[", i, "]"),
            absl::StrCat("has ", size, " coordinates, the study ", objectives,
                         objectives == 1 ? " objective" : " objectives"),
            "give one coordinate per objective");
  }
}

// A list of points; what is wrong with one is said of it.
void Reader::ReadReferencePoints(const YAML::Node& value) {
  constexpr char kExample[] = "such as reference_points: [[1, 0], [0.5, 0.5], [0, 1]]";
  const std::string key = "study.sampler.reference_points";
  auto& points = *result_->spec.mutable_sampler()->mutable_reference_points();
  points.Clear();
  if (value.IsNull()) return;
  if (!value.IsSequence() || value.size() == 0) {
    return Issue(value, key, "must be a list of points", kExample);
  }
  if (static_cast<int>(value.size()) > kMostReferencePoints) {
    return Issue(value, key, absl::StrCat("has ", value.size(), " points"),
                 absl::StrCat("give at most ", kMostReferencePoints));
  }
  for (const YAML::Node& item : value) {
    const std::string one = absl::StrCat(key, "[", points.size(), "]");
    v1::ReferencePoint& point = *points.Add();
    if (!item.IsSequence() || item.size() == 0) {
      Issue(item, one, "must be a list of numbers", kExample);
      continue;
    }
    double largest = 0;
    for (const YAML::Node& number : item) {
      double coordinate = 0;
      const std::string text = number.IsScalar() ? number.Scalar() : "";
      if (!absl::SimpleAtod(text, &coordinate) || !(std::abs(coordinate) <= kFarthestPoint)) {
        Issue(number, one,
              absl::StrCat("\"", text.substr(0, 80), "\" is no number of at most ", kFarthestPoint),
              kExample);
      }
      largest = std::max(largest, std::abs(coordinate));
      point.add_coordinates(coordinate);
    }
    if (largest < 1 / kFarthestPoint) {
      Issue(item, one, "is the origin, which has no direction",
            absl::StrCat("a coordinate must be ", 1 / kFarthestPoint, " or more"));
    }
  }
}

}  // namespace vlm::config
