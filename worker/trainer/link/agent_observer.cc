#include "worker/trainer/link/agent_observer.h"

#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "worker/trainer/profile/phases.h"

namespace vlm::trainer {
namespace {

int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void AddPoint(v1::Report* report, absl::string_view name, int64_t step, double value) {
  v1::Series* series = nullptr;
  for (v1::Series& known : *report->mutable_series()) {
    if (known.name() == name) series = &known;
  }
  if (series == nullptr) {
    series = report->add_series();
    series->set_name(std::string(name));
  }
  v1::Point* point = series->add_points();
  point->set_step(step);
  point->set_value(value);
  point->set_time_ms(NowMs());
}

}  // namespace

void AgentObserver::OnStart(int64_t first, int64_t total, int64_t skipped_rows,
                            int64_t cut_captions) {
  started_ = Clock::now();
  link_->Update(
      [&](v1::Report* report) {
        report->set_last_step(first);
        report->set_total_steps(total);
        report->set_skipped_rows(skipped_rows);
        report->set_cut_captions(cut_captions);
      },
      /*urgent=*/true);
}

void AgentObserver::OnStep(const StepRecord& record) {
  if (first_step_) LogFirstStep(record);
  AddPhases(record.phases, &window_);
  window_samples_ += record.global_samples;
  window_tokens_ += record.global_tokens;
  const bool validated = record.metric.has_value();
  link_->Update(
      [&](v1::Report* report) {
        report->set_last_step(record.step);
        report->set_total_steps(record.total);
        if (rank_ == 0) {
          AddPoint(report, "train_loss", record.step, record.loss);
          AddPoint(report, "lr", record.step, record.lr);
          AddPoint(report, "grad_norm", record.step, record.grad_norm);
          if (record.val_loss) AddPoint(report, "val_loss", record.step, *record.val_loss);
          if (validated) {
            v1::IntermediateValue* value = report->add_validations();
            value->set_step(record.step);
            value->set_value(*record.metric);
          }
        }
        if (validated || window_.wall_ms() >= kWindowMs) CloseWindow(report);
      },
      /*urgent=*/validated && rank_ == 0);
}

// How fast a granted trial trains is a promise; this line says where the time went.
void AgentObserver::LogFirstStep(const StepRecord& record) {
  first_step_ = false;
  const std::chrono::duration<double, std::milli> since = Clock::now() - begin_;
  const std::chrono::duration<double, std::milli> setup = started_ - begin_;
  VLM_LOG_DEBUG("first step done", {{"rank", rank_},
                                    {"step", record.step},
                                    {"ms_since_launch", since.count()},
                                    {"setup_ms", setup.count()},
                                    {"data_ms", record.phases.data_wait_ms()},
                                    {"forward_ms", record.phases.forward_ms()},
                                    {"backward_ms", record.phases.backward_ms()},
                                    {"optimizer_ms", record.phases.optimizer_ms()}});
}

void AgentObserver::CloseWindow(v1::Report* report) {
  if (window_.wall_ms() <= 0) return;
  const int64_t step = window_.last_step();
  const double steps = static_cast<double>(step - window_.first_step() + 1);
  if (rank_ == 0) {
    // Validation and checkpoints do not count against the speed of training.
    const double train_s =
        (window_.wall_ms() - window_.validation_ms() - window_.checkpoint_ms()) / 1000;
    if (train_s > 0) {
      AddPoint(report, "samples_per_s", step, static_cast<double>(window_samples_) / train_s);
      AddPoint(report, "tokens_per_s", step, static_cast<double>(window_tokens_) / train_s);
    }
    if (window_.peak_rss_bytes() > 0) {
      AddPoint(report, "peak_rss_mb", step, static_cast<double>(window_.peak_rss_bytes()) / 1e6);
    }
    const std::pair<const char*, double> phases[] = {{"data_wait", window_.data_wait_ms()},
                                                     {"copy", window_.copy_ms()},
                                                     {"forward", window_.forward_ms()},
                                                     {"backward", window_.backward_ms()},
                                                     {"allreduce", window_.allreduce_ms()},
                                                     {"optimizer", window_.optimizer_ms()},
                                                     {"validation", window_.validation_ms()},
                                                     {"checkpoint", window_.checkpoint_ms()},
                                                     {"other", window_.other_ms()}};
    for (const auto& [name, ms] : phases) {
      AddPoint(report, absl::StrCat("phase/", name, "_ms"), step, ms / steps);
    }
  }
  *report->add_phases() = std::move(window_);
  window_.Clear();
  window_samples_ = window_tokens_ = 0;
}

void AgentObserver::OnProfile(const v1::ProfileSummary& profile) {
  link_->Update([&](v1::Report* report) { *report->add_profiles() = profile; });
}

void AgentObserver::OnCheckpoint(const v1::Checkpoint& checkpoint) {
  link_->Update([&](v1::Report* report) { *report->add_checkpoints() = checkpoint; });
}

// The agent captures stderr as the trial's log, which people read, and adds the time.
void AgentObserver::OnNote(const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }

void AgentObserver::Flush() {
  link_->Update([&](v1::Report* report) { CloseWindow(report); });
}

}  // namespace vlm::trainer
