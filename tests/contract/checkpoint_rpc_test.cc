// Checkpoints: uploaded in chunks, resumed, verified, read back, damaged.
#include <algorithm>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "tests/contract/coordinator_fixture.h"

namespace vlm {
namespace {

class CheckpointRpcTest : public CoordinatorFixture {
 protected:
  CheckpointRpcTest() : data_(3'000'000, '\0') {
    for (size_t i = 0; i < data_.size(); ++i) data_[i] = static_cast<char>(i * 2654435761u >> 13);
    worker_.Hello();
    Submit("a", 1);
    offer_ = worker_.ReceiveOffer();
    worker_.Accept(offer_);
    worker_.Receive();
    id_ = absl::StrCat("ckpt-", offer_.attempt_id(), "-20");
  }
  v1::UploadCheckpointRequest Header(int epoch = 1) const {
    v1::UploadCheckpointRequest request;
    request.mutable_header()->set_worker_id("w1");
    request.mutable_header()->set_epoch(epoch);
    v1::Checkpoint& checkpoint = *request.mutable_header()->mutable_checkpoint();
    checkpoint.set_checkpoint_id(id_);
    checkpoint.set_attempt_id(offer_.attempt_id());
    checkpoint.set_step(20);
    checkpoint.set_sha256(Sha256(data_));
    checkpoint.set_size_bytes(static_cast<int64_t>(data_.size()));
    return request;
  }
  // Sends the bytes from `from` to `to`.
  grpc::Status Upload(const v1::UploadCheckpointRequest& header, const std::string& data,
                      size_t from = 0, size_t to = std::string::npos) {
    const auto context = MakeContext();
    v1::UploadCheckpointResponse response;
    auto writer = fleet_->UploadCheckpoint(context.get(), &response);
    writer->Write(header);
    for (size_t at = from; at < std::min(to, data.size()); at += 1 << 20) {
      v1::UploadCheckpointRequest chunk;
      chunk.mutable_chunk()->set_offset(static_cast<int64_t>(at));
      chunk.mutable_chunk()->set_data(data.substr(at, 1 << 20));
      if (!writer->Write(chunk)) break;
    }
    writer->WritesDone();
    return writer->Finish();
  }
  grpc::Status Download(const std::string& id, int64_t offset, std::string* out) {
    const auto context = MakeContext();
    v1::DownloadCheckpointRequest request;
    request.set_checkpoint_id(id);
    request.set_offset(offset);
    auto reader = fleet_->DownloadCheckpoint(context.get(), request);
    v1::DownloadCheckpointResponse response;
    while (reader->Read(&response)) {
      if (response.has_chunk()) out->append(response.chunk().data());
    }
    return reader->Finish();
  }

  std::string data_;
  std::string id_;
  ScriptedWorker worker_{channel_, "w1"};
  v1::Offer offer_;
};

TEST_F(CheckpointRpcTest, WhatIsUploadedIsRegisteredAndReadBack) {
  ASSERT_TRUE(Upload(Header(), data_).ok());
  EXPECT_EQ(Trial("a/0").checkpoint().uri(), "coordinator:" + id_);
  std::string back;
  ASSERT_TRUE(Download(id_, 0, &back).ok());
  EXPECT_EQ(back, data_);
}

TEST_F(CheckpointRpcTest, ADownloadGoesOnFromAnOffset) {
  ASSERT_TRUE(Upload(Header(), data_).ok());
  std::string back;
  ASSERT_TRUE(Download(id_, 2'999'990, &back).ok());
  EXPECT_EQ(back, data_.substr(2'999'990));
}

TEST_F(CheckpointRpcTest, AnUploadThatBrokeOffIsGoneOnWith) {
  EXPECT_EQ(Upload(Header(), data_, 0, 1 << 20).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(Upload(Header(), data_, 1 << 20).ok());
  EXPECT_TRUE(Upload(Header(), data_).ok()) << "and again from the start";
}

TEST_F(CheckpointRpcTest, AWrongHashIsDataLossAndRegistersNothing) {
  std::string wrong = data_;
  wrong[1'500'000] ^= 1;
  EXPECT_EQ(Upload(Header(), wrong).error_code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_FALSE(Trial("a/0").has_checkpoint());
  EXPECT_TRUE(Upload(Header(), data_).ok());
}

TEST_F(CheckpointRpcTest, AStaleEpochIsRefused) {
  EXPECT_EQ(Upload(Header(2), data_).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(CheckpointRpcTest, MoreBytesThanAnnouncedAreRefused) {
  EXPECT_EQ(Upload(Header(), data_ + std::string(1 << 20, 'x')).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(CheckpointRpcTest, AnIdThatLeavesTheFolderIsRefused) {
  v1::UploadCheckpointRequest header = Header();
  header.mutable_header()->mutable_checkpoint()->set_checkpoint_id("../../etc/passwd");
  EXPECT_EQ(Upload(header, data_).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  std::string back;
  EXPECT_EQ(Download("../../etc/passwd", 0, &back).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(CheckpointRpcTest, AnEmptyUploadIsRefused) {
  EXPECT_EQ(Upload(v1::UploadCheckpointRequest(), "").error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(CheckpointRpcTest, DamageOnTheDiskIsNamedAndTheCheckpointForgotten) {
  ASSERT_TRUE(Upload(Header(), data_).ok());
  {
    std::fstream file(options_.data_dir + "/checkpoints/" + id_ + ".safetensors",
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(100);
    file.put('!');
  }
  std::string back;
  EXPECT_EQ(Download(id_, 0, &back).error_code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_TRUE(back.empty());
  EXPECT_TRUE(
      testing::Eventually(absl::Seconds(5), [this] { return !Trial("a/0").has_checkpoint(); }));
}

}  // namespace
}  // namespace vlm
