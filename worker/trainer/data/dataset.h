// The captioned pictures of one configuration, decoded and resized once, kept as uint8 in a
// memory-mapped cache file. Immutable after Open, therefore thread-safe. Owner: the training loop.
//
// A *row* is a usable row of the input (bad ones are refused or skipped by data.on_error), counted
// from 0 in file order; the first floor(rows x data.train_fraction) train, the rest validate. A
// data set of exactly one row uses it for both. Formats and every outcome: docs/data.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "vlm/v1/config.pb.h"
#include "worker/trainer/data/vocabulary.h"

namespace vlm::data {

class PictureStore;  // picture_store.h: the mapped pixels and captions.

struct OpenOptions {
  // Folder of the picture cache; made if missing. Empty: nothing is kept on disk. A folder that
  // cannot be written costs a warning and a decoding at each start, never the trial.
  std::string cache_dir;
  int threads = 0;  // Decoding threads; 0 = one per core.
  // Of a checkpoint that is resumed: used instead of the one made of the data. A caption with a
  // character that it lacks is a bad row.
  std::optional<Vocabulary> vocabulary;
};

// $VLM_CACHE_DIR, else $XDG_CACHE_HOME/vlmctl/pictures, else ~/.cache/vlmctl/pictures; empty when
// none of the variables is set.
std::string DefaultCacheDir();

class Dataset {
 public:
  // Reads, decodes and caches, or maps what is cached already.
  // INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED: the person's data or configuration (a user
  // error, never worth a retry). Other codes: the machine (RESOURCE_EXHAUSTED disk full, ...).
  static absl::StatusOr<std::unique_ptr<Dataset>> Open(const v1::TrainConfig& config,
                                                       const OpenOptions& options);
  ~Dataset();

  int64_t rows() const;
  int64_t train_size() const;                 // Training rows x data.repeat.
  int64_t repeat() const { return repeat_; }  // data.repeat
  int64_t val_size() const;  // Validation rows; validation wraps around, a repeat adds nothing.
  // i in [0, train_size()) or [0, val_size()) -> row. Repeats never cross the split.
  int64_t TrainRow(int64_t i) const { return i % train_rows_; }
  int64_t ValRow(int64_t i) const { return val_begin_ + i; }

  int64_t img_size() const { return img_size_; }
  // RGB, planar [3, img_size, img_size]; valid as long as this object.
  absl::Span<const uint8_t> Pixels(int64_t row) const;
  // DATA_LOSS: the cache file was damaged since it was written; it is removed, so the next Open
  // makes it anew. Small sets are checked as a whole by Open and cost nothing here.
  absl::Status CheckPixels(int64_t row) const;
  // Ids of the caption, at most block_size, without `<pad>`.
  absl::Span<const int32_t> Tokens(int64_t row) const;
  const std::string& Caption(int64_t row) const;  // As in the input, not cut.

  const Vocabulary& vocabulary() const { return vocabulary_; }
  // Of the model's tables: config.vocab_size, or the vocabulary's size if that is 0.
  int64_t model_vocab_size() const { return model_vocab_size_; }
  int64_t longest() const { return longest_; }            // Tokens of the longest (cut) caption.
  int64_t skipped_rows() const { return skipped_rows_; }  // Bad rows, with data.on_error: skip.
  int64_t cut_captions() const { return cut_captions_; }  // Longer than block_size.
  bool from_cache() const { return from_cache_; }         // Nothing had to be decoded.

 private:
  Dataset() = default;
  absl::Status Tokenize(const v1::TrainConfig& config, const OpenOptions& options);
  absl::Status Split(const v1::TrainConfig& config);

  std::unique_ptr<PictureStore> store_;
  std::vector<int64_t> kept_;         // row -> row of the store.
  std::vector<int32_t> tokens_;       // All captions, one after the other.
  std::vector<int64_t> token_begin_;  // rows() + 1 offsets into tokens_.
  Vocabulary vocabulary_;
  int64_t img_size_ = 0;
  int64_t train_rows_ = 0;
  int64_t val_begin_ = 0;
  int64_t repeat_ = 1;
  int64_t model_vocab_size_ = 0;
  int64_t longest_ = 0;
  int64_t skipped_rows_ = 0;
  int64_t cut_captions_ = 0;
  bool from_cache_ = false;
};

}  // namespace vlm::data
