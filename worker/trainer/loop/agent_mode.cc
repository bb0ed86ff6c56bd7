#include "worker/trainer/loop/agent_mode.h"

#include <unistd.h>

#include <fstream>
#include <memory>
#include <utility>

#include "common/log.h"
#include "worker/trainer/link/agent_link.h"
#include "worker/trainer/link/agent_observer.h"
#include "worker/trainer/loop/trainer.h"
#include "worker/trainer/loop/warm_up.h"

namespace vlm::trainer {
namespace {

int64_t RssBytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t total = 0;
  int64_t resident = 0;
  statm >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace

int RunUnderAgent() {
  absl::StatusOr<std::unique_ptr<AgentLink>> link = AgentLink::FromEnvironment();
  if (!link.ok()) {
    VLM_LOG_ERROR("no agent", {{"reason", link.status().message()}});
    return 1;
  }
  v1::TrainerHello hello;
  hello.set_cuda(LoadCudaIfPresent());
  WarmUp();
  hello.set_pid(getpid());
  hello.set_version(VLM_VERSION);
  hello.set_rss_bytes(RssBytes());
  if (const absl::Status sent = (*link)->SendHello(hello); !sent.ok()) return 1;
  absl::StatusOr<ReceivedLaunch> received = (*link)->WaitForLaunch();
  if (!received.ok()) {
    if (absl::IsOutOfRange(received.status())) return 0;  // A spare that nobody needed.
    VLM_LOG_ERROR("no launch", {{"reason", received.status().message()}});
    return 1;
  }
  Job job;
  job.launch = std::move(received->launch);
  job.listen_fd = received->listen_fd;
  const int rank = job.launch.rank();
  (*link)->Start(rank);
  AgentObserver observer(link->get(), rank);
  v1::Outcome outcome;
  {
    Trainer trainer(std::move(job), &observer);
    outcome = trainer.Run();
  }
  observer.Flush();
  (*link)->Finish(outcome);
  return 0;
}

}  // namespace vlm::trainer
