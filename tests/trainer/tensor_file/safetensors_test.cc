#include "worker/trainer/tensor_file/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>

namespace vlm::trainer {
namespace {

namespace fs = std::filesystem;

absl::string_view Bytes(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * 4};
}

class SafetensorsTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "/safetensors_" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    path_ = folder_ + "/file.safetensors";
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string folder_, path_;
};

TEST_F(SafetensorsTest, WhatIsWrittenIsReadBack) {
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const std::string bytes = "\1\2\3";
  SafetensorsWriter writer;
  ASSERT_TRUE(writer.Add("small", DType::kU8, {3}, bytes).ok());
  ASSERT_TRUE(writer.Add("large", DType::kF32, {2, 3}, Bytes(values)).ok());
  writer.SetMetadata("step", "7");
  ASSERT_TRUE(writer.Write(path_).ok());

  const auto reader = SafetensorsReader::Open(path_);

  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ((*reader)->Data(*(*reader)->Find("large")), Bytes(values));
  EXPECT_EQ((*reader)->Data(*(*reader)->Find("small")), bytes);
  EXPECT_THAT((*reader)->Find("large")->shape, testing::ElementsAre(2, 3));
  EXPECT_EQ((*reader)->metadata().at("step"), "7");
  EXPECT_EQ((*reader)->Find("other"), nullptr);
}

TEST_F(SafetensorsTest, EveryTensorIsAlignedToItsElement) {
  SafetensorsWriter writer;
  const std::string odd(3, 'x'), wide(16, 'y');
  ASSERT_TRUE(writer.Add("odd", DType::kU8, {3}, odd).ok());
  ASSERT_TRUE(writer.Add("wide", DType::kI64, {2}, wide).ok());
  ASSERT_TRUE(writer.Write(path_).ok());

  const auto reader = SafetensorsReader::Open(path_);

  ASSERT_TRUE(reader.ok());
  const auto* data = (*reader)->Data(*(*reader)->Find("wide")).data();
  EXPECT_EQ(reinterpret_cast<uintptr_t>(data) % 8, 0);
}

TEST_F(SafetensorsTest, ScalarsAndEmptyTensorsAreKept) {
  SafetensorsWriter writer;
  const std::vector<float> one = {3.5f};
  ASSERT_TRUE(writer.Add("scalar", DType::kF32, {}, Bytes(one)).ok());
  ASSERT_TRUE(writer.Add("empty", DType::kF32, {0, 4}, "").ok());
  ASSERT_TRUE(writer.Write(path_).ok());

  const auto reader = SafetensorsReader::Open(path_);

  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_TRUE((*reader)->Find("scalar")->shape.empty());
  EXPECT_THAT((*reader)->Find("empty")->shape, testing::ElementsAre(0, 4));
}

TEST_F(SafetensorsTest, NamesAndMetadataMayHoldAnyText) {
  SafetensorsWriter writer;
  const std::vector<float> one = {1};
  ASSERT_TRUE(writer.Add("a \"quoted\"\n name ü", DType::kF32, {1}, Bytes(one)).ok());
  writer.SetMetadata("vocab", "\\ \t \" \xC3\xA9");
  ASSERT_TRUE(writer.Write(path_).ok());

  const auto reader = SafetensorsReader::Open(path_);

  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_NE((*reader)->Find("a \"quoted\"\n name ü"), nullptr);
  EXPECT_EQ((*reader)->metadata().at("vocab"), "\\ \t \" \xC3\xA9");
}

TEST_F(SafetensorsTest, AddRefusesWhatCannotBeWritten) {
  SafetensorsWriter writer;
  const std::vector<float> two = {1, 2};
  EXPECT_EQ(writer.Add("a", DType::kF32, {3}, Bytes(two)).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(writer.Add("a", DType::kF32, {-2}, Bytes(two)).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(writer.Add("__metadata__", DType::kF32, {2}, Bytes(two)).code(),
            absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(writer.Add("a", DType::kF32, {2}, Bytes(two)).ok());
  EXPECT_THAT(writer.Add("a", DType::kF32, {2}, Bytes(two)).message(), testing::HasSubstr("twice"));
}

TEST_F(SafetensorsTest, AFailedWriteLeavesTheOldFileAndNothingElse) {
  SafetensorsWriter small;
  const std::vector<float> one = {1};
  ASSERT_TRUE(small.Add("a", DType::kF32, {1}, Bytes(one)).ok());
  ASSERT_TRUE(small.Write(path_).ok());
  const std::string large(1 << 20, 'x');
  SafetensorsWriter writer;
  ASSERT_TRUE(writer.Add("a", DType::kU8, {1 << 20}, large).ok());
  // A file size limit fails writes the way a full disk does, in the middle.
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit limit = {64 << 10, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);

  const absl::Status status = writer.Write(path_);

  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(status.message(), testing::HasSubstr(path_));
  EXPECT_TRUE(SafetensorsReader::Open(path_).ok());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

TEST_F(SafetensorsTest, AMissingFolderIsNotFound) {
  EXPECT_EQ(SafetensorsWriter().Write(folder_ + "/no/file").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(SafetensorsReader::Open(folder_ + "/no/file").status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace vlm::trainer
