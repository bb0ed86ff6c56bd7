// Samplers: history in, parameters out. One file an algorithm; only the factory below names them.
//
// Call order (Optuna's): for one trial, SampleRelative once with the study's space, then
// SampleIndependent for each name that it did not return, in the order of the space. Observe tells
// it of each trial that begins, changes or ends, those of its own suggestions included, and at
// first of all that there are. A sampler owns its generators; State/Restore carry them over a
// restart. Not thread-safe: one search thread calls it. Never changes what it is given.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/search/trial_view.h"
#include "vlm/v1/config.pb.h"
#include "vlm/v1/study.pb.h"

namespace vlm::search {

class ReportIndex;

// A study's history. `trials[i].number() == i`; borrowed, unchanged during a call.
struct StudyView {
  std::string name;
  std::vector<v1::Direction> directions;
  const Trials* trials = nullptr;
  // For pruners: of the same trials; borrowed. Null: one is made for each question.
  ReportIndex* reports = nullptr;
};

// The space of a study, in the order in which values are suggested.
using Space = std::vector<v1::SearchParam>;
// Name to internal value.
using InternalParams = absl::btree_map<std::string, double>;

// The names of the trial being sampled that have their values already, in order.
struct Suggested {
  int64_t number = 0;
  std::vector<std::pair<std::string, double>> params;
  std::vector<v1::Distribution> distributions;
};
// What a trial has so far.
Suggested SuggestedOf(const TrialView& trial);

class Sampler {
 public:
  virtual ~Sampler() = default;
  // Values for the names it can sample jointly, or nothing. `number` is the trial being sampled.
  // OUT_OF_RANGE: the space is used up, there is nothing left to try.
  virtual absl::StatusOr<InternalParams> SampleRelative(const StudyView& study, int64_t number,
                                                        const Space& space) = 0;
  virtual absl::StatusOr<double> SampleIndependent(const StudyView& study,
                                                   const Suggested& suggested,
                                                   const std::string& name,
                                                   const v1::Distribution& distribution) = 0;
  virtual void Observe(const StudyView& /*study*/, int64_t /*number*/) {}
  // Opaque bytes that Restore of the same sampler and configuration takes.
  virtual std::string State() const = 0;
  // DATA_LOSS: not this sampler's state.
  virtual absl::Status Restore(const std::string& state) = 0;
};

// INVALID_ARGUMENT names an unknown sampler and lists the known ones.
absl::StatusOr<std::unique_ptr<Sampler>> MakeSampler(const v1::SamplerConfig& config,
                                                     uint32_t seed);

// All names of `space` for one trial, in its order. As in Optuna: a fixed value is taken as it is,
// a range with one value gives that one; the first other name asks for the relative sample, and
// names that it leaves out, or gives a value outside the range, are sampled on their own. A name
// whose conditions do not hold is left out; those that its conditions name come before it.
absl::StatusOr<std::vector<v1::Param>> Suggest(Sampler& sampler, const StudyView& study,
                                               int64_t number, const Space& space,
                                               const InternalParams& fixed = {});

// Whether a parameter is drawn in a trial that has `params` already: each of its conditions names
// one of them with a value that it lists.
bool ConditionsHold(const v1::SearchParam& searched, const std::vector<v1::Param>& params);

// Constraints among a trial's system attributes (JSON texts), in Optuna's two forms: a list under
// "constraints" and numbers under "constraints:<name>". What is not a number is left out.
std::vector<double> ReadConstraints(
    const google::protobuf::Map<std::string, std::string>& system_attributes);

// Whether an internal value lies in the range; a step is not looked at, as sampled values keep it.
bool Contains(const v1::Distribution& distribution, double internal);

// External value <-> internal value. OUT_OF_RANGE: not in the distribution (the message says why).
absl::StatusOr<double> ToInternal(const v1::Distribution& distribution,
                                  const v1::ParamValue& value);
absl::StatusOr<v1::ParamValue> ToExternal(const v1::Distribution& distribution, double internal);

}  // namespace vlm::search
