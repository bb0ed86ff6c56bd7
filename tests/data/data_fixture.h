// A folder with a small data set and the configuration that reads it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/data/pictures.h"
#include "tests/data/support.h"
#include "worker/trainer/data/dataset.h"

namespace vlm::data::testing {

class DataTest : public ::testing::Test {
 protected:
  DataTest() {
    config_.set_img_size(8);
    config_.set_num_workers(0);
    config_.mutable_data()->set_repeat(1);
    config_.mutable_data()->set_train_fraction(0.9);
    config_.mutable_data()->set_max_pixels(int64_t{64} << 20);
    options_.cache_dir = dir_ / "cache";
    options_.threads = 2;
  }

  // Rows of the reference's form: row i is a grey picture of level i with caption "row i".
  static std::string ReferenceCsv(int rows) {
    std::string csv = "b64string_images,caption\n";
    for (int i = 0; i < rows; ++i) absl::StrAppend(&csv, GreyBase64(i), ",row ", i, "\n");
    return csv;
  }
  static std::string GreyBase64(int level) {
    const auto v = static_cast<uint8_t>(level);
    return Base64(Png(4, 4, v, v, v));
  }

  absl::StatusOr<std::unique_ptr<Dataset>> Open(const std::string& input) {
    config_.set_input_path(input);
    return Dataset::Open(config_, options_);
  }
  absl::StatusOr<std::unique_ptr<Dataset>> OpenCsv(const std::string& text) {
    return Open(dir_.Write("inputs.csv", text));
  }
  // Opens, and expects the error `code` with `part` in its message.
  void ExpectError(const std::string& input, absl::StatusCode code, const std::string& part) {
    const auto dataset = Open(input);
    EXPECT_EQ(dataset.status().code(), code) << dataset.status();
    EXPECT_THAT(std::string(dataset.status().message()), ::testing::HasSubstr(part));
  }
  void ExpectCsvError(const std::string& text, const std::string& part) {
    ExpectError(dir_.Write("inputs.csv", text), absl::StatusCode::kInvalidArgument, part);
  }

  const TempDir dir_;
  v1::TrainConfig config_;
  OpenOptions options_;
};

}  // namespace vlm::data::testing
