#include "worker/trainer/model/generate.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include <limits>

#include "common/status.h"

namespace vlm::trainer {
namespace {

absl::Status CheckOptions(const GenerateOptions& options) {
  if (options.max_new_tokens < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_new_tokens: ", options.max_new_tokens, " is negative"));
  }
  if (!(options.temperature >= 0) || options.temperature > 1e6) {
    return absl::InvalidArgumentError(
        absl::StrCat("temperature: ", options.temperature, " is not in [0, 1000000]"));
  }
  if (options.top_k < 0) {
    return absl::InvalidArgumentError(absl::StrCat("top_k: ", options.top_k, " is negative"));
  }
  return absl::OkStatus();
}

absl::Status CheckPrompt(const std::vector<int64_t>& prompt, int64_t vocab_size) {
  if (static_cast<int64_t>(prompt.size()) >= kMaxPositions - 1) {
    return absl::InvalidArgumentError(absl::StrCat("the prompt has ", prompt.size(),
                                                   " tokens; the limit is ", kMaxPositions - 2));
  }
  for (int64_t token : prompt) {
    if (token < 0 || token >= vocab_size) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the prompt's token ", token, " is outside of the vocabulary of ", vocab_size));
    }
  }
  return absl::OkStatus();
}

// logits: [V] float32.
int64_t Choose(at::Tensor logits, const GenerateOptions& options, at::Generator& generator) {
  if (options.vocab_limit > 0 && options.vocab_limit < logits.size(0)) {
    logits = logits.narrow(0, 0, options.vocab_limit);
  }
  if (options.temperature == 0) return logits.argmax().item<int64_t>();
  logits = logits / options.temperature;
  if (options.top_k > 0 && options.top_k < logits.size(0)) {
    const at::Tensor least = std::get<0>(logits.topk(options.top_k)).min();
    logits = logits.masked_fill(logits < least, -std::numeric_limits<float>::infinity());
  }
  return at::multinomial(logits.softmax(0), 1, false, generator).item<int64_t>();
}

}  // namespace

absl::StatusOr<std::vector<int64_t>> Generate(VlmModel& model, const at::Tensor& image,
                                              const std::vector<int64_t>& prompt,
                                              const GenerateOptions& options) {
  RETURN_IF_ERROR(CheckOptions(options));
  RETURN_IF_ERROR(CheckPrompt(prompt, model.shape().vocab_size));
  const bool was_training = model.is_training();
  const torch::NoGradGuard no_grad;
  std::vector<int64_t> tokens = prompt;
  try {
    model.eval();
    at::Generator generator = at::detail::createCPUGenerator(options.seed);
    const at::Tensor image_token = model.EncodeImages(image.unsqueeze(0));
    for (int64_t made = 0;
         made < options.max_new_tokens && static_cast<int64_t>(tokens.size()) < kMaxPositions - 1;
         ++made) {
      const auto length = static_cast<int64_t>(tokens.size());
      const at::Tensor text =
          at::tensor(tokens, at::kLong).view({1, length}).to(image_token.device());
      const at::Tensor logits = model.NextTokenLogits(image_token, text).squeeze(0);
      const int64_t next = Choose(logits.to(at::kCPU, at::kFloat), options, generator);
      if (next == options.pad_id) break;
      tokens.push_back(next);
    }
  } catch (const c10::Error& error) {
    model.train(was_training);
    return absl::InvalidArgumentError(
        absl::StrCat("generation failed: ", error.what_without_backtrace()));
  }
  model.train(was_training);
  return std::vector<int64_t>(tokens.begin() + static_cast<long>(prompt.size()), tokens.end());
}

}  // namespace vlm::trainer
