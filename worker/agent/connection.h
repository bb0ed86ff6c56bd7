// The channel of the current session, for those who do more than the session itself: the reporter
// and the checkpoint transfers. Up only between HelloAck and the end of the session, so that
// nothing is sent under a lease that the coordinator has not just confirmed. Thread-safe.
#pragma once

#include <memory>

#include "absl/time/time.h"
#include "common/mutex.h"
#include "grpcpp/grpcpp.h"

namespace vlm::agent {

class Connection {
 public:
  void Up(std::shared_ptr<grpc::Channel> channel);
  void Down();
  // Down for good.
  void Stop();
  // The channel as soon as there is one; null when the time ran out or after Stop.
  std::shared_ptr<grpc::Channel> Wait(absl::Duration timeout);
  bool IsUp(const std::shared_ptr<grpc::Channel>& channel) const;
  bool up() const;

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  std::shared_ptr<grpc::Channel> channel_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace vlm::agent
