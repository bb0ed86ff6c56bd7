// The rows of a data set as the person wrote them, in file order. Three forms, by what is there:
//  - CSV with columns b64string_images and caption (the reference's form);
//  - CSV with columns image_path and caption, paths relative to the CSV's folder;
//  - a folder with captions.jsonl (or that file): {"image": PATH, "caption": TEXT} a line.
// A path must stay in the folder: absolute ones and those that climb out with ".." are bad rows.
// Links are followed: who owns the folder made them. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/trainer/data/files.h"

namespace vlm::data {

struct InputRow {
  int64_t number = 0;  // From 1; a header does not count.
  int64_t line = 0;    // In the file, from 1.
  std::string caption;
  std::string base64;  // The picture itself, or
  std::string path;    // where it is (folder of the input in front).
  absl::Status error;  // Why this row cannot be used; names the column and the remedy.
};

class InputReader {
 public:
  virtual ~InputReader() = default;
  // False at the end. An error ends the reading (the disk failed).
  virtual absl::StatusOr<bool> Next(InputRow* row) = 0;
  // The file with the rows, for messages and for noticing changes.
  const std::string& file() const { return identity().path; }
  virtual const FileIdentity& identity() const = 0;  // As it was when opened.
  // After the end: the set of code points of the file's text, line ends as "\n", sorted.
  // INVALID_ARGUMENT: the file is not UTF-8.
  virtual absl::StatusOr<std::vector<char32_t>> FileCharacters() const = 0;
};

// NOT_FOUND, PERMISSION_DENIED; INVALID_ARGUMENT: none of the forms.
absl::StatusOr<std::unique_ptr<InputReader>> OpenInput(const std::string& input_path);

// "FILE: row 3 (line 4): " and the error: how a bad row is told.
absl::Status RowError(const std::string& file, int64_t number, int64_t line,
                      const absl::Status& error);

}  // namespace vlm::data
