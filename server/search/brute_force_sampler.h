// Every combination of a finite space that may have conditions, drawn from the tree of what has
// been seen (optuna/samplers/_brute_force.py). OUT_OF_RANGE when every branch has been tried or is
// running.
#pragma once

#include <memory>

#include "server/search/random_source.h"
#include "server/search/sampler.h"

namespace vlm::search {

class BruteForceSampler final : public Sampler {
 public:
  // With `count_running` what runs counts as not tried yet, because it may fail to end: the search
  // stops only when all has been tried, and may draw a combination twice.
  BruteForceSampler(uint32_t seed, bool count_running)
      : count_running_(count_running), random_(seed) {}
  absl::StatusOr<InternalParams> SampleRelative(const StudyView& study, int64_t number,
                                                const Space& space) override;
  absl::StatusOr<double> SampleIndependent(const StudyView& study, const Suggested& suggested,
                                           const std::string& name,
                                           const v1::Distribution& distribution) override;
  void Observe(const StudyView& study, int64_t number) override;
  std::string State() const override { return random_.State(); }
  absl::Status Restore(const std::string& state) override;

 private:
  // A value that was chosen; its children are the values of the name that came next.
  struct Node {
    std::string name;  // Empty: nothing known below.
    std::vector<double> values;
    std::vector<std::unique_ptr<Node>> children;  // By value; null = never tried.
    bool running = false;
    bool leaf = false;
    double open = -1;  // Ends below that were never tried; -1 = to be counted again.

    double CountOpen(bool count_running);
  };
  // Null if the path does not fit the tree. Forgets the counts on the way.
  Node* Walk(const Suggested& path);
  static absl::Status Expand(Node& node, const std::string& name,
                             const v1::Distribution& distribution);

  const bool count_running_;
  RandomSource random_;
  Node root_;
  std::vector<bool> ended_;  // By number: already a leaf.
};

}  // namespace vlm::search
