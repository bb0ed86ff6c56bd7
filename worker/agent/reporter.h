// The Report stream: writes the batches of all deliveries in order, takes acknowledgements, opens a
// new stream and sends again what was not acknowledged when one breaks.
//
// Threads: one that writes, and one a stream that reads acknowledgements. Methods are thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/container/btree_map.h"
#include "common/mutex.h"
#include "vlm/v1/fleet.grpc.pb.h"
#include "worker/agent/connection.h"
#include "worker/agent/delivery.h"

namespace vlm::agent {

class Reporter {
 public:
  // `on_end` is called, without a lock, once a delivery is complete (kDone) or refused (kFenced);
  // the reporter has forgotten it by then.
  using OnEnd = std::function<void(int64_t attempt_id, Delivery::Progress)>;
  Reporter(Connection* connection, OnEnd on_end);
  ~Reporter();

  void Add(std::shared_ptr<Delivery> delivery);
  void Remove(int64_t attempt_id);
  // There may be something to send.
  void Wake();

 private:
  using Stream = grpc::ClientReaderWriter<v1::ReportBatch, v1::ReportAck>;

  void Run();
  void Serve(const std::shared_ptr<grpc::Channel>& channel);
  // False: the stream is broken.
  bool WriteAll(Stream& stream);
  void ReadAcks(Stream& stream);
  std::vector<std::shared_ptr<Delivery>> Deliveries() const;

  Connection* const connection_;
  const OnEnd on_end_;
  mutable Mutex mutex_;
  CondVar changed_;
  absl::btree_map<int64_t, std::shared_ptr<Delivery>> deliveries_ ABSL_GUARDED_BY(mutex_);
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;  // Of the open stream.
  std::thread thread_;
};

}  // namespace vlm::agent
