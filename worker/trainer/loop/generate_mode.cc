#include "worker/trainer/loop/generate_mode.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "torch/torch.h"
#include "worker/trainer/checkpoint/checkpoint.h"
#include "worker/trainer/data/picture.h"
#include "worker/trainer/data/vocabulary.h"
#include "worker/trainer/loop/images.h"
#include "worker/trainer/model/generate.h"

namespace vlm::trainer {
namespace {

absl::StatusOr<std::string> CaptionOrThrow(const CaptionRequest& request) {
  ASSIGN_OR_RETURN(const LoadedCheckpoint loaded, LoadCheckpoint(request.checkpoint));
  ASSIGN_OR_RETURN(const data::Vocabulary vocabulary,
                   data::Vocabulary::FromJson(loaded.info.vocabulary));
  ASSIGN_OR_RETURN(const ModelShape shape,
                   ShapeOf(loaded.info.config, loaded.info.model_vocab_size));
  VlmModel model(shape);
  RETURN_IF_ERROR(model.LoadStateDict(loaded.model));
  model.eval();
  ASSIGN_OR_RETURN(std::vector<uint8_t> pixels,
                   data::PrepareFile(request.image, static_cast<int>(shape.img_size)));
  const at::Tensor image = Normalise(
      torch::from_blob(pixels.data(), {1, 3, shape.img_size, shape.img_size}, torch::kUInt8))[0];
  const absl::StatusOr<std::vector<int32_t>> prompt = vocabulary.Encode(request.prompt);
  if (!prompt.ok()) return Annotate(prompt.status(), "prompt");
  GenerateOptions options;
  options.max_new_tokens = request.max_new;
  options.temperature = request.temperature;
  options.top_k = request.top_k;
  options.seed = request.seed;
  options.pad_id = vocabulary.pad();
  options.vocab_limit = vocabulary.size();
  ASSIGN_OR_RETURN(
      const std::vector<int64_t> added,
      Generate(model, image, std::vector<int64_t>(prompt->begin(), prompt->end()), options));
  const std::vector<int32_t> ids(added.begin(), added.end());
  return absl::StrCat(request.prompt, vocabulary.Decode(ids));
}

}  // namespace

absl::StatusOr<std::string> Caption(const CaptionRequest& request) {
  try {
    return CaptionOrThrow(request);
  } catch (const c10::Error& error) {
    return absl::InternalError(error.what_without_backtrace());
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

}  // namespace vlm::trainer
