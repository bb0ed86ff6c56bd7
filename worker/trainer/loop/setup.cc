#include "worker/trainer/loop/setup.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status.h"
#include "worker/trainer/cuda/plugin.h"
#include "worker/trainer/loop/state.h"

namespace vlm::trainer {
namespace {

absl::StatusOr<torch::Device> ChooseDevice(const Job& job, Observer* observer) {
  const v1::TrainConfig& config = job.launch.config();
  absl::string_view name = job.launch.device();
  const bool wants_cuda =
      config.cuda_enabled() && config.resources().device() != v1::DEVICE_KIND_CPU;
  const bool offered = absl::ConsumePrefix(&name, "cuda:");
  if (wants_cuda && offered) {
    int index = 0;
    if (!absl::SimpleAtoi(name, &index) || index >= CudaPlugin::Get().device_count()) {
      return absl::UnavailableError(absl::StrCat("cuda:", name, " is not there: this process sees ",
                                                 CudaPlugin::Get().device_count(), " GPUs"));
    }
    return torch::Device(torch::kCUDA, static_cast<c10::DeviceIndex>(index));
  }
  if (config.resources().device() == v1::DEVICE_KIND_CUDA) {
    return absl::UnavailableError("resources.device is cuda, but this worker's slot has no GPU");
  }
  if (config.cuda_enabled() && job.launch.rank() == 0) {
    observer->OnNote(
        "cuda_enabled is true, but this worker's slot has no GPU: training on the CPU");
  }
  return torch::Device(torch::kCPU);
}

absl::Status CheckRanks(const Training& training) {
  if (training.config.batch_size() % training.world_size != 0) {
    return absl::InvalidArgumentError(absl::StrCat("batch_size is ", training.config.batch_size(),
                                                   " but there are ", training.world_size,
                                                   " ranks: the number of ranks must divide it"));
  }
  return absl::OkStatus();
}

absl::Status OpenData(const std::optional<LoadedCheckpoint>& resumed, Training* training) {
  data::OpenOptions options;
  options.cache_dir = data::DefaultCacheDir();
  options.threads = torch::get_num_threads();
  if (resumed.has_value()) {
    ASSIGN_OR_RETURN(options.vocabulary, data::Vocabulary::FromJson(resumed->info.vocabulary));
  }
  ASSIGN_OR_RETURN(training->dataset, data::Dataset::Open(training->config, options));
  data::BatchOptions batches;
  batches.batch_size = training->config.batch_size();
  batches.rank = training->rank;
  batches.world_size = training->world_size;
  batches.seed = static_cast<uint64_t>(training->config.seed());
  batches.start = resumed.has_value() ? resumed->info.step : 0;
  batches.threads = training->config.num_workers();
  ASSIGN_OR_RETURN(training->batches, data::BatchLoader::Make(*training->dataset, batches));
  return absl::OkStatus();
}

// The seed comes first: weights are drawn from the default generator in construction order.
absl::Status BuildModel(Training* training) {
  const v1::TrainConfig& config = training->config;
  ASSIGN_OR_RETURN(const ModelShape shape, ShapeOf(config, training->dataset->model_vocab_size()));
  torch::manual_seed(static_cast<uint64_t>(config.seed()));
  training->model = std::make_unique<VlmModel>(shape);
  training->model->to(training->device);
  training->parameters = NamedParameters(*training->model);
  AdamWOptions adamw;
  adamw.beta1 = config.optimizer().beta1();
  adamw.beta2 = config.optimizer().beta2();
  adamw.eps = config.optimizer().eps();
  adamw.weight_decay = config.weight_decay();
  training->optimizer = std::make_unique<AdamW>(training->parameters, adamw);
  GradScalerOptions scaler;
  scaler.enabled = training->precision.grad_scaler;
  scaler.init_scale = config.init_scale();
  scaler.growth_interval = config.growth_interval();
  training->scaler = std::make_unique<GradScaler>(scaler, training->device);
  return absl::OkStatus();
}

absl::Status JoinRanks(const Job& job, Training* training) {
  if (training->world_size == 1) {
    if (job.listen_fd.has_value()) close(*job.listen_fd);
    return absl::OkStatus();
  }
  const bool nccl_asked = training->config.resources().backend() == v1::BACKEND_NCCL;
  if (nccl_asked && training->device.is_cpu()) {
    return absl::FailedPreconditionError(
        "resources.backend is nccl, but the ranks run on CPUs: use gloo or auto");
  }
  if (training->config.resources().backend() == v1::BACKEND_GLOO && training->device.is_cuda()) {
    return absl::FailedPreconditionError(
        "resources.backend is gloo, but the ranks run on GPUs: use nccl or auto");
  }
  GroupOptions options;
  options.rank = training->rank;
  options.world_size = training->world_size;
  options.host = job.launch.rendezvous_host();
  options.port = job.launch.rendezvous_port();
  options.listen_fd = job.listen_fd;
  options.device = training->device;
  options.nccl = training->device.is_cuda();
  ASSIGN_OR_RETURN(training->group, ProcessGroup::Create(options));
  ASSIGN_OR_RETURN(training->parallel,
                   DataParallel::Create(training->group.get(), training->parameters));
  // Ranks share their weights, not their dropout masks.
  if (training->rank > 0) {
    torch::manual_seed(static_cast<uint64_t>(training->config.seed() + training->rank));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Training>> SetUp(const Job& job, Observer* observer) {
  auto training = std::make_unique<Training>();
  training->config = job.launch.config();
  training->rank = job.launch.rank();
  training->world_size = std::max(1, job.launch.world_size());
  training->total_steps = training->config.epochs() * training->config.max_iters();
  if (job.launch.threads() > 0) torch::set_num_threads(job.launch.threads());
  RETURN_IF_ERROR(CheckRanks(*training));
  ASSIGN_OR_RETURN(training->device, ChooseDevice(job, observer));
  ASSIGN_OR_RETURN(training->precision, PlanPrecision(training->config, training->device.type()));
  if (!training->precision.note.empty() && training->rank == 0) {
    observer->OnNote(training->precision.note);
  }
  std::optional<LoadedCheckpoint> resumed;
  if (!job.launch.resume_from().empty()) {
    ASSIGN_OR_RETURN(resumed, LoadCheckpoint(job.launch.resume_from()));
  }
  RETURN_IF_ERROR(OpenData(resumed, training.get()));
  RETURN_IF_ERROR(BuildModel(training.get()));
  RETURN_IF_ERROR(JoinRanks(job, training.get()));
  if (resumed.has_value()) RETURN_IF_ERROR(RestoreState(*resumed, training.get()));
  training->model->train();
  return training;
}

}  // namespace vlm::trainer
