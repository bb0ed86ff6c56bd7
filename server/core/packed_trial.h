// A finished trial in few bytes: what is kept of it in memory and in the file, so that a study of a
// million trials fits into both and opens quickly. The tables of Optuna stay the truth; a packed
// trial is made from what they hold and thrown away when another program changes them.
//
//   numbers: u16 count of values, u16 count of parameters, then little-endian u32 slots (of the
//            study's kinds of parameters, see ParamKindRow), f64 parameters (internal values),
//            f64 values
//   rest:    a serialized v1::Trial without its ids, number, state, values and parameters;
//            last_step is one more than it is, so that the usual -1 takes no byte
//
// Pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "vlm/v1/study.pb.h"

namespace vlm::core {

// A name with its distribution; the parameters of a study's packed trials refer to it by `slot`,
// which count from 0 in each study.
struct ParamKindRow {
  int64_t study_id = 0;
  uint32_t slot = 0;
  std::string name;
  v1::Distribution distribution;
};

// Borrows its bytes.
struct PackedTrial {
  int64_t trial_id = 0;
  int64_t study_id = 0;
  int64_t number = 0;
  v1::TrialState state = v1::TRIAL_STATE_UNSPECIFIED;
  bool has_extras = false;  // Pruners or samplers may want to know what is in `rest`.
  absl::string_view numbers;
  absl::string_view rest;
};

std::string PackNumbers(absl::Span<const double> values, absl::Span<const uint32_t> slots,
                        absl::Span<const double> params);
struct UnpackedNumbers {
  std::vector<double> values;
  std::vector<uint32_t> slots;
  std::vector<double> params;
};
// False: the bytes are not of PackNumbers.
bool UnpackNumbers(absl::string_view bytes, UnpackedNumbers* out);

std::string PackRest(const v1::Trial& trial);
// Into an empty trial. False: the bytes are not of PackRest.
bool UnpackRest(absl::string_view bytes, v1::Trial* trial);
// What PackedTrial::has_extras says of `trial`.
bool HasExtras(const v1::Trial& trial);

// Packed trials on their way from the file to the heart: in a few large pieces of memory which go
// back to the system one by one while they are read.
class PackedTrials {
 public:
  void Add(const PackedTrial& trial);
  size_t size() const { return size_; }
  // Each in the order in which it was added; empty afterwards.
  void Drain(const std::function<void(const PackedTrial&)>& take);

 private:
  std::vector<std::string> pieces_;
  size_t size_ = 0;
};

}  // namespace vlm::core
