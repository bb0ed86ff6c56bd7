// A worker without trainers: attaches over gRPC, takes every offer and reports what a test says.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <thread>

#include "absl/time/time.h"
#include "common/mutex.h"
#include "vlm/v1/fleet.grpc.pb.h"

namespace vlm::client {

class FakeWorker {
 public:
  FakeWorker(const std::string& addr, int slots);
  ~FakeWorker();

  // Comes back after the coordinator was away, still holding this attempt.
  void Reattach(const std::string& addr, const v1::Offer& held);
  // The next attempt that was started here; attempt_id 0 when the time ran out.
  v1::Offer NextStarted(absl::Duration timeout = absl::Seconds(20));
  // Sends a batch and waits until it is durable. `report.sequence` is filled.
  bool Report(const v1::Offer& offer, v1::Report report);
  // A trial from its first step to its end: points, log lines, phases, a profile and a checkpoint.
  bool RunTrial(const v1::Offer& offer, double value);
  // Stores a checkpoint with the coordinator.
  bool Upload(const v1::Offer& offer, const std::string& id, const std::string& bytes);

 private:
  using Stream = grpc::ClientReaderWriterInterface<v1::WorkerMessage, v1::CoordinatorMessage>;
  void Attach(const std::string& addr, const v1::Offer* held);
  void Detach();
  void ReadLoop();
  void Send(const v1::WorkerMessage& message);

  std::unique_ptr<v1::Fleet::Stub> fleet_;
  std::unique_ptr<grpc::ClientContext> attach_context_;
  std::unique_ptr<grpc::ClientContext> report_context_;
  std::unique_ptr<Stream> attach_;
  std::unique_ptr<grpc::ClientReaderWriterInterface<v1::ReportBatch, v1::ReportAck>> reports_;
  Mutex mutex_;
  CondVar changed_;
  std::map<int64_t, v1::Offer> offers_ ABSL_GUARDED_BY(mutex_);
  std::deque<v1::Offer> started_ ABSL_GUARDED_BY(mutex_);
  std::map<int64_t, int64_t> sequences_;  // By attempt.
  Mutex write_mutex_;
  const int slots_;
  std::thread thread_;
};

}  // namespace vlm::client
