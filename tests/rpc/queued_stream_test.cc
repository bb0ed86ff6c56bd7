#include "server/rpc/queued_stream.h"

#include "gtest/gtest.h"
#include "vlm/v1/control.pb.h"

namespace vlm::rpc {
namespace {

// In place of a gRPC reactor: remembers what it was told.
struct FakeReactor {
  virtual ~FakeReactor() = default;
  virtual void OnWriteDone(bool) {}
  virtual void OnCancel() {}
  void StartWrite(const v1::WatchResponse* message) { written.push_back(message->sequence()); }
  void Finish(const grpc::Status& status) { ends.push_back(status.error_code()); }
  std::vector<int64_t> written;
  std::vector<grpc::StatusCode> ends;
};

class QueuedStreamTest : public ::testing::Test {
 protected:
  static v1::WatchResponse Message(int64_t sequence, size_t bytes = 0) {
    v1::WatchResponse message;
    message.set_sequence(sequence);
    if (bytes > 0) message.add_events()->set_message(std::string(bytes, 'x'));
    return message;
  }
  QueuedStream<FakeReactor, v1::WatchResponse> stream_{3};
};

TEST_F(QueuedStreamTest, WritesOneAtATimeAndInOrder) {
  stream_.Send(Message(1));
  stream_.Send(Message(2));
  EXPECT_EQ(stream_.written, (std::vector<int64_t>{1}));
  stream_.OnWriteDone(true);
  EXPECT_EQ(stream_.written, (std::vector<int64_t>{1, 2}));
}

TEST_F(QueuedStreamTest, ClosesAfterWhatIsQueued) {
  stream_.Send(Message(1));
  stream_.Close(grpc::Status::OK);
  EXPECT_TRUE(stream_.ends.empty());
  stream_.OnWriteDone(true);
  EXPECT_EQ(stream_.ends, (std::vector<grpc::StatusCode>{grpc::StatusCode::OK}));
}

TEST_F(QueuedStreamTest, EndsASlowReaderAfterTheMessageUnderWay) {
  for (int i = 1; i <= 3; ++i) EXPECT_TRUE(stream_.Send(Message(i)));
  EXPECT_FALSE(stream_.Send(Message(4)));
  stream_.OnWriteDone(true);
  EXPECT_EQ(stream_.written, (std::vector<int64_t>{1}));
  EXPECT_EQ(stream_.ends, (std::vector<grpc::StatusCode>{grpc::StatusCode::RESOURCE_EXHAUSTED}));
}

TEST_F(QueuedStreamTest, CountsBytesToo) {
  EXPECT_TRUE(stream_.Send(Message(1, 10 << 20)));
  EXPECT_FALSE(stream_.Send(Message(2, 10 << 20)));
}

TEST_F(QueuedStreamTest, OneMessageMayBeLargerThanTheLimit) {
  EXPECT_TRUE(stream_.Send(Message(1, 20 << 20)));
  stream_.OnWriteDone(true);
  EXPECT_TRUE(stream_.Send(Message(2, 20 << 20)));
}

TEST_F(QueuedStreamTest, FinishesOnceWhateverComesLater) {
  stream_.OnCancel();
  stream_.Close(grpc::Status::OK);
  EXPECT_TRUE(stream_.Send(Message(1)));
  EXPECT_TRUE(stream_.written.empty());
  EXPECT_EQ(stream_.ends.size(), 1u);
  EXPECT_TRUE(stream_.Finished());
}

TEST_F(QueuedStreamTest, AFailedWriteEndsTheStream) {
  stream_.Send(Message(1));
  stream_.Send(Message(2));
  stream_.OnWriteDone(false);
  EXPECT_EQ(stream_.ends, (std::vector<grpc::StatusCode>{grpc::StatusCode::CANCELLED}));
}

}  // namespace
}  // namespace vlm::rpc
