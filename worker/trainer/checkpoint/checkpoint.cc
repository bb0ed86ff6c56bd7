#include "worker/trainer/checkpoint/checkpoint.h"

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/hash.h"
#include "common/status.h"
#include "torch/torch.h"
#include "worker/trainer/tensor_file/torch_tensors.h"

namespace vlm::trainer {
namespace {

using nlohmann::json;

constexpr char kState[] = "vlm.state";
constexpr char kVocabulary[] = "vlm.vocabulary";
constexpr char kContentHash[] = "vlm.content_sha256";

absl::Status Damaged(const std::string& path, absl::string_view why) {
  return absl::DataLossError(absl::StrCat(path, ": ", why, "; the checkpoint cannot be used"));
}

// Over names, types, shapes and bytes in the order of names.
std::string ContentHash(NamedTensors tensors) {
  std::sort(tensors.begin(), tensors.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  Sha256Stream hash;
  for (const auto& [name, tensor] : tensors) {
    hash.Update(absl::StrCat(name, ":", c10::toString(tensor.scalar_type()), ":"));
    for (const int64_t extent : tensor.sizes()) hash.Update(absl::StrCat(extent, ","));
    hash.Update(
        absl::string_view(static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()));
  }
  return hash.Finish();
}

absl::StatusOr<std::string> StateJson(const CheckpointInfo& info) {
  std::string config;
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  if (!google::protobuf::util::MessageToJsonString(info.config, &config, options).ok()) {
    return absl::InternalError("the configuration cannot be written as JSON");
  }
  json state = {{"version", 1},
                {"step", info.step},
                {"config", json::parse(config)},
                {"model_vocab_size", info.model_vocab_size},
                {"world_size", info.world_size},
                {"train_loss_sum", info.train_loss_sum},
                {"train_loss_count", info.train_loss_count}};
  if (info.value.has_value() && std::isfinite(*info.value)) state["value"] = *info.value;
  return state.dump();
}

absl::StatusOr<CheckpointInfo> ParseState(const std::string& path, const std::string& text) {
  const json state = json::parse(text, nullptr, /*allow_exceptions=*/false);
  CheckpointInfo info;
  try {
    if (state.at("version") != 1) {
      return Damaged(path, absl::StrCat("its version is ", state.at("version").dump(),
                                        ", this program reads version 1"));
    }
    info.step = state.at("step");
    info.model_vocab_size = state.at("model_vocab_size");
    info.world_size = state.at("world_size");
    info.train_loss_sum = state.at("train_loss_sum");
    info.train_loss_count = state.at("train_loss_count");
    if (state.contains("value")) info.value = state.at("value").get<double>();
    const auto parsed =
        google::protobuf::util::JsonStringToMessage(state.at("config").dump(), &info.config);
    if (!parsed.ok()) return Damaged(path, absl::StrCat("its configuration: ", parsed.ToString()));
  } catch (const json::exception& error) {
    return Damaged(path, absl::StrCat("its metadata vlm.state: ", error.what()));
  }
  if (info.step < 0 || info.world_size < 1)
    return Damaged(path, "its step or world size is negative");
  return info;
}

bool IsModelTensor(absl::string_view name) {
  return !absl::StartsWith(name, "optimizer.") && !absl::StartsWith(name, "scaler.") &&
         !absl::StartsWith(name, "rng.");
}

}  // namespace

std::string CheckpointPath(const std::string& folder, int64_t step) {
  return absl::StrFormat("%s/step-%08d.safetensors", folder, step);
}

absl::StatusOr<v1::Checkpoint> SaveCheckpoint(const std::string& path, const CheckpointInfo& info,
                                              const NamedTensors& tensors) {
  NamedTensors on_cpu;
  on_cpu.reserve(tensors.size());
  for (const auto& [name, tensor] : tensors) {
    on_cpu.emplace_back(name, tensor.detach().to(torch::kCPU).contiguous());
  }
  ASSIGN_OR_RETURN(const std::string state, StateJson(info));
  RETURN_IF_ERROR(WriteTensorFile(path, on_cpu,
                                  {{"format", "pt"},
                                   {kState, state},
                                   {kVocabulary, info.vocabulary},
                                   {kContentHash, ContentHash(on_cpu)}}));
  v1::Checkpoint checkpoint;
  checkpoint.set_step(info.step);
  ASSIGN_OR_RETURN(*checkpoint.mutable_sha256(), Sha256File(path));
  struct stat about {};
  if (stat(path.c_str(), &about) != 0) return absl::DataLossError(absl::StrCat(path, ": is gone"));
  checkpoint.set_size_bytes(about.st_size);
  checkpoint.set_uri(absl::StrCat("file://", std::filesystem::absolute(path).string()));
  *checkpoint.mutable_create_time() = google::protobuf::util::TimeUtil::GetCurrentTime();
  if (info.value.has_value()) checkpoint.set_value(*info.value);
  return checkpoint;
}

absl::StatusOr<LoadedCheckpoint> LoadCheckpoint(const std::string& path) {
  ASSIGN_OR_RETURN(const TensorFile file, ReadTensorFile(path));
  const auto state = file.metadata.find(kState);
  const auto hash = file.metadata.find(kContentHash);
  const auto vocabulary = file.metadata.find(kVocabulary);
  if (state == file.metadata.end() || hash == file.metadata.end() ||
      vocabulary == file.metadata.end()) {
    return Damaged(path, "it was not written by vlm-trainer (no metadata vlm.state)");
  }
  if (ContentHash(file.tensors) != hash->second) {
    return Damaged(path, "its tensors do not match vlm.content_sha256: the file is damaged");
  }
  LoadedCheckpoint loaded;
  ASSIGN_OR_RETURN(loaded.info, ParseState(path, state->second));
  loaded.info.vocabulary = vocabulary->second;
  for (const auto& entry : file.tensors) {
    (IsModelTensor(entry.first) ? loaded.model : loaded.rest).push_back(entry);
  }
  return loaded;
}

absl::StatusOr<at::Tensor> FindTensor(const NamedTensors& tensors, const std::string& name) {
  for (const auto& [key, tensor] : tensors) {
    if (key == name) return tensor;
  }
  return absl::NotFoundError(absl::StrCat("there is no tensor ", name));
}

}  // namespace vlm::trainer
