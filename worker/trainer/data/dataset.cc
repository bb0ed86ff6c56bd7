#include "worker/trainer/data/dataset.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/status.h"
#include "worker/trainer/data/input.h"
#include "worker/trainer/data/picture_store.h"
#include "worker/trainer/data/utf8.h"

namespace vlm::data {
namespace {

constexpr int64_t kLongestText = 999;  // The position table has 1000 rows, one is the picture's.

absl::StatusOr<Vocabulary> BuildVocabulary(const v1::TrainConfig& config, const CacheIndex& index) {
  std::set<char32_t> characters;
  if (config.data().vocab() == v1::VOCAB_SOURCE_FILE) {
    if (!index.file_is_text) {
      return absl::InvalidArgumentError(absl::StrCat(
          index.input_file, " is not UTF-8; save it as UTF-8, or use data.vocab: captions"));
    }
    characters.insert(index.file_characters.begin(), index.file_characters.end());
  } else {
    for (const CacheRow& row : index.rows) {
      ASSIGN_OR_RETURN(const std::vector<char32_t> points, DecodeUtf8(row.caption));
      characters.insert(points.begin(), points.end());
    }
  }
  return Vocabulary(characters);
}

std::string FromEnv(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

std::string DefaultCacheDir() {
  if (std::string own = FromEnv("VLM_CACHE_DIR"); !own.empty()) return own;
  if (const std::string xdg = FromEnv("XDG_CACHE_HOME"); !xdg.empty()) {
    return xdg + "/vlmctl/pictures";
  }
  const std::string home = FromEnv("HOME");
  return home.empty() ? "" : home + "/.cache/vlmctl/pictures";
}

Dataset::~Dataset() = default;

absl::StatusOr<std::unique_ptr<Dataset>> Dataset::Open(const v1::TrainConfig& config,
                                                       const OpenOptions& options) {
  std::unique_ptr<Dataset> dataset(new Dataset);
  ASSIGN_OR_RETURN(dataset->store_, PictureStore::Open(config, options.cache_dir, options.threads));
  dataset->img_size_ = config.img_size();
  dataset->from_cache_ = dataset->store_->from_cache();
  RETURN_IF_ERROR(dataset->Tokenize(config, options));
  RETURN_IF_ERROR(dataset->Split(config));
  return dataset;
}

absl::Status Dataset::Tokenize(const v1::TrainConfig& config, const OpenOptions& options) {
  const CacheIndex& index = store_->index();
  const bool skip = config.data().on_error() == v1::ON_ERROR_SKIP;
  std::string complaint = index.complaints.empty() ? "" : index.complaints.front();
  skipped_rows_ = static_cast<int64_t>(index.bad_rows);
  if (options.vocabulary.has_value()) {
    vocabulary_ = *options.vocabulary;
  } else {
    ASSIGN_OR_RETURN(vocabulary_, BuildVocabulary(config, index));
  }
  const int64_t most = config.has_block_size() ? config.block_size() : kLongestText;
  token_begin_.push_back(0);
  for (size_t i = 0; i < index.rows.size(); ++i) {
    auto ids = vocabulary_.Encode(index.rows[i].caption);
    if (!ids.ok()) {
      const CacheRow& row = index.rows[i];
      const absl::Status error = RowError(index.input_file, row.number, row.line,
                                          Annotate(ids.status(), "column caption"));
      if (!skip) return error;
      if (++skipped_rows_ == 1) complaint = std::string(error.message());
      continue;
    }
    const auto size = static_cast<int64_t>(ids->size());
    cut_captions_ += size > most;
    longest_ = std::max(longest_, std::min(size, most));
    tokens_.insert(tokens_.end(), ids->begin(), ids->begin() + std::min(size, most));
    token_begin_.push_back(static_cast<int64_t>(tokens_.size()));
    kept_.push_back(static_cast<int64_t>(i));
  }
  if (skipped_rows_ > 0) {
    VLM_LOG_WARNING("bad rows skipped", {{"rows", skipped_rows_}, {"first", complaint}});
  }
  if (kept_.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("all rows of ", index.input_file, " are bad; the first: ", complaint));
  }
  model_vocab_size_ = config.vocab_size() > 0 ? config.vocab_size() : vocabulary_.size();
  if (vocabulary_.size() > model_vocab_size_) {
    return absl::InvalidArgumentError(absl::StrCat(
        "vocab_size ", config.vocab_size(), " is too small for the data: ", vocabulary_.size() - 1,
        " characters and <pad> need ", vocabulary_.size(), "; set vocab_size to ",
        vocabulary_.size(), ", or to 0 for as many as needed"));
  }
  return absl::OkStatus();
}

absl::Status Dataset::Split(const v1::TrainConfig& config) {
  const int64_t n = rows();
  // The small addition keeps 0.29 x 100 from becoming 28.
  train_rows_ = static_cast<int64_t>(
      std::floor(static_cast<double>(n) * config.data().train_fraction() + 1e-9));
  val_begin_ = train_rows_;
  repeat_ = config.data().repeat();
  if (n == 1) {
    train_rows_ = 1;
    val_begin_ = 0;
    VLM_LOG_WARNING("the only row of the data is used for training and for validation",
                    {{"file", store_->index().input_file}});
    return absl::OkStatus();
  }
  if (train_rows_ > 0 && train_rows_ < n) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("data.train_fraction ", config.data().train_fraction(), " of ", n,
                   " rows leaves none for ", train_rows_ == 0 ? "training" : "validation",
                   "; add rows, or set data.train_fraction to ", train_rows_ == 0 ? "0.9" : "0.5"));
}

int64_t Dataset::rows() const { return static_cast<int64_t>(kept_.size()); }
int64_t Dataset::train_size() const { return train_rows_ * repeat_; }
int64_t Dataset::val_size() const { return rows() - val_begin_; }

absl::Span<const uint8_t> Dataset::Pixels(int64_t row) const {
  return store_->Picture(static_cast<size_t>(kept_[static_cast<size_t>(row)]));
}

absl::Status Dataset::CheckPixels(int64_t row) const {
  return store_->CheckPicture(static_cast<size_t>(kept_[static_cast<size_t>(row)]));
}

absl::Span<const int32_t> Dataset::Tokens(int64_t row) const {
  const auto at = static_cast<size_t>(row);
  const int64_t begin = token_begin_[at];
  return absl::MakeConstSpan(tokens_).subspan(static_cast<size_t>(begin),
                                              static_cast<size_t>(token_begin_[at + 1] - begin));
}

const std::string& Dataset::Caption(int64_t row) const {
  return store_->index().rows[static_cast<size_t>(kept_[static_cast<size_t>(row)])].caption;
}

}  // namespace vlm::data
