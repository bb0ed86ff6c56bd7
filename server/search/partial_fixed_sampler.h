// Another sampler for all names but some that have one value (optuna/samplers/_partial_fixed.py).
#pragma once

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/search/sampler.h"

namespace vlm::search {

class PartialFixedSampler final : public Sampler {
 public:
  PartialFixedSampler(std::unique_ptr<Sampler> base,
                      absl::btree_map<std::string, v1::ParamValue> fixed)
      : base_(std::move(base)), fixed_(std::move(fixed)) {}
  absl::StatusOr<InternalParams> SampleRelative(const StudyView& study, int64_t number,
                                                const Space& space) override {
    Space rest;
    std::copy_if(space.begin(), space.end(), std::back_inserter(rest),
                 [this](const auto& param) { return !fixed_.contains(param.name()); });
    return base_->SampleRelative(study, number, rest);
  }
  absl::StatusOr<double> SampleIndependent(const StudyView& study, const Suggested& suggested,
                                           const std::string& name,
                                           const v1::Distribution& distribution) override {
    const auto fixed = fixed_.find(name);
    if (fixed == fixed_.end())
      return base_->SampleIndependent(study, suggested, name, distribution);
    auto internal = ToInternal(distribution, fixed->second);
    if (internal.ok()) return internal;
    return absl::InvalidArgumentError(
        absl::StrCat("the fixed value of ", name, ": ", internal.status().message()));
  }
  void Observe(const StudyView& study, int64_t number) override { base_->Observe(study, number); }
  std::string State() const override { return base_->State(); }
  absl::Status Restore(const std::string& state) override { return base_->Restore(state); }

 private:
  std::unique_ptr<Sampler> base_;
  const absl::btree_map<std::string, v1::ParamValue> fixed_;
};

}  // namespace vlm::search
