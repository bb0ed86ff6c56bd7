#include "server/search/trial_view.h"

#include <algorithm>

namespace vlm::search {

const double* TrialView::Params::Find(const std::string& name) const {
  for (size_t i = 0; i < size(); ++i) {
    if ((*kinds_)[i].name == name) return values_ + i;
  }
  return nullptr;
}

TrialView::TrialView(const TrialView& other) { *this = other; }

TrialView& TrialView::operator=(const TrialView& other) {
  if (this == &other) return *this;
  number_ = other.number_;
  state_ = other.state_;
  Set(other.values(), other.kinds_,
      {other.numbers_.get() + other.values_size_, other.kinds_->size()});
  extras_ = other.extras_ == nullptr ? nullptr : std::make_unique<Extras>(*other.extras_);
  return *this;
}

const TrialView::Extras& TrialView::extras() const {
  static const Extras& none = *new Extras;
  return extras_ == nullptr ? none : *extras_;
}

bool TrialView::feasible() const {
  return std::none_of(constraints().begin(), constraints().end(), [](double c) { return c > 0; });
}

double TrialView::violation() const {
  double sum = 0;
  for (double c : constraints()) sum += c > 0 ? c : 0;
  return sum;
}

TrialView::Extras& TrialView::mutable_extras() {
  if (extras_ == nullptr) extras_ = std::make_unique<Extras>();
  return *extras_;
}

// The arguments may point into what is replaced.
void TrialView::Set(absl::Span<const double> values, const KindList* kinds,
                    absl::Span<const double> params) {
  std::unique_ptr<double[]> numbers;
  if (!values.empty() || !params.empty()) {
    numbers = std::make_unique<double[]>(values.size() + params.size());
    std::copy(values.begin(), values.end(), numbers.get());
    std::copy(params.begin(), params.end(), numbers.get() + values.size());
  }
  values_size_ = static_cast<uint16_t>(values.size());
  kinds_ = kinds;
  numbers_ = std::move(numbers);
}

void TrialView::set_values(absl::Span<const double> values) {
  Set(values, kinds_, {numbers_.get() + values_size_, kinds_->size()});
}

void TrialView::AddParam(const ParamKind* kind, double value) {
  std::vector<double> params(numbers_.get() + values_size_,
                             numbers_.get() + values_size_ + kinds_->size());
  params.push_back(value);
  Set(values(), kinds_->With(kind), params);
}

const TrialView& Trials::operator[](size_t number) const {
  static const TrialView& none = *new TrialView;
  const TrialPtr& trial = trials_[number];
  return trial == nullptr ? none : *trial;
}

void Trials::Set(size_t number, TrialPtr trial) {
  if (trials_.size() <= number) trials_.resize(number + 1);
  trials_[number] = std::move(trial);
}

TrialView& Trials::emplace_back() {
  auto fresh = std::make_shared<TrialView>();
  TrialView& added = *fresh;
  trials_.push_back(std::move(fresh));
  return added;
}

TrialView& Trials::Edit(size_t number) {
  auto copy = std::make_shared<TrialView>((*this)[number]);
  TrialView& edited = *copy;
  Set(number, std::move(copy));
  return edited;
}

}  // namespace vlm::search
