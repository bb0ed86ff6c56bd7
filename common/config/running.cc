// resources and retry: with how many ranks a trial runs and what becomes of a failed one.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/config/pruner.h"
#include "common/config/reader.h"
#include "re2/re2.h"

namespace vlm::config {
namespace {

constexpr int64_t kPatternMemory = 1 << 20;  // Bytes that a compiled pattern may take.

const std::vector<std::string>& Actions() {
  static const auto& actions = *new std::vector<std::string>{"fail", "exclude_worker", "infra"};
  return actions;
}

}  // namespace

std::string PolicyActionName(v1::LogPolicy::Action action) {
  return action == v1::LogPolicy::ACTION_UNSPECIFIED ? "" : Actions()[action - 1];
}

void Reader::CheckResources() {
  const v1::TrainConfig& train = result_->spec.train();
  const auto at = [this](const std::string& key) { return PlaceOf(key); };
  const int64_t world = std::max(1, train.resources().world_size());
  const int64_t micro = std::max<int64_t>(1, train.optimizer().accumulation_steps());
  for (int64_t batch : PossibleInts("batch_size", train.batch_size())) {
    if (batch % (world * micro) == 0) continue;
    IssueAt(at("batch_size"), "batch_size",
            absl::StrCat(batch, " is not a multiple of resources.world_size ", world,
                         micro > 1 ? absl::StrCat(" x optimizer.accumulation_steps ", micro) : "",
                         "; it is the global batch"),
            absl::StrCat("use ", (batch / (world * micro) + 1) * world * micro));
  }
  const bool cpu = !train.cuda_enabled() || train.resources().device() == v1::DEVICE_KIND_CPU;
  if (train.precision_mode() == v1::PRECISION_FP16 && cpu) {
    IssueAt(at("precision_mode"), "precision_mode",
            "fp16 needs CUDA: its gradients overflow on a CPU, which has no fp16 matrix units",
            "use bf16, mixed or fp32");
  }
  if (train.resources().device() == v1::DEVICE_KIND_CUDA && !train.cuda_enabled()) {
    IssueAt(at("resources.device"), "resources.device", "is cuda but cuda_enabled is false",
            "set cuda_enabled: true");
  }
  if (train.resources().backend() == v1::BACKEND_NCCL && cpu) {
    IssueAt(at("resources.backend"), "resources.backend", "nccl moves data between GPUs only",
            "use gloo or auto");
  }
  FinishWorldSizes();
}

// Every number of ranks between the two that each rank of can have its equal share of every batch.
void Reader::FinishWorldSizes() {
  v1::TrainConfig& train = *result_->spec.mutable_train();
  v1::ResourcesConfig& resources = *train.mutable_resources();
  resources.clear_world_sizes();
  const int world = std::max(1, resources.world_size());
  if (resources.min_world_size() == 0) return;
  if (resources.min_world_size() > world) {
    return IssueAt(PlaceOf("resources.min_world_size"), "resources.min_world_size",
                   absl::StrCat(resources.min_world_size(), " is above resources.world_size ",
                                world, ", which is the most ranks"),
                   absl::StrCat("use ", world, " or less"));
  }
  const int64_t micro = std::max<int64_t>(1, train.optimizer().accumulation_steps());
  const std::vector<int64_t> batches = PossibleInts("batch_size", train.batch_size());
  for (int ranks = resources.min_world_size(); ranks <= world; ++ranks) {
    const bool divides = std::all_of(batches.begin(), batches.end(),
                                     [&](int64_t batch) { return batch % (ranks * micro) == 0; });
    if (divides) resources.add_world_sizes(ranks);
  }
}

void Reader::CheckNamesOfParts() {
  const v1::StudySpec& spec = result_->spec;
  const auto one_of = [&](const std::string& key, const std::string& value,
                          const std::vector<std::string>& known) {
    if (std::find(known.begin(), known.end(), value) != known.end()) return;
    IssueAt(PlaceOf(key), key, NoneOf(value, known), DidYouMean(value, known));
  };
  one_of("study.metric", spec.metric(), {"val_loss", "train_loss"});
  one_of("study.sampler.name", spec.sampler().name(), SamplerNames());
  one_of("study.sampler.qmc_type", spec.sampler().qmc_type(), {"sobol", "halton"});
  one_of("study.pruner.name", spec.pruner().name(), PrunerNames());
}

void Reader::ReadLogPolicies(const YAML::Node& value) {
  const std::string key = "retry.log_policies";
  v1::RetryConfig& retry = *result_->spec.mutable_retry();
  retry.clear_log_policies();
  for (const YAML::Node& item :
       ReadList(key, value, {"pattern", "action"},
                "such as - {pattern: 'ECC error', action: exclude_worker}")) {
    v1::LogPolicy& policy = *retry.add_log_policies();
    const YAML::Node pattern = item["pattern"];
    if (pattern.IsDefined() && pattern.IsScalar()) policy.set_pattern(pattern.Scalar());
    if (policy.pattern().empty()) {
      Issue(item, absl::StrCat(key, ".pattern"), "is missing", "a regular expression of RE2");
    }
    RE2::Options options(RE2::Quiet);
    options.set_max_mem(kPatternMemory);
    if (const RE2 compiled(policy.pattern(), options); !compiled.ok()) {
      Issue(pattern, absl::StrCat(key, ".pattern"),
            absl::StrCat("is no regular expression: ", compiled.error()), "the syntax is RE2's");
    }
    const YAML::Node action = item["action"];
    const std::string name = action.IsDefined() && action.IsScalar() ? action.Scalar() : "";
    const auto at = std::find(Actions().begin(), Actions().end(), name);
    if (at == Actions().end()) {
      Issue(action.IsDefined() ? action : item, absl::StrCat(key, ".action"),
            NoneOf(name, Actions()), DidYouMean(name, Actions()));
      continue;
    }
    policy.set_action(static_cast<v1::LogPolicy::Action>(at - Actions().begin() + 1));
  }
}

}  // namespace vlm::config
