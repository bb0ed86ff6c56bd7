// Samplers live here, off the engine's thread, with incremental histories. Questions are answered
// in order through the callback.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "server/core/io.h"
#include "server/task_thread.h"

namespace vlm::server {

// Thread-safe: each call queues work for the one search thread.
class SearchThread {
 public:
  explicit SearchThread(std::function<void(core::Suggestion)> answer)
      : answer_(std::move(answer)) {}

  void Handle(core::SearchStudy study);
  void Handle(core::SearchForget forget);
  void Handle(core::SearchHistory history);
  void Handle(core::SearchTrial trial);
  void Handle(core::SearchAsk ask);

 private:
  struct History {
    core::SearchStudy study;
    std::unique_ptr<search::Sampler> sampler;
    search::Trials trials;
  };
  static search::StudyView ViewOf(const History& history);
  // DATA_LOSS, INVALID_ARGUMENT: see Sampler::Restore and search::MakeSampler.
  static absl::Status MakeSampler(History& history);
  core::Suggestion Answer(const core::SearchAsk& ask);
  static void Expect(History& history, int64_t number, const std::vector<v1::Param>& params);
  static void DropUnborn(History& history, int64_t next);

  std::function<void(core::Suggestion)> answer_;
  std::map<int64_t, History> studies_;  // Of the search thread only.
  TaskThread thread_{"search"};         // Last: its end must come before the histories'.
};

}  // namespace vlm::server
