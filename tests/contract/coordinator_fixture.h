// A coordinator on a loopback port in this process, its stubs, and a scripted worker.
#pragma once

#include <memory>
#include <string>

#include "common/channel.h"
#include "gtest/gtest.h"
#include "server/coordinator.h"
#include "tests/support/process.h"
#include "vlm/v1/control.grpc.pb.h"
#include "vlm/v1/fleet.grpc.pb.h"

namespace vlm {

// A configuration that is valid anywhere: random search over learning_rate.
std::string SampleYaml(int n_trials);

// A worker whose every step the test decides. Blocking; a stream that ends fails the test.
class ScriptedWorker {
 public:
  ScriptedWorker(const std::shared_ptr<grpc::Channel>& channel, std::string id);
  ~ScriptedWorker();

  v1::HelloAck Hello(int slots = 1, const v1::Offer* held = nullptr);
  void Send(const v1::WorkerMessage& message) { EXPECT_TRUE(attach_->Write(message)); }
  v1::CoordinatorMessage Receive();
  // Skips beat acknowledgements.
  v1::Offer ReceiveOffer();
  void Accept(const v1::Offer& offer);
  v1::ReportBatch Batch(const v1::Offer& offer, int64_t sequence) const;
  v1::ReportAck Report(const v1::ReportBatch& batch);
  // Accepts the next offer and reports one point and the end.
  v1::Offer RunTrial(double value);
  grpc::Status FinishAttach();

 private:
  std::unique_ptr<v1::Fleet::Stub> fleet_;
  std::string id_;
  bool attach_finished_ = false;
  grpc::ClientContext attach_context_;
  grpc::ClientContext report_context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::WorkerMessage, v1::CoordinatorMessage>> attach_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::ReportBatch, v1::ReportAck>> report_;
};

class CoordinatorFixture : public ::testing::Test {
 protected:
  CoordinatorFixture();
  void Start();
  void Stop() { coordinator_.reset(); }

  template <typename Request, typename Response>
  using Method = grpc::Status (v1::Control::Stub::*)(grpc::ClientContext*, const Request&,
                                                     Response*);
  template <typename Request, typename Response>
  grpc::Status Call(Method<Request, Response> method, const Request& request, Response* response) {
    return (control_.get()->*method)(MakeContext().get(), request, response);
  }
  v1::SubmitRequest SampleSubmit(const std::string& name, int n_trials = 3) const;
  v1::Study Submit(const std::string& name, int n_trials = 3);
  v1::Trial Trial(const std::string& name);

  testing::TempDir dir_;
  server::CoordinatorOptions options_;
  std::unique_ptr<server::Coordinator> coordinator_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Control::Stub> control_;
  std::unique_ptr<v1::Fleet::Stub> fleet_;
};

}  // namespace vlm
