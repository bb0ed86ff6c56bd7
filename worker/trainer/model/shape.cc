#include "worker/trainer/model/shape.h"

#include <utility>

#include "common/status.h"

namespace vlm::trainer {
namespace {

absl::Status Bad(absl::string_view key, int64_t value, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(key, ": ", value, " ", why));
}

absl::Status CheckDivides(absl::string_view key, int64_t value, absl::string_view by_key,
                          int64_t by) {
  if (value % by == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(key, ": ", value, " is not divisible by ", by_key,
                                                 " ", by, "; use ", value - value % by, " or ",
                                                 value - value % by + by));
}

}  // namespace

absl::Status CheckShape(const ModelShape& shape) {
  // The limits keep every size, and their products, far from overflow.
  const std::pair<absl::string_view, int64_t> sizes[] = {
      {"n_embd", shape.n_embd},         {"image_embed_dim", shape.image_embed_dim},
      {"vocab_size", shape.vocab_size}, {"n_layer", shape.n_layer},
      {"num_blks", shape.num_blks},     {"img_size", shape.img_size},
      {"patch_size", shape.patch_size}, {"num_head", shape.num_head}};
  for (const auto& [key, value] : sizes) {
    if (value < 1) return Bad(key, value, "is too small; it must be at least 1");
    if (value > (1 << 20)) return Bad(key, value, "is too large; the limit is 1048576");
  }
  RETURN_IF_ERROR(CheckDivides("n_embd", shape.n_embd, "num_head", shape.num_head));
  RETURN_IF_ERROR(
      CheckDivides("image_embed_dim", shape.image_embed_dim, "num_head", shape.num_head));
  RETURN_IF_ERROR(CheckDivides("img_size", shape.img_size, "patch_size", shape.patch_size));
  const std::pair<absl::string_view, double> rates[] = {{"dropout", shape.dropout},
                                                        {"emb_dropout", shape.emb_dropout},
                                                        {"blk_dropout", shape.blk_dropout}};
  for (const auto& [key, value] : rates) {
    if (!(value >= 0 && value < 1)) {
      return absl::InvalidArgumentError(
          absl::StrCat(key, ": ", value, " is outside of [0, 1); 0 switches dropout off"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ModelShape> ShapeOf(const v1::TrainConfig& config, int64_t vocab_size) {
  if (config.vocab_size() != 0 && config.vocab_size() < vocab_size) {
    return Bad(
        "vocab_size", config.vocab_size(),
        absl::StrCat("is too small: the vocabulary has ", vocab_size,
                     " entries; set vocab_size to at least ", vocab_size, ", or leave it out"));
  }
  ModelShape shape;
  shape.n_embd = config.n_embd();
  shape.image_embed_dim = config.image_embed_dim();
  shape.vocab_size = config.vocab_size() != 0 ? config.vocab_size() : vocab_size;
  shape.n_layer = config.n_layer();
  shape.num_blks = config.num_blks();
  shape.img_size = config.img_size();
  shape.patch_size = config.patch_size();
  shape.num_head = config.num_head();
  shape.dropout = config.dropout();
  shape.emb_dropout = config.emb_dropout();
  shape.blk_dropout = config.blk_dropout();
  RETURN_IF_ERROR(CheckShape(shape));
  return shape;
}

}  // namespace vlm::trainer
