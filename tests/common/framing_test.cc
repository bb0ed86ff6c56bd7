// Frames between an agent and its trainers, hostile peers included.
#include "common/framing.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "gtest/gtest.h"
#include "vlm/v1/trainer.pb.h"

namespace vlm {
namespace {

class FramingTest : public ::testing::Test {
 protected:
  FramingTest() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    ours_ = std::make_unique<FrameSocket>(fds[0]);
    theirs_ = std::make_unique<FrameSocket>(fds[1]);
  }
  void SendRaw(const std::string& bytes) {
    EXPECT_EQ(write(theirs_->fd(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  static std::string Length(uint32_t n) {
    return {static_cast<char>(n), static_cast<char>(n >> 8), static_cast<char>(n >> 16),
            static_cast<char>(n >> 24)};
  }
  absl::Status Receive() { return ours_->Receive(received_); }

  std::unique_ptr<FrameSocket> ours_;
  std::unique_ptr<FrameSocket> theirs_;
  v1::TrainerMessage received_;
};

TEST_F(FramingTest, MessagesArriveInOrder) {
  for (int pid : {1, 2, 3}) {
    v1::TrainerMessage message;
    message.mutable_hello()->set_pid(pid);
    ASSERT_TRUE(theirs_->Send(message).ok());
  }
  for (int pid : {1, 2, 3}) {
    ASSERT_TRUE(Receive().ok());
    EXPECT_EQ(received_.hello().pid(), pid);
  }
}

TEST_F(FramingTest, AnEmptyMessageIsAFrame) {
  ASSERT_TRUE(theirs_->Send(v1::TrainerMessage()).ok());
  EXPECT_TRUE(Receive().ok());
}

TEST_F(FramingTest, AFrameLargerThanTheSocketsBufferArrivesWhole) {
  v1::TrainerMessage message;
  message.mutable_hello()->set_version(std::string(5'000'000, 'v'));
  std::thread sender([&] { EXPECT_TRUE(theirs_->Send(message).ok()); });
  ASSERT_TRUE(Receive().ok());
  sender.join();
  EXPECT_EQ(received_.hello().version().size(), 5'000'000u);
}

TEST_F(FramingTest, AFrameInPiecesArrivesWhole) {
  v1::TrainerMessage message;
  message.mutable_hello()->set_version("abc");
  const std::string body = message.SerializeAsString();
  const std::string frame = Length(static_cast<uint32_t>(body.size())) + body;
  std::thread sender([&] {
    for (char c : frame) SendRaw(std::string(1, c));
  });
  ASSERT_TRUE(Receive().ok());
  sender.join();
  EXPECT_EQ(received_.hello().version(), "abc");
}

TEST_F(FramingTest, ADescriptorTravelsAlong) {
  const int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_TRUE(theirs_->Send(v1::TrainerMessage(), file).ok());
  std::optional<int> descriptor;
  ASSERT_TRUE(ours_->Receive(received_, &descriptor).ok());
  ASSERT_TRUE(descriptor.has_value());
  struct stat first {
  }, second{};
  fstat(file, &first);
  fstat(*descriptor, &second);
  EXPECT_EQ(first.st_rdev, second.st_rdev);
  close(file);
  close(*descriptor);
}

// ---- ends and hostile peers ----

TEST_F(FramingTest, AnEndBetweenFramesIsClean) {
  theirs_.reset();
  EXPECT_EQ(Receive().code(), absl::StatusCode::kOutOfRange);
}

TEST_F(FramingTest, AnEndInsideALengthOrABodyIsDamage) {
  SendRaw("\x05");
  theirs_.reset();
  EXPECT_EQ(Receive().code(), absl::StatusCode::kDataLoss);
}

TEST_F(FramingTest, AnEndRightAfterALengthIsDamage) {
  SendRaw(Length(10));
  theirs_.reset();
  EXPECT_EQ(Receive().code(), absl::StatusCode::kDataLoss);
}

TEST_F(FramingTest, ALengthOverTheLimitIsRefusedWithoutTheMemory) {
  for (uint32_t length : {static_cast<uint32_t>(kMaxFrameBytes) + 1, 0xffffffffu}) {
    SendRaw(Length(length));
    EXPECT_EQ(Receive().code(), absl::StatusCode::kDataLoss) << length;
  }
}

TEST_F(FramingTest, BytesThatAreNoMessageAreDamage) {
  SendRaw(Length(4) + "\xff\xff\xff\xff");
  EXPECT_EQ(Receive().code(), absl::StatusCode::kDataLoss);
}

TEST_F(FramingTest, ATooLargeMessageIsNotSent) {
  v1::TrainerMessage message;
  message.mutable_hello()->set_version(std::string(kMaxFrameBytes + 1, 'v'));
  EXPECT_EQ(theirs_->Send(message).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(FramingTest, SendingToAPeerThatIsGoneIsAnErrorNotASignal) {
  theirs_.reset();
  EXPECT_EQ(ours_->Send(v1::TrainerMessage()).code(), absl::StatusCode::kUnavailable);
}

TEST_F(FramingTest, ShutdownWakesAReceiver) {
  std::thread receiver([&] { EXPECT_EQ(Receive().code(), absl::StatusCode::kOutOfRange); });
  ours_->Shutdown();
  receiver.join();
}

TEST_F(FramingTest, AnUnwantedDescriptorIsClosed) {
  int pipe_ends[2];
  ASSERT_EQ(pipe2(pipe_ends, O_CLOEXEC), 0);
  ASSERT_TRUE(theirs_->Send(v1::TrainerMessage(), pipe_ends[1]).ok());
  close(pipe_ends[1]);
  ASSERT_TRUE(Receive().ok());
  char byte = 0;
  EXPECT_EQ(read(pipe_ends[0], &byte, 1), 0) << "somebody still holds the writing end";
  close(pipe_ends[0]);
}

}  // namespace
}  // namespace vlm
