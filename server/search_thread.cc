#include "server/search_thread.h"

#include <algorithm>

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
  if (ask.count > 0) DropUnborn(history, ask.number);
  if (history.sampler == nullptr) {
    if (absl::Status made = MakeSampler(history); !made.ok()) {
      out.params = made;
      return out;
    }
  }
  const auto& searched = history.study.spec.search_space();
  const search::Space space(searched.begin(), searched.end());
  out.params = search::Suggest(*history.sampler, ViewOf(history), ask.number, space, ask.fixed);
  const std::vector<v1::Param>* last = out.params.ok() ? &*out.params : nullptr;
  out.more.reserve(static_cast<size_t>(std::max<int64_t>(0, ask.count - 1)));
  for (int64_t i = 1; i < ask.count && last != nullptr; ++i) {
    Expect(history, ask.number + i - 1, *last);
    auto next = search::Suggest(*history.sampler, ViewOf(history), ask.number + i, space, {});
    last = next.ok() ? &out.more.emplace_back(*std::move(next)) : nullptr;
  }
  out.sampler_state = history.sampler->State();
  return out;
}

// What the heart is going to make of a suggestion; it may be told otherwise.
void SearchThread::Expect(History& history, int64_t number, const std::vector<v1::Param>& params) {
  search::TrialView view;
  view.set_number(number);
  view.set_state(v1::TRIAL_STATE_RUNNING);
  for (const v1::Param& param : params) {
    if (auto internal = search::ToInternal(param.distribution(), param.value()); internal.ok()) {
      view.AddParam(param.name(), param.distribution(), *internal);
    }
  }
  history.trials.Set(static_cast<size_t>(number),
                     std::make_shared<const search::TrialView>(std::move(view)));
  history.sampler->Observe(ViewOf(history), number);
}

// Expected trials that never came: their suggestions were not used.
void SearchThread::DropUnborn(History& history, int64_t next) {
  if (history.trials.size() <= static_cast<size_t>(next)) return;
  while (history.trials.size() > static_cast<size_t>(next)) history.trials.pop_back();
  if (history.sampler == nullptr) return;
  history.study.sampler_state = history.sampler->State();
  history.sampler.reset();
}

}  // namespace vlm::server
