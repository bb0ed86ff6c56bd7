// Files that lie, are cut or are no safetensors at all: each is DATA_LOSS that says what is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "worker/trainer/tensor_file/safetensors.h"

namespace vlm::trainer {
namespace {

using testing::HasSubstr;

class HostileSafetensorsTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "/hostile_" +
            testing::UnitTest::GetInstance()->current_test_info()->name() + ".safetensors";
  }
  void TearDown() override { std::filesystem::remove(path_); }

  absl::Status OpenBytes(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary) << bytes;
    return SafetensorsReader::Open(path_).status();
  }
  // With the right header length in front and `data` behind.
  absl::Status Open(const std::string& header, const std::string& data = "") {
    return OpenBytes(Framed(header, data));
  }
  static std::string Framed(const std::string& header, const std::string& data) {
    const uint64_t length = header.size();
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &length, 8);
    return bytes + header + data;
  }
  void ExpectLoss(const absl::Status& status, const std::string& part) {
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(status.message(), HasSubstr(part));
    EXPECT_THAT(status.message(), HasSubstr(path_));
  }

  std::string path_;
};

std::string Entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"w":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}}";
}

TEST_F(HostileSafetensorsTest, AnEmptyOrTinyFileIsRefused) {
  ExpectLoss(OpenBytes(""), "too few");
  ExpectLoss(OpenBytes("1234567"), "too few");
}

TEST_F(HostileSafetensorsTest, AHeaderLongerThanTheFileIsRefused) {
  ExpectLoss(OpenBytes(std::string(8, '\xFF') + "{}"), "does not fit");
  ExpectLoss(OpenBytes(std::string("\x03\0\0\0\0\0\0\0{}", 10)), "does not fit");
}

TEST_F(HostileSafetensorsTest, AHeaderThatIsNoJsonObjectIsRefused) {
  ExpectLoss(Open("not json"), "JSON");
  ExpectLoss(Open("[1, 2]"), "object");
  ExpectLoss(Open(R"({"w":)"), "JSON");
  ExpectLoss(Open(std::string(100'000, '[')), "JSON");
}

TEST_F(HostileSafetensorsTest, ADuplicateNameIsRefused) {
  const std::string entry = R"("w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  ExpectLoss(Open("{" + entry + "," + entry + "}", "x"), "twice");
}

TEST_F(HostileSafetensorsTest, AnUnknownDtypeNamesTheTensor) {
  ExpectLoss(Open(Entry("F13", "[1]", "[0,1]"), "x"), "tensor 'w': dtype \"F13\"");
}

TEST_F(HostileSafetensorsTest, ShapesThatAreNoSizesAreRefused) {
  ExpectLoss(Open(Entry("U8", "[-1]", "[0,1]"), "x"), "extent -1");
  ExpectLoss(Open(Entry("U8", "[1.5]", "[0,1]"), "x"), "extent 1.5");
  ExpectLoss(Open(Entry("U8", "\"1\"", "[0,1]"), "x"), "no list");
}

TEST_F(HostileSafetensorsTest, AShapeWhoseProductOverflowsIsRefused) {
  ExpectLoss(Open(Entry("F32", "[4294967296,4294967296]", "[0,0]")), "too many");
  ExpectLoss(Open(Entry("F32", "[4611686018427387904]", "[0,0]")), "too many");
}

TEST_F(HostileSafetensorsTest, OffsetsOutsideOfTheFileAreRefused) {
  ExpectLoss(Open(Entry("U8", "[4]", "[0,4]"), "xxx"), "cut short");
  ExpectLoss(Open(Entry("U8", "[1]", "[2,1]"), "xxx"), "data_offsets");
  ExpectLoss(Open(Entry("U8", "[1]", "[0]"), "x"), "[begin, end]");
}

TEST_F(HostileSafetensorsTest, ASizeThatDoesNotFitTheShapeIsRefused) {
  ExpectLoss(Open(Entry("F32", "[2]", "[0,4]"), "xxxx"), "need 8 bytes");
}

TEST_F(HostileSafetensorsTest, OverlapsHolesAndRestsAreRefused) {
  const auto two = [](const std::string& first, const std::string& second) {
    return R"({"a":{"dtype":"U8","shape":[2],"data_offsets":)" + first +
           R"(},"b":{"dtype":"U8","shape":[2],"data_offsets":)" + second + "}}";
  };
  ExpectLoss(Open(two("[0,2]", "[1,3]"), "xxx"), "inside");
  ExpectLoss(Open(two("[0,2]", "[3,5]"), "xxxxx"), "hole");
  ExpectLoss(Open(two("[0,2]", "[2,4]"), "xxxxx"), "belong to none");
}

TEST_F(HostileSafetensorsTest, MetadataMustBeText) {
  ExpectLoss(Open(R"({"__metadata__":{"a":1}})"), "__metadata__.a");
  ExpectLoss(Open(R"({"__metadata__":[]})"), "__metadata__");
}

TEST_F(HostileSafetensorsTest, AFolderIsRefused) {
  EXPECT_EQ(SafetensorsReader::Open(testing::TempDir()).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST_F(HostileSafetensorsTest, EveryPrefixOfAGoodFileIsRefused) {
  const std::string good = Framed(Entry("U8", "[4]", "[0,4]"), "abcd");
  ASSERT_TRUE(OpenBytes(good).ok());
  for (size_t length = 0; length < good.size(); ++length) {
    EXPECT_EQ(OpenBytes(good.substr(0, length)).code(), absl::StatusCode::kDataLoss) << length;
  }
}

TEST_F(HostileSafetensorsTest, DamagedBytesNeverGiveDataOutsideOfTheFile) {
  const std::string good = Framed(Entry("F32", "[2,2]", "[0,16]"), "0123456789abcdef");
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = good;
    for (int i = 0; i < 3; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
    std::ofstream(path_, std::ios::binary) << bytes;
    const auto reader = SafetensorsReader::Open(path_);
    if (!reader.ok()) continue;
    uint64_t total = 0;
    for (const TensorInfo& info : (*reader)->tensors()) total += (*reader)->Data(info).size();
    EXPECT_LE(total, bytes.size());
  }
}

}  // namespace
}  // namespace vlm::trainer
