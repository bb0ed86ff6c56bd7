// A coordinator and, where it is built, a worker for benchmarks: real processes in a folder of
// their own. One thread uses it.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/support/process.h"
#include "vlm/v1/control.grpc.pb.h"

namespace vlm::bench {

// Processor time and memory of a process, from /proc.
struct Usage {
  double cpu_s = 0;
  double rss_mb = 0;
};
Usage UsageOf(pid_t pid);

class Cluster {
 public:
  // Starts a coordinator on a free port. Programs are found in `bin`.
  static absl::StatusOr<std::unique_ptr<Cluster>> Start(const std::string& bin);

  bool Has(const std::string& program) const;
  // Starts vlm-worker with `slots` slots and waits until it is attached.
  absl::Status StartWorker(int slots);
  // Makes pictures to train on with `vlmctl data shapes`; returns the CSV's path.
  absl::StatusOr<std::string> MakeData(int n);

  v1::Control::Stub* control() { return control_.get(); }
  const std::string& address() const { return address_; }
  std::string File() const { return dir_ / "data/study.db"; }
  pid_t coordinator() const { return coordinator_->pid(); }
  pid_t worker() const { return worker_->pid(); }
  std::string Path(const std::string& program) const { return bin_ + "/" + program; }

 private:
  Cluster() = default;

  std::string bin_;
  testing::TempDir dir_;
  std::string address_;
  std::unique_ptr<testing::Process> coordinator_;
  std::unique_ptr<testing::Process> worker_;
  std::unique_ptr<v1::Control::Stub> control_;
};

}  // namespace vlm::bench
