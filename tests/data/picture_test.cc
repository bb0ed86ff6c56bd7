#include "worker/trainer/data/picture.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "tests/data/pictures.h"
#include "tests/data/support.h"

namespace vlm::data {
namespace {

using testing::ReadFile;
using testing::TestFile;

// The P6 files of make_golden.py as planar pixels.
std::vector<uint8_t> ReadPpm(const std::string& path, int* size) {
  const std::string text = ReadFile(path);
  int height = 0, offset = 0;
  EXPECT_EQ(std::sscanf(text.c_str(), "P6 %d %d 255%n", size, &height, &offset), 2) << path;
  const size_t plane = static_cast<size_t>(*size) * static_cast<size_t>(height);
  std::vector<uint8_t> planar(plane * 3);
  for (size_t i = 0; i < plane * 3; ++i) {
    planar[i % 3 * plane + i / 3] = static_cast<uint8_t>(text[static_cast<size_t>(offset) + 1 + i]);
  }
  return planar;
}

class GoldenTest : public ::testing::TestWithParam<std::string> {};

TEST_P(GoldenTest, IsWithinOneLevelOfPillow) {
  const std::string input = TestFile("golden/" + GetParam());
  int size = 0;
  const auto want = ReadPpm(std::filesystem::path(input).replace_extension(".ppm"), &size);

  const auto got = PrepareFile(input, size);

  ASSERT_TRUE(got.ok()) << got.status();
  ASSERT_EQ(got->size(), want.size());
  int worst = 0;
  for (size_t i = 0; i < want.size(); ++i) worst = std::max(worst, std::abs(want[i] - (*got)[i]));
  EXPECT_LE(worst, 1);
}

std::string TestName(const ::testing::TestParamInfo<std::string>& info) {
  return info.param.substr(0, info.param.find('.'));
}

INSTANTIATE_TEST_SUITE_P(Pillow, GoldenTest,
                         ::testing::Values("down.png", "down_far.png", "up.png", "up_and_down.png",
                                           "same.png", "same_width.png", "one_pixel.png",
                                           "one_row.png", "interlaced.png", "gray.png", "gray1.png",
                                           "gray2.png", "gray4.png", "gray16.png", "gray_alpha.png",
                                           "alpha.png", "palette.png", "palette_clear.png",
                                           "rgb16.png", "jpeg_420.jpg", "jpeg_422.jpg",
                                           "jpeg_444.jpg", "jpeg_gray.jpg", "jpeg_progressive.jpg",
                                           "jpeg_cmyk.jpg", "jpeg_rotated.jpg", "webp_lossy.webp",
                                           "webp_alpha.webp"),
                         TestName);

// Every prefix of a picture is refused, and none crashes.
class TruncatedTest : public ::testing::TestWithParam<std::string> {};

TEST_P(TruncatedTest, IsAnErrorWhereverItIsCut) {
  const std::string bytes = ReadFile(TestFile("golden/" + GetParam()));
  for (size_t size = 0; size + 20 < bytes.size(); size += 7) {
    const auto got = PrepareBytes(bytes.substr(0, size), 8);
    EXPECT_EQ(got.status().code(), absl::StatusCode::kInvalidArgument) << size;
  }
}

TEST_P(TruncatedTest, DamagedBytesNeverCrash) {
  const std::string good = ReadFile(TestFile("golden/" + GetParam()));
  int refused = 0;
  for (size_t at = 0; at < good.size(); at += 3) {
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x5A);
    refused += !PrepareBytes(bytes, 8, 1 << 20).ok();
  }
  EXPECT_GT(refused, 0);
}

INSTANTIATE_TEST_SUITE_P(Formats, TruncatedTest,
                         ::testing::Values("down.png", "interlaced.png", "palette.png",
                                           "jpeg_420.jpg", "jpeg_progressive.jpg",
                                           "webp_lossy.webp", "webp_alpha.webp"),
                         TestName);

TEST(PictureTest, FormatIsToldByTheBytes) {
  const auto got = PrepareBytes("GIF89a not one of ours", 8);

  EXPECT_EQ(got.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(got.status().message().find("47494638"), std::string::npos) << got.status();
}

TEST(PictureTest, TooManyPixelsAreRefusedFromTheHeaderAlone) {
  const std::string bomb = testing::PngHeaderOnly(20000, 20000);

  const auto got = PrepareBytes(bomb, 8);

  EXPECT_EQ(got.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(got.status().message().find("20000x20000"), std::string::npos) << got.status();
  EXPECT_NE(got.status().message().find("data.max_pixels"), std::string::npos);
}

TEST(PictureTest, TheLargestPngSidesDoNotOverflow) {
  const auto got = PrepareBytes(testing::PngHeaderOnly(0x7FFFFFFF, 0x7FFFFFFF), 8);

  EXPECT_EQ(got.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(PictureTest, AMissingFileIsNamed) {
  const auto got = PrepareFile("/no/such/picture.png", 8);

  EXPECT_EQ(got.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(got.status().message().find("/no/such/picture.png"), std::string::npos);
}

TEST(PictureTest, AFolderIsNoPicture) {
  EXPECT_EQ(PrepareFile("/", 8).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace vlm::data
