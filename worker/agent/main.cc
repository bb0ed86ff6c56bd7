// vlm-worker: this node's agent. Attaches to a coordinator, owns the node's slots, starts and
// watches trainers.
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "worker/agent/agent.h"
#include "worker/agent/options.h"

namespace {

constexpr int kUsage = 2;
constexpr int kRefused = 4;  // The coordinator wants no more of this worker: do not restart.

int Complain(const absl::Status& status, int code) {
  std::fprintf(stderr, "vlm-worker: %s\n", std::string(status.message()).c_str());
  return code;
}

// Signals that main waits for; SIGUSR2 is main's own, from the thread that was refused.
sigset_t BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGTERM, SIGINT, SIGUSR2}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // Before any thread, so that all inherit it.
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

}  // namespace

int main(int argc, char** argv) {
  auto options = vlm::agent::ReadOptions(argc, argv);
  if (absl::IsCancelled(options.status())) return EXIT_SUCCESS;
  if (!options.ok()) return Complain(options.status(), kUsage);
  if (absl::Status status = vlm::agent::CompleteOptions(&*options); !status.ok()) {
    return Complain(status, kUsage);
  }
  vlm::InitLog("vlm-worker", options->log_level);
  const sigset_t signals = BlockSignals();
  absl::Status refused;
  size_t slots = 0;
  vlm::Mutex mutex;
  vlm::CondVar started;
  auto agent = vlm::agent::Agent::Start(
      *options,
      [&] {
        vlm::MutexLock lock(mutex);
        while (slots == 0) started.Wait(mutex);
        std::printf("attached to %s as %s with %zu slots\n", options->coordinator.c_str(),
                    options->name.c_str(), slots);
        std::fflush(stdout);
      },
      [&](const absl::Status& status) {
        {
          vlm::MutexLock lock(mutex);
          refused = status;
        }
        kill(getpid(), SIGUSR2);
      });
  if (!agent.ok()) return Complain(agent.status(), EXIT_FAILURE);
  {
    vlm::MutexLock lock(mutex);
    slots = (*agent)->slots();
    started.NotifyAll();
  }
  int signal = 0;
  sigwait(&signals, &signal);
  if (signal == SIGUSR2) {
    agent->reset();
    return Complain(
        absl::Status(refused.code(), absl::StrCat("the coordinator refused: ", refused.message())),
        kRefused);
  }
  VLM_LOG_INFO("draining; a second signal kills the trainers at once", {{"signal", signal}});
  (*agent)->Drain(signal == SIGINT ? "interrupted" : "told to stop", [&signals] {
    const timespec none{};
    return sigtimedwait(&signals, nullptr, &none) > 0;
  });
  agent->reset();
  VLM_LOG_INFO("stopped; no trainer is left");
  return EXIT_SUCCESS;
}
