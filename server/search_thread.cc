#include "server/search_thread.h"

#include "absl/strings/str_cat.h"

namespace vlm::server {

void SearchThread::Handle(core::SearchStudy study) {
  thread_.Post([this, study = std::move(study)]() mutable {
    History& history = studies_[study.study_id];
    history.study = std::move(study);
  });
}

void SearchThread::Handle(core::SearchForget forget) {
  thread_.Post([this, forget] { studies_.erase(forget.study_id); });
}

void SearchThread::Handle(core::SearchTrial trial) {
  thread_.Post([this, trial = std::move(trial)]() mutable {
    auto& trials = studies_[trial.study_id].trials;
    const auto index = static_cast<size_t>(trial.view.number);
    if (trials.size() <= index) trials.resize(index + 1);
    trials[index] = std::move(trial.view);
  });
}

void SearchThread::Handle(core::SearchAsk ask) {
  thread_.Post([this, ask = std::move(ask)] { answer_(Answer(ask)); });
}

core::Suggestion SearchThread::Answer(const core::SearchAsk& ask) {
  History& history = studies_[ask.study_id];
  core::Suggestion out{ask.study_id, ask.number, std::vector<v1::Param>(), ""};
  if (history.sampler == nullptr) {
    auto made = search::MakeSampler(history.study.spec.sampler(),
                                    static_cast<uint32_t>(history.study.spec.seed()));
    if (made.ok() && !history.study.sampler_state.empty()) {
      if (absl::Status restored = (*made)->Restore(history.study.sampler_state); !restored.ok()) {
        made = restored;
      }
    }
    if (!made.ok()) {
      out.params = made.status();
      return out;
    }
    history.sampler = *std::move(made);
  }
  const search::StudyView view{history.study.name, history.study.directions, &history.trials};
  search::Space space;
  for (const v1::SearchParam& param : history.study.spec.search_space()) {
    if (ask.fixed.count(param.name()) == 0) space.push_back(param);
  }
  auto sampled = search::Suggest(*history.sampler, view, ask.number, space);
  out.sampler_state = history.sampler->State();
  if (!sampled.ok()) {
    out.params = sampled.status();
    return out;
  }
  // In the order of the whole space, fixed values in their places.
  std::vector<v1::Param> params;
  size_t next = 0;
  for (const v1::SearchParam& searched : history.study.spec.search_space()) {
    const auto fixed = ask.fixed.find(searched.name());
    if (fixed == ask.fixed.end()) {
      params.push_back((*sampled)[next++]);
      continue;
    }
    auto value = search::ToExternal(searched.distribution(), fixed->second);
    if (!value.ok()) {
      out.params = value.status();
      return out;
    }
    v1::Param& param = params.emplace_back();
    param.set_name(searched.name());
    *param.mutable_value() = *std::move(value);
    *param.mutable_distribution() = searched.distribution();
  }
  out.params = std::move(params);
  return out;
}

}  // namespace vlm::server
