#include "server/search/brute_force_sampler.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/search/finite_range.h"
#include "server/search/numeric.h"

namespace vlm::search {

double BruteForceSampler::Node::CountOpen(bool count_running) {
  if (open >= 0) return open;
  if (leaf) return open = 0;
  if (name.empty()) return open = running && !count_running ? 0 : 1;
  open = 0;
  for (const auto& child : children) {
    open += child == nullptr ? 1 : child->CountOpen(count_running);
  }
  return open;
}

absl::Status BruteForceSampler::Expand(Node& node, const std::string& name,
                                       const v1::Distribution& distribution) {
  auto values = FiniteValues(name, distribution);
  if (!values.ok()) return values.status();
  if (node.name.empty() && !node.leaf) {
    node.name = name;
    node.values = *std::move(values);
    node.children.resize(node.values.size());
  } else if (node.name != name || node.values != *values) {
    return absl::FailedPreconditionError(
        absl::StrCat("the search space has changed: ", name, " came where ",
                     node.name.empty() ? "nothing" : node.name, " was"));
  }
  return absl::OkStatus();
}

BruteForceSampler::Node* BruteForceSampler::Walk(const Suggested& path) {
  Node* node = &root_;
  node->open = -1;
  for (size_t i = 0; i < path.params.size(); ++i) {
    if (!Expand(*node, path.params[i].first, path.distributions[i]).ok()) return nullptr;
    const auto value =
        std::lower_bound(node->values.begin(), node->values.end(), path.params[i].second);
    if (value == node->values.end() || *value != path.params[i].second) return nullptr;
    auto& child = node->children[static_cast<size_t>(value - node->values.begin())];
    if (child == nullptr) child = std::make_unique<Node>();
    node = child.get();
    node->open = -1;
  }
  return node;
}

void BruteForceSampler::Observe(const StudyView& study, int64_t number) {
  const TrialView& trial = (*study.trials)[static_cast<size_t>(number)];
  const bool running = trial.state() == v1::TRIAL_STATE_RUNNING;
  if (trial.state() == v1::TRIAL_STATE_UNSPECIFIED || trial.state() == v1::TRIAL_STATE_WAITING)
    return;
  const auto index = static_cast<size_t>(number);
  if (ended_.size() <= index) ended_.resize(index + 1);
  if (ended_[index]) return;
  Node* node = Walk(SuggestedOf(trial));
  if (node == nullptr) return;  // Enqueued values beside the grid.
  if (running) {
    node->running = !node->leaf;
    return;
  }
  ended_[index] = true;
  if (!node->name.empty()) return;  // An incomplete trial; others went further.
  node->running = false;
  node->leaf = true;
}

absl::StatusOr<InternalParams> BruteForceSampler::SampleRelative(const StudyView&, int64_t,
                                                                 const Space& space) {
  for (const v1::SearchParam& param : space) {
    auto values = FiniteValues(param.name(), param.distribution());
    if (!values.ok()) return values.status();
  }
  if (root_.CountOpen(count_running_) == 0) {
    return absl::OutOfRangeError("all combinations of the search space have been tried");
  }
  return InternalParams{};
}

absl::StatusOr<double> BruteForceSampler::SampleIndependent(const StudyView&,
                                                            const Suggested& suggested,
                                                            const std::string& name,
                                                            const v1::Distribution& distribution) {
  Node* node = Walk(suggested);
  Node alone;
  if (node == nullptr) node = &alone;
  if (absl::Status s = Expand(*node, name, distribution); !s.ok()) return s;
  const size_t n = node->values.size();
  std::vector<double> open(n);
  std::vector<double> flat(n);
  for (size_t i = 0; i < n; ++i) {
    open[i] = node->children[i] == nullptr ? 1 : node->children[i]->CountOpen(count_running_);
    flat[i] = open[i] > 0 ? 1 : 0;
  }
  const double total = PairwiseSum(open.data(), n);
  if (total == 0) return node->values[random_.Below(static_cast<uint32_t>(n))];
  // Half by what is left below, half the same for every branch, so that none starves.
  const double branches = PairwiseSum(flat.data(), n);
  std::vector<double> weights(n);
  const auto running = [&](size_t i) {
    return node->children[i] != nullptr && node->children[i]->running;
  };
  bool any_idle = false;
  for (size_t i = 0; i < n; ++i) {
    weights[i] = 0.5 * (open[i] / total) + 0.5 * (flat[i] / branches);
    any_idle |= !running(i) && weights[i] > 0;
  }
  for (size_t i = 0; any_idle && i < n; ++i) {
    if (running(i)) weights[i] = 0;
  }
  const double sum = PairwiseSum(weights.data(), n);
  for (double& w : weights) w /= sum;
  return node->values[random_.Choose(weights)];
}

absl::Status BruteForceSampler::Restore(const std::string& state) {
  if (random_.Restore(state)) return absl::OkStatus();
  return absl::DataLossError("not the state of a brute force sampler");
}

}  // namespace vlm::search
