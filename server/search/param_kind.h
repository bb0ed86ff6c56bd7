// Names with their distributions, kept once however many trials have them. A study of a million
// trials has a handful of them; by address they are also quick to compare.
//
// Thread-safe. What is interned stays for the life of the process.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "vlm/v1/study.pb.h"

namespace vlm::search {

struct ParamKind {
  std::string name;
  v1::Distribution distribution;
};

// The one kind with this name and distribution (choices in their order).
const ParamKind* InternKind(const std::string& name, const v1::Distribution& distribution);

// The kinds of a trial's parameters in suggestion order. Each list is there once: a tree in which
// a child has one kind more than its parent.
class KindList {
 public:
  static const KindList* Empty();
  // This list with `kind` at its end.
  const KindList* With(const ParamKind* kind) const;

  size_t size() const { return kinds_.size(); }
  const ParamKind& operator[](size_t i) const { return *kinds_[i]; }

 private:
  std::vector<const ParamKind*> kinds_;
  mutable absl::flat_hash_map<const ParamKind*, const KindList*> longer_;  // Under the one mutex.
};

}  // namespace vlm::search
