#include "server/search_thread.h"

namespace vlm::server {

void SearchThread::Handle(core::SearchStudy study) {
  thread_.Post([this, study = std::move(study)]() mutable {
    History& history = studies_[study.study_id];
    history.study = std::move(study);
    // Its space may have been edited: the sampler is made anew, out of its state and the trials.
    history.sampler.reset();
  });
}

void SearchThread::Handle(core::SearchForget forget) {
  thread_.Post([this, forget] { studies_.erase(forget.study_id); });
}

void SearchThread::Handle(core::SearchHistory whole) {
  thread_.Post([this, whole = std::move(whole)]() mutable {
    History& history = studies_[whole.study_id];
    history.trials = std::move(whole.trials);
    history.sampler.reset();
  });
}

void SearchThread::Handle(core::SearchTrial trial) {
  thread_.Post([this, trial = std::move(trial)]() mutable {
    History& history = studies_[trial.study_id];
    const auto index = static_cast<size_t>(trial.view->number());
    history.trials.Set(index, std::move(trial.view));
    if (history.sampler != nullptr) {
      history.sampler->Observe(ViewOf(history), static_cast<int64_t>(index));
    }
  });
}

void SearchThread::Handle(core::SearchAsk ask) {
  thread_.Post([this, ask = std::move(ask)] { answer_(Answer(ask)); });
}

search::StudyView SearchThread::ViewOf(const History& history) {
  return {history.study.name, history.study.directions, &history.trials};
}

absl::Status SearchThread::MakeSampler(History& history) {
  auto made = search::MakeSampler(history.study.spec.sampler(),
                                  static_cast<uint32_t>(history.study.spec.seed()));
  if (!made.ok()) return made.status();
  if (!history.study.sampler_state.empty()) {
    if (absl::Status s = (*made)->Restore(history.study.sampler_state); !s.ok()) return s;
  }
  for (size_t i = 0; i < history.trials.size(); ++i) {
    (*made)->Observe(ViewOf(history), static_cast<int64_t>(i));
  }
  history.sampler = *std::move(made);
  return absl::OkStatus();
}

core::Suggestion SearchThread::Answer(const core::SearchAsk& ask) {
  History& history = studies_[ask.study_id];
  core::Suggestion out{ask.study_id, ask.number, std::vector<v1::Param>(), ""};
  if (history.sampler == nullptr) {
    if (absl::Status made = MakeSampler(history); !made.ok()) {
      out.params = made;
      return out;
    }
  }
  const auto& searched = history.study.spec.search_space();
  const search::Space space(searched.begin(), searched.end());
  out.params = search::Suggest(*history.sampler, ViewOf(history), ask.number, space, ask.fixed);
  out.sampler_state = history.sampler->State();
  return out;
}

}  // namespace vlm::server
