#include "worker/agent/delivery.h"

#include <thread>

#include "gtest/gtest.h"
#include "tests/support/process.h"

namespace vlm::agent {
namespace {

class DeliveryTest : public ::testing::Test {
 protected:
  void SetUp() override { Make(1 << 20); }
  void Make(int64_t max_bytes) {
    v1::HeldLease lease;
    lease.set_attempt_id(7);
    lease.set_epoch(2);
    lease.set_node(1);
    delivery_ = std::make_unique<Delivery>(*Spool::Create(dir_ / "x.spool", lease, max_bytes), "w",
                                           [this] { ++wakes_; });
  }
  void Append() { ASSERT_TRUE(delivery_->Append(v1::Report()).ok()); }
  void AppendOutcome() {
    v1::Report last;
    last.mutable_outcome()->set_state(v1::ATTEMPT_STATE_SUCCEEDED);
    delivery_->AppendOutcome(last);
  }
  // The number of the next batch, 0 if there is none.
  int64_t Next(int64_t window = 64) {
    const auto batch = delivery_->NextToSend(window);
    return batch.has_value() ? batch->report().sequence() : 0;
  }
  Delivery::Progress Ack(int64_t sequence, bool fenced = false) {
    v1::ReportAck ack;
    ack.set_sequence(sequence);
    ack.set_fenced(fenced);
    return delivery_->OnAck(ack);
  }

  testing::TempDir dir_;
  int wakes_ = 0;
  std::unique_ptr<Delivery> delivery_;
};

TEST_F(DeliveryTest, BatchCarriesItsIdentity) {
  Append();
  const auto batch = delivery_->NextToSend(64);
  ASSERT_TRUE(batch.has_value());
  EXPECT_EQ(batch->worker_id(), "w");
  EXPECT_EQ(batch->attempt_id(), 7);
  EXPECT_EQ(batch->epoch(), 2);
  EXPECT_EQ(batch->node(), 1);
  EXPECT_EQ(wakes_, 1);
}

TEST_F(DeliveryTest, NewStreamGoesOnAfterTheLastAcknowledgement) {
  Append();
  Append();
  Append();
  EXPECT_EQ(Next(), 1);
  EXPECT_EQ(Next(), 2);
  Ack(1);
  delivery_->Rewind();
  EXPECT_EQ(Next(), 2);
  EXPECT_EQ(Next(), 3);
  EXPECT_EQ(Next(), 0);
}

TEST_F(DeliveryTest, WindowBoundsWhatIsUnderWay) {
  Append();
  Append();
  EXPECT_EQ(Next(1), 1);
  EXPECT_EQ(Next(1), 0);
  Ack(1);
  EXPECT_EQ(Next(1), 2);
}

TEST_F(DeliveryTest, OutcomeWaitsForTheGate) {
  Append();
  AppendOutcome();
  EXPECT_EQ(Next(), 1);
  EXPECT_EQ(Next(), 0);
  EXPECT_EQ(Ack(1), Delivery::Progress::kMore);
  EXPECT_TRUE(delivery_->Delivered());
  delivery_->OpenGate();
  EXPECT_FALSE(delivery_->Delivered());
  EXPECT_EQ(Next(), 2);
  EXPECT_EQ(Ack(2), Delivery::Progress::kDone);
}

TEST_F(DeliveryTest, FencedDropsEverything) {
  Append();
  EXPECT_EQ(Ack(0, true), Delivery::Progress::kFenced);
  EXPECT_EQ(Next(), 0);
  EXPECT_TRUE(absl::IsCancelled(delivery_->Append(v1::Report())));
}

TEST_F(DeliveryTest, CoordinatorThatForgotBatchesEndsIt) {
  Append();
  Append();
  Ack(2);
  EXPECT_EQ(Ack(1), Delivery::Progress::kFenced);
}

TEST_F(DeliveryTest, CoordinatorThatHasMoreThanWeKnowSkipsAhead) {
  Append();
  Append();
  Append();
  EXPECT_EQ(Next(), 1);
  Ack(2);  // An earlier stream had brought them.
  EXPECT_EQ(Next(), 3);
}

TEST_F(DeliveryTest, RoomComesWithAnAcknowledgement) {
  Make(200);
  while (delivery_->Append(v1::Report()).ok()) {
  }
  EXPECT_FALSE(delivery_->WaitForRoom(absl::Milliseconds(1)));
  std::thread acknowledge([this] { Ack(delivery_->spool().last_sequence()); });
  EXPECT_TRUE(delivery_->WaitForRoom(absl::Seconds(20)));
  acknowledge.join();
}

}  // namespace
}  // namespace vlm::agent
