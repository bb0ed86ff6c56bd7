#include "worker/trainer/model/vlm.h"

#include <torch/torch.h>

#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "worker/trainer/model/decoder.h"
#include "worker/trainer/model/linear_cross_entropy.h"
#include "worker/trainer/model/slots.h"
#include "worker/trainer/model/vit.h"

namespace vlm::trainer {
namespace {

std::vector<Slot> SlotsOf(const Vit& vit, const Decoder& decoder) {
  std::vector<Slot> slots;
  vit.AddSlots("vision_encoder.", &slots);
  decoder.AddSlots("decoder.", &slots);
  return slots;
}

// "3 missing (a, b, c)"; at most five names.
std::string Listed(const char* what, const std::vector<std::string>& names) {
  const size_t shown = std::min<size_t>(names.size(), 5);
  return absl::StrCat(names.size(), " ", what, " (",
                      absl::StrJoin(names.begin(), names.begin() + static_cast<long>(shown), ", "),
                      names.size() > shown ? ", ...)" : ")");
}

struct Mismatch {
  std::vector<std::string> missing, unexpected, misshaped;

  absl::Status AsStatus() const {
    std::vector<std::string> parts;
    if (!missing.empty()) parts.push_back(Listed("missing", missing));
    if (!unexpected.empty()) parts.push_back(Listed("unexpected", unexpected));
    if (!misshaped.empty()) parts.push_back(Listed("of the wrong shape or type", misshaped));
    if (parts.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("weights do not fit the model: ", absl::StrJoin(parts, ", ")));
  }
};

}  // namespace

VlmModel::VlmModel(const ModelShape& shape) : shape_(shape) {
  const torch::NoGradGuard no_grad;
  vit_ = register_module("vision_encoder", std::make_shared<Vit>(shape));
  decoder_ = register_module("decoder", std::make_shared<Decoder>(shape));
}

VlmModel::~VlmModel() = default;

at::Tensor VlmModel::EncodeImages(const at::Tensor& images) {
  return decoder_->Project(vit_->Forward(images));
}

at::Tensor VlmModel::Hidden(const at::Tensor& image_tokens, const at::Tensor& tokens) {
  return decoder_->Hidden(image_tokens, tokens);
}

at::Tensor VlmModel::Logits(const at::Tensor& images, const at::Tensor& tokens) {
  return at::linear(Hidden(EncodeImages(images), tokens), decoder_->head_weight(),
                    decoder_->head_bias());
}

at::Tensor VlmModel::NextTokenLogits(const at::Tensor& image_tokens, const at::Tensor& tokens) {
  const at::Tensor last = Hidden(image_tokens, tokens).select(1, -1);
  return at::linear(last, decoder_->head_weight(), decoder_->head_bias());
}

at::Tensor VlmModel::Loss(const at::Tensor& images, const at::Tensor& tokens,
                          const at::Tensor& targets) {
  TORCH_CHECK_VALUE(targets.sizes() == tokens.sizes(), "targets ", targets.sizes(),
                    " do not fit tokens ", tokens.sizes());
  TORCH_CHECK_VALUE(targets.numel() == 0 || targets.max().item<int64_t>() < shape_.vocab_size,
                    "a target is outside of the vocabulary of ", shape_.vocab_size);
  const at::Tensor hidden = Hidden(EncodeImages(images), tokens);
  // The image token's row has no target.
  const at::Tensor rows = hidden.narrow(1, 1, tokens.size(1)).reshape({-1, shape_.n_embd});
  return LinearCrossEntropy(rows, decoder_->head_weight(), decoder_->head_bias(),
                            targets.reshape({-1}));
}

NamedTensors VlmModel::StateDict() const {
  NamedTensors state;
  for (const Slot& slot : SlotsOf(*vit_, *decoder_)) {
    state.emplace_back(slot.name, slot.Part(slot.parameter.detach()));
  }
  return state;
}

NamedTensors VlmModel::GradDict() const {
  NamedTensors grads;
  for (const Slot& slot : SlotsOf(*vit_, *decoder_)) {
    const at::Tensor& grad = slot.parameter.grad();
    grads.emplace_back(slot.name,
                       slot.Part(grad.defined() ? grad : at::zeros_like(slot.parameter.detach())));
  }
  return grads;
}

absl::Status VlmModel::LoadStateDict(const NamedTensors& state) {
  std::map<std::string, at::Tensor> given;
  Mismatch mismatch;
  for (const auto& [name, tensor] : state) {
    if (!given.emplace(name, tensor).second) mismatch.unexpected.push_back(name + " twice");
  }
  const std::vector<Slot> slots = SlotsOf(*vit_, *decoder_);
  for (const Slot& slot : slots) {
    const auto found = given.find(slot.name);
    if (found == given.end()) {
      mismatch.missing.push_back(slot.name);
      continue;
    }
    const at::Tensor& tensor = found->second;
    const at::IntArrayRef wanted = slot.Part(slot.parameter).sizes();
    if (!tensor.is_floating_point() || tensor.sizes() != wanted) {
      mismatch.misshaped.push_back(
          absl::StrCat(slot.name, ": [", absl::StrJoin(tensor.sizes(), ", "), "] ",
                       c10::toString(tensor.scalar_type()), " instead of [",
                       absl::StrJoin(wanted, ", "), "] Float"));
    }
  }
  std::set<std::string> known;
  for (const Slot& slot : slots) known.insert(slot.name);
  for (const auto& [name, tensor] : given) {
    if (known.count(name) == 0) mismatch.unexpected.push_back(name);
  }
  if (absl::Status status = mismatch.AsStatus(); !status.ok()) return status;
  const torch::NoGradGuard no_grad;
  for (const Slot& slot : slots) slot.Part(slot.parameter.detach()).copy_(given[slot.name]);
  return absl::OkStatus();
}

NamedTensors NamedParameters(const torch::nn::Module& module) {
  NamedTensors named;
  for (const auto& item : module.named_parameters()) named.emplace_back(item.key(), item.value());
  return named;
}

}  // namespace vlm::trainer
