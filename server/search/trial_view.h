// A trial as samplers and pruners see it, small: a study has many, and the heart and the search
// thread share them (see Trials). What few trials have is kept apart.
#pragma once

#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/types/span.h"
#include "server/search/param_kind.h"
#include "vlm/v1/study.pb.h"

namespace vlm::search {

// A parameter of a trial; `value` is internal (Optuna's: the float itself, an int as double, the
// index of a categorical choice).
struct ParamPoint {
  const std::string& name;
  double value;
  const v1::Distribution& distribution;
};

// Walks over what has an operator[] that returns values or references.
template <typename List>
class IndexIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using difference_type = std::ptrdiff_t;
  using reference = decltype(std::declval<const List&>()[0]);
  using value_type = std::remove_cvref_t<reference>;
  using pointer = void;

  IndexIterator(const List* list, size_t index) : list_(list), index_(index) {}
  reference operator*() const { return (*list_)[index_]; }
  IndexIterator& operator++() { return ++index_, *this; }
  IndexIterator operator++(int) { return {list_, index_++}; }
  bool operator==(const IndexIterator& other) const { return index_ == other.index_; }

 private:
  const List* list_;
  size_t index_;
};

class TrialView {
 public:
  // In suggestion order.
  class Params {
   public:
    size_t size() const { return kinds_->size(); }
    bool empty() const { return size() == 0; }
    ParamPoint operator[](size_t i) const {
      const ParamKind& kind = (*kinds_)[i];
      return {kind.name, values_[i], kind.distribution};
    }
    IndexIterator<Params> begin() const { return {this, 0}; }
    IndexIterator<Params> end() const { return {this, size()}; }
    // The value of `name`; null if the trial does not have it.
    const double* Find(const std::string& name) const;

   private:
    friend class TrialView;
    Params(const KindList* kinds, const double* values) : kinds_(kinds), values_(values) {}
    const KindList* kinds_;
    const double* values_;
  };

  // What only pruners, and studies with constraints, ask for.
  struct Extras {
    absl::btree_map<int64_t, double> intermediate_values;
    std::vector<double> constraints;  // Feasible if none is above 0.
    // With several objectives one value per objective and step instead, in their order.
    absl::btree_map<int64_t, std::vector<double>> intermediate_vectors;
    std::vector<double> rungs;    // Values at completed_rung_0, _1, ... (successive halving).
    int64_t pruner_resource = 0;  // The "auto" resource that a decision found; 0 = none.
  };

  TrialView() = default;
  TrialView(const TrialView& other);
  TrialView& operator=(const TrialView& other);
  TrialView(TrialView&&) = default;
  TrialView& operator=(TrialView&&) = default;

  int64_t number() const { return number_; }
  v1::TrialState state() const { return static_cast<v1::TrialState>(state_); }
  // One per objective; empty if none.
  absl::Span<const double> values() const { return {numbers_.get(), values_size_}; }
  Params params() const { return {kinds_, numbers_.get() + values_size_}; }
  const Extras& extras() const;
  const auto& intermediate_values() const { return extras().intermediate_values; }
  const auto& intermediate_vectors() const { return extras().intermediate_vectors; }
  const auto& constraints() const { return extras().constraints; }
  bool feasible() const;
  // Sum of what its constraints are violated by; 0 of a feasible one.
  double violation() const;
  const auto& rungs() const { return extras().rungs; }
  int64_t pruner_resource() const { return extras().pruner_resource; }

  void set_number(int64_t number) { number_ = number; }
  void set_state(v1::TrialState state) { state_ = static_cast<uint16_t>(state); }
  // At most 65,535.
  void set_values(absl::Span<const double> values);
  void AddParam(const ParamKind* kind, double value);
  void AddParam(const std::string& name, const v1::Distribution& distribution, double value) {
    AddParam(InternKind(name, distribution), value);
  }
  // All at once; `params`: a value for each of `kinds`.
  void Set(absl::Span<const double> values, const KindList* kinds, absl::Span<const double> params);
  Extras& mutable_extras();

 private:
  int64_t number_ = 0;
  uint16_t state_ = v1::TRIAL_STATE_UNSPECIFIED;
  uint16_t values_size_ = 0;
  const KindList* kinds_ = KindList::Empty();
  std::unique_ptr<double[]> numbers_;  // Values, then parameters.
  std::unique_ptr<Extras> extras_;     // Null: all empty.
};

using TrialPtr = std::shared_ptr<const TrialView>;

// The trials of a study, by number. Its elements never change: one is replaced by another, so that
// several containers, also of other threads, can share them.
class Trials {
 public:
  size_t size() const { return trials_.size(); }
  bool empty() const { return trials_.empty(); }
  // An unset one reads as an empty view.
  const TrialView& operator[](size_t number) const;
  IndexIterator<Trials> begin() const { return {this, 0}; }
  IndexIterator<Trials> end() const { return {this, size()}; }
  const TrialView& back() const { return (*this)[size() - 1]; }

  const TrialPtr& Share(size_t number) const { return trials_[number]; }
  // Grows as needed.
  void Set(size_t number, TrialPtr trial);
  void push_back(TrialView trial) {
    trials_.push_back(std::make_shared<const TrialView>(std::move(trial)));
  }
  void pop_back() { trials_.pop_back(); }
  // One that may be changed while nobody else shares it; Edit: a copy takes its place.
  TrialView& emplace_back();
  TrialView& Edit(size_t number);

 private:
  std::vector<TrialPtr> trials_;
};

}  // namespace vlm::search
