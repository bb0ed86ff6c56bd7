#include "server/search/finite_range.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace vlm::search {
namespace {

constexpr size_t kMaxValues = 10'000'000;

// Shortest decimal of a double: mantissa * 10^exponent.
struct Decimal {
  long long mantissa = 0;
  int exponent = 0;
};

Decimal ShortestDecimal(double value) {
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific);
  Decimal out;
  const bool negative = text[0] == '-';
  bool fraction = false;
  const char* p = text + (negative ? 1 : 0);
  for (; p != end.ptr && *p != 'e'; ++p) {
    if (*p == '.') {
      fraction = true;
      continue;
    }
    out.mantissa = out.mantissa * 10 + (*p - '0');
    out.exponent -= fraction ? 1 : 0;
  }
  out.exponent += std::atoi(std::string(p + 1, static_cast<const char*>(end.ptr)).c_str());
  if (negative) out.mantissa = -out.mantissa;
  return out;
}

double ToDouble(__int128 mantissa, int exponent) {
  std::string digits;
  const bool negative = mantissa < 0;
  if (negative) mantissa = -mantissa;
  do {
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(mantissa % 10)));
    mantissa /= 10;
  } while (mantissa > 0);
  return std::strtod(absl::StrCat(negative ? "-" : "", digits, "e", exponent).c_str(), nullptr);
}

std::vector<double> SteppedFloats(double low, double high, double step) {
  const Decimal first = ShortestDecimal(low);
  const Decimal last = ShortestDecimal(high);
  const Decimal by = ShortestDecimal(step);
  const int exponent = std::min({first.exponent, last.exponent, by.exponent});
  const auto scale = [exponent](const Decimal& d) {
    __int128 mantissa = d.mantissa;
    for (int e = d.exponent; e > exponent; --e) mantissa *= 10;
    return mantissa;
  };
  std::vector<double> values;
  const bool exact = std::max({first.exponent, last.exponent, by.exponent}) - exponent < 18;
  if (!exact) {  // Ends so far apart that decimals do not fit; binary arithmetic then.
    for (size_t i = 0; values.size() < kMaxValues; ++i) {
      const double value = low + static_cast<double>(i) * step;
      if (value > high) break;
      values.push_back(value);
    }
    return values;
  }
  for (__int128 m = scale(first); m <= scale(last) && values.size() < kMaxValues; m += scale(by)) {
    values.push_back(ToDouble(m, exponent));
  }
  return values;
}

}  // namespace

absl::StatusOr<std::vector<double>> FiniteValues(const std::string& name,
                                                 const v1::Distribution& distribution) {
  std::vector<double> values;
  if (distribution.has_categorical_distribution()) {
    for (int i = 0; i < distribution.categorical_distribution().choices_size(); ++i) {
      values.push_back(i);
    }
    return values;
  }
  if (distribution.has_int_distribution()) {
    const auto& d = distribution.int_distribution();
    const int64_t step = std::max<int64_t>(1, d.step());
    for (int64_t v = d.low(); v <= d.high() && values.size() < kMaxValues; v += step) {
      values.push_back(static_cast<double>(v));
    }
    return values;
  }
  const auto& d = distribution.float_distribution();
  if (d.low() == d.high()) return std::vector<double>{d.low()};
  if (!d.has_step() || d.step() <= 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("the range of ", name, " has no step, so it cannot be searched exhaustively; ",
                     "give it a step or choices"));
  }
  return SteppedFloats(d.low(), d.high(), d.step());
}

}  // namespace vlm::search
