#include "common/config/keys.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace vlm::config {
namespace {

using google::protobuf::FieldDescriptor;
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kMaxInt = 2147483647;

std::string RangeText(const Key& key) {
  if (key.high == kInf) return absl::StrCat(key.open_low ? "> " : ">= ", key.low);
  return absl::StrCat(key.open_low ? "(" : "[", key.low, ", ", key.high, key.open_high ? ")" : "]");
}

bool InRange(const Key& key, double value) {
  if (key.low == 0 && key.high == 0) return true;
  if (std::isnan(value)) return false;
  if (key.open_low ? value <= key.low : value < key.low) return false;
  return key.open_high ? value < key.high : value <= key.high;
}

// YAML 1.1 words that the reference's loader (PyYAML) takes as booleans.
bool ParseBool(std::string text, bool* out) {
  absl::AsciiStrToLower(&text);
  if (text == "true" || text == "yes" || text == "on") return *out = true, true;
  if (text == "false" || text == "no" || text == "off") return *out = false, true;
  return false;
}

size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t next = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = row[j];
      row[j] = next;
    }
  }
  return row[b.size()];
}

// In the order in which ToYaml writes them.
constexpr Key kKeys[] = {
    {"input_path", "train.input_path", ""},
    {"precision_mode", "train.precision_mode", "fp32"},
    {"amp_enabled", "train.amp_enabled", "true"},
    {"grad_scaler_enabled", "train.grad_scaler_enabled", "true"},
    {"init_scale", "train.init_scale", "65536", 0, kInf, true},
    {"growth_interval", "train.growth_interval", "2000", 1, kMaxInt},
    {"cuda_enabled", "train.cuda_enabled", "true"},
    {"num_workers", "train.num_workers", "2", 0, 256},
    {"pin_memory", "train.pin_memory", "true"},
    {"n_embd", "train.n_embd", "128", 1, 65536},
    {"image_embed_dim", "train.image_embed_dim", "512", 1, 65536},
    {"vocab_size", "train.vocab_size", "0", 0, 10'000'000, false, false, true},
    {"n_layer", "train.n_layer", "8", 1, 1000},
    {"img_size", "train.img_size", "96", 1, 4096},
    {"patch_size", "train.patch_size", "16", 1, 4096},
    {"num_head", "train.num_head", "8", 1, 1024},
    {"head_size", "train.head_size", "", 1, 65536, false, false, true},
    {"dropout", "train.dropout", "0.1", 0, 1, false, true},
    {"num_blks", "train.num_blks", "3", 1, 1000},
    {"emb_dropout", "train.emb_dropout", "0.1", 0, 1, false, true},
    {"blk_dropout", "train.blk_dropout", "0.1", 0, 1, false, true},
    {"batch_size", "train.batch_size", "16", 1, 1'000'000},
    {"val_batch_size", "train.val_batch_size", "8", 1, 1'000'000},
    {"block_size", "train.block_size", "", 1, 999, false, false, true},
    {"max_iters", "train.max_iters", "100", 1, 1'000'000'000},
    {"eval_interval", "train.eval_interval", "10", 1, 1'000'000'000},
    {"learning_rate", "train.learning_rate", "0.001", 0, kInf, true},
    {"epochs", "train.epochs", "1", 1, 1'000'000},
    {"eval_iters", "train.eval_iters", "40", 1, 1'000'000},
    {"hyperparameter_tuning", "hyperparameter_tuning", "false"},
    {"n_trials", "n_trials", "10", 1, 10'000'000},
    {"optimization_timeout", "timeout_s", "0", 0, kInf, false, false, true},
    {"weight_decay", "train.weight_decay", "0.01", 0, kInf},
    {"study.name", "name", "", 0, 0, false, false, true},
    {"study.direction", "directions", ""},
    {"study.metric", "metric", "val_loss"},
    {"study.seed", "seed", "0", 0, 4294967295.0},
    {"study.parallelism", "parallelism", "0", 0, 1'000'000},
    {"study.priority", "priority", "0", -100, 100},
    {"study.weight", "weight", "1", 0, 1e6, true},
    {"study.sampler.name", "sampler.name", "tpe"},
    {"study.sampler.n_startup_trials", "sampler.n_startup_trials", "10", 0, 1'000'000},
    {"study.sampler.n_ei_candidates", "sampler.n_ei_candidates", "24", 1, 1'000'000},
    {"study.sampler.multivariate", "sampler.multivariate", "", 0, 0, false, false, true},
    {"study.sampler.constant_liar", "sampler.constant_liar", "true"},
    {"study.sampler.group", "sampler.group", "false"},
    {"study.sampler.qmc_type", "sampler.qmc_type", "sobol"},
    {"study.sampler.scramble", "sampler.scramble", "false"},
    {"study.sampler.population_size", "sampler.population_size", "0", 0, 1'000'000},
    {"study.sampler.crossover_prob", "sampler.crossover_prob", "0.9", 0, 1},
    {"study.sampler.swapping_prob", "sampler.swapping_prob", "0.5", 0, 1},
    {"study.sampler.mutation_prob", "sampler.mutation_prob", "", 0, 1, false, false, true},
    {"study.sampler.dividing_parameter", "sampler.dividing_parameter", "3", 1, 1'000},
    {"study.sampler.avoid_premature_stop", "sampler.avoid_premature_stop", "false"},
    {"study.sampler.sigma0", "sampler.sigma0", "0", 0, 1},
    {"study.sampler.separable", "sampler.separable", "false"},
    {"study.sampler.with_margin", "sampler.with_margin", "false"},
    {"study.sampler.warm_start", "sampler.warm_start", "false"},
    {"study.sampler.max_above", "sampler.max_above", "2000", 0, 10'000'000},
    {"study.sampler.max_trials", "sampler.max_trials", "300", 0, 10'000},
    // Which pruner takes which of these, and their defaults: pruner.cc.
    {"study.pruner.name", "pruner.name", ""},
    {"study.pruner.percentile", "pruner.percentile", "", 0, 100},
    {"study.pruner.n_startup_trials", "pruner.n_startup_trials", "", 0, 1'000'000},
    {"study.pruner.n_warmup_steps", "pruner.n_warmup_steps", "", 0, 1e12},
    {"study.pruner.interval_steps", "pruner.interval_steps", "", 1, 1e12},
    {"study.pruner.n_min_trials", "pruner.n_min_trials", "", 1, 1'000'000},
    {"study.pruner.min_resource", "pruner.min_resource", "", 1, 1e12, false, false, true},
    {"study.pruner.max_resource", "pruner.max_resource", "", 1, 1e12, false, false, true},
    {"study.pruner.reduction_factor", "pruner.reduction_factor", "", 2, 1'000'000},
    {"study.pruner.min_early_stopping_rate", "pruner.min_early_stopping_rate", "", 0, 60},
    {"study.pruner.bootstrap_count", "pruner.bootstrap_count", "", 0, 1'000'000},
    {"study.pruner.wrapped", "pruner.wrapped", "", 0, 0, false, false, true},
    {"study.pruner.patience", "pruner.patience", "", 0, 1'000'000},
    {"study.pruner.min_delta", "pruner.min_delta", "", 0, kInf},
    {"study.pruner.lower", "pruner.lower", "", 0, 0, false, false, true},
    {"study.pruner.upper", "pruner.upper", "", 0, 0, false, false, true},
    {"study.pruner.p_threshold", "pruner.p_threshold", "", 0, 1},
    {"study.pruner.n_startup_steps", "pruner.n_startup_steps", "", 0, 1'000'000},
    {"resources.world_size", "train.resources.world_size", "1", 1, 4096},
    {"resources.min_world_size", "train.resources.min_world_size", "0", 0, 4096},
    {"resources.slots_per_node", "train.resources.slots_per_node", "0", 0, 4096},
    {"resources.max_nodes", "train.resources.max_nodes", "0", 0, 4096},
    {"resources.device", "train.resources.device", "auto"},
    {"resources.backend", "train.resources.backend", "auto"},
    {"optimizer.beta1", "train.optimizer.beta1", "0.9", 0, 1, false, true},
    {"optimizer.beta2", "train.optimizer.beta2", "0.999", 0, 1, false, true},
    {"optimizer.eps", "train.optimizer.eps", "1e-8", 0, 1, true},
    {"optimizer.grad_clip", "train.optimizer.grad_clip", "0", 0, kInf},
    {"optimizer.schedule", "train.optimizer.schedule", "constant"},
    {"optimizer.warmup_iters", "train.optimizer.warmup_iters", "0", 0, 1'000'000'000},
    {"optimizer.min_lr_ratio", "train.optimizer.min_lr_ratio", "0.1", 0, 1},
    {"optimizer.decay_fraction", "train.optimizer.decay_fraction", "0.2", 0, 1},
    {"optimizer.accumulation_steps", "train.optimizer.accumulation_steps", "1", 1, 1'000'000},
    {"data.repeat", "train.data.repeat", "1", 1, 1'000'000},
    {"data.vocab", "train.data.vocab", "captions"},
    {"data.on_error", "train.data.on_error", "fail"},
    {"data.train_fraction", "train.data.train_fraction", "0.9", 0, 1, true, true},
    {"data.max_pixels", "train.data.max_pixels", "67108864", 1, 1e12},
    {"checkpoint.every_steps", "train.checkpoint.every_steps", "0", 0, 1e12},
    {"checkpoint.every_seconds", "train.checkpoint.every_seconds", "0", 0, kInf},
    {"checkpoint.keep", "train.checkpoint.keep", "2", 1, 1'000'000},
    {"profiler.enabled", "train.profiler.enabled", "false"},
    {"profiler.wait", "train.profiler.wait", "1", 0, 1'000'000},
    {"profiler.warmup", "train.profiler.warmup", "1", 0, 1'000'000},
    {"profiler.active", "train.profiler.active", "3", 1, 1'000},
    {"profiler.repeat", "train.profiler.repeat", "1", 0, 1'000'000},
    {"profiler.skip_first", "train.profiler.skip_first", "0", 0, 1'000'000},
    {"profiler.record_shapes", "train.profiler.record_shapes", "false"},
    {"profiler.profile_memory", "train.profiler.profile_memory", "false"},
    {"profiler.with_flops", "train.profiler.with_flops", "false"},
    {"tracking.mlflow_uri", "train.tracking.mlflow_uri", "", 0, 0, false, false, true},
    {"tracking.tensorboard_dir", "train.tracking.tensorboard_dir", "", 0, 0, false, false, true},
    {"retry.infra", "retry.infra", "5", 0, 1'000},
    {"retry.out_of_memory", "retry.out_of_memory", "1", 0, 1'000},
    {"retry.diverged", "retry.diverged", "0", 0, 1'000},
    {"retry.unknown", "retry.unknown", "2", 0, 1'000},
    {"retry.halt_after", "retry.halt_after", "3", 0, 1'000'000},
    {"retry.backoff_s", "retry.backoff_s", "1", 0, 3600},
    {"retry.exclude_after", "retry.exclude_after", "2", 0, 1'000},
};

}  // namespace

const std::vector<Key>& Keys() {
  static const auto& keys = *new std::vector<Key>(std::begin(kKeys), std::end(kKeys));
  return keys;
}

const Key* FindKey(absl::string_view name) {
  for (const Key& key : Keys()) {
    if (name == key.name) return &key;
  }
  return nullptr;
}

const std::vector<std::string>& Sections() {
  static const auto& sections = *new std::vector<std::string>{
      "study", "resources", "optimizer", "data", "checkpoint", "profiler", "tracking", "retry"};
  return sections;
}

std::string Nearest(absl::string_view text, const std::vector<std::string>& names) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, text.size() / 3) + 1;
  for (const std::string& name : names) {
    const size_t distance = EditDistance(text, name);
    if (distance < best_distance) {
      best_distance = distance;
      best = name;
    }
  }
  return best;
}

std::string NoneOf(absl::string_view text, const std::vector<std::string>& known) {
  return absl::StrCat("\"", text, "\" is none of ", absl::StrJoin(known, ", "));
}

std::string DidYouMean(absl::string_view text, const std::vector<std::string>& known,
                       const std::string& otherwise) {
  const std::string near = Nearest(text, known);
  return near.empty() ? otherwise : absl::StrCat("did you mean \"", near, "\"?");
}

Place Resolve(const Key& key, v1::StudySpec* spec) {
  Place place{spec, nullptr};
  for (absl::string_view part : absl::StrSplit(key.field, '.')) {
    if (place.field != nullptr) {
      place.message = place.message->GetReflection()->MutableMessage(place.message, place.field);
    }
    place.field = place.message->GetDescriptor()->FindFieldByName(std::string(part));
  }
  return place;
}

std::string EnumText(const google::protobuf::EnumValueDescriptor& value) {
  // PRECISION_FP32 -> fp32; the prefix is the name of the enum's zero without UNSPECIFIED.
  const std::string& zero = value.type()->FindValueByNumber(0)->name();
  if (value.number() == 0) return "auto";
  const size_t prefix = zero.size() - std::string("UNSPECIFIED").size();
  return absl::AsciiStrToLower(value.name().substr(prefix));
}

std::vector<std::string> EnumTexts(const FieldDescriptor& field) {
  std::vector<std::string> texts;
  const bool has_auto = field.name() == "device" || field.name() == "backend";
  for (int i = has_auto ? 0 : 1; i < field.enum_type()->value_count(); ++i) {
    texts.push_back(EnumText(*field.enum_type()->value(i)));
  }
  return texts;
}

std::string SetFromText(const Key& key, const std::string& text, v1::StudySpec* spec) {
  const Place place = Resolve(key, spec);
  const auto* reflection = place.message->GetReflection();
  const std::string shown = absl::StrCat("\"", text.substr(0, 80), "\"");
  switch (place.field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL: {
      bool value = false;
      if (!ParseBool(text, &value)) return absl::StrCat(shown, " is not true or false");
      reflection->SetBool(place.message, place.field, value);
      return "";
    }
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64: {
      int64_t value = 0;
      double real = 0;
      if (!absl::SimpleAtoi(text, &value)) {
        // 1e3 and 16.0 are whole numbers too.
        if (!absl::SimpleAtod(text, &real) || real != std::floor(real) || std::abs(real) > 9e15) {
          return absl::StrCat(shown, " is not an integer");
        }
        value = static_cast<int64_t>(real);
      }
      if (!InRange(key, static_cast<double>(value))) {
        return absl::StrCat(value, " is out of range ", RangeText(key));
      }
      if (place.field->cpp_type() == FieldDescriptor::CPPTYPE_INT32) {
        reflection->SetInt32(place.message, place.field, static_cast<int32_t>(value));
      } else {
        reflection->SetInt64(place.message, place.field, value);
      }
      return "";
    }
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      double value = 0;
      if (!absl::SimpleAtod(text, &value) || !std::isfinite(value)) {
        return absl::StrCat(shown, " is not a finite number");
      }
      if (!InRange(key, value)) {
        return absl::StrCat(text, " is out of range ", RangeText(key));
      }
      reflection->SetDouble(place.message, place.field, value);
      return "";
    }
    case FieldDescriptor::CPPTYPE_ENUM: {
      const auto texts = EnumTexts(*place.field);
      for (int i = 0; i < place.field->enum_type()->value_count(); ++i) {
        const auto* value = place.field->enum_type()->value(i);
        if (EnumText(*value) != absl::AsciiStrToLower(text)) continue;
        if (value->number() == 0 && texts.front() != "auto") continue;
        reflection->SetEnum(place.message, place.field, value);
        return "";
      }
      return absl::StrCat(shown, " is none of ", absl::StrJoin(texts, ", "));
    }
    default:
      reflection->SetString(place.message, place.field, text);
      return "";
  }
}

std::string GetAsText(const Key& key, const v1::StudySpec& spec) {
  v1::StudySpec copy = spec;
  const Place place = Resolve(key, &copy);
  const auto* reflection = place.message->GetReflection();
  if (place.field->has_presence() && !reflection->HasField(*place.message, place.field)) {
    return "null";
  }
  switch (place.field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection->GetBool(*place.message, place.field) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(reflection->GetInt32(*place.message, place.field));
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(reflection->GetInt64(*place.message, place.field));
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      const double value = reflection->GetDouble(*place.message, place.field);
      std::string text = absl::StrFormat("%.15g", value);
      double back = 0;
      if (!absl::SimpleAtod(text, &back) || back != value) text = absl::StrFormat("%.17g", value);
      return text;
    }
    case FieldDescriptor::CPPTYPE_ENUM:
      return EnumText(*reflection->GetEnum(*place.message, place.field));
    default: {
      const std::string value = reflection->GetString(*place.message, place.field);
      if (value.empty()) return "null";
      // Single quotes keep everything but themselves.
      return absl::StrCat("'", absl::StrJoin(absl::StrSplit(value, '\''), "''"), "'");
    }
  }
}

}  // namespace vlm::config
