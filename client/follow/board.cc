#include "client/follow/board.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/output/text.h"
#include "client/resources.h"

namespace vlm::client {
namespace {

constexpr int kBarWidth = 22;
constexpr int kTrialBarWidth = 12;

std::string Paint(const std::string& text, const char* code, bool color) {
  return color ? absl::StrCat("\x1b[", code, "m", text, "\x1b[0m") : text;
}

double FractionOf(const v1::Trial& trial) {
  if (trial.total_steps() <= 0 || trial.last_step() < 0) return 0;
  return std::clamp(
      static_cast<double>(trial.last_step()) / static_cast<double>(trial.total_steps()), 0.0, 1.0);
}

std::string ElapsedText(const Progress& progress) {
  return progress.elapsed > absl::ZeroDuration() ? HumanDuration(progress.elapsed) : "0s";
}

}  // namespace

std::string PointsText(const v1::Trial& trial) {
  std::string out;
  for (const char* name : {"train_loss", "val_loss", "lr"}) {
    const auto point = trial.last_points().find(name);
    if (point == trial.last_points().end()) continue;
    absl::StrAppend(&out, out.empty() ? "" : "  ", name, " ", HumanNumber(point->second));
  }
  return out;
}

std::vector<std::string> Board::Apply(const v1::Event& event, absl::Time now) {
  std::vector<std::string> lines;
  if (event.kind() == "study.deleted") deleted_ = true;
  if (event.has_study()) ApplyStudy(event.study(), now, &lines);
  if (event.has_trial()) ApplyTrial(event, now, &lines);
  if (deleted_) lines.push_back(Sanitize(event.message()));
  return lines;
}

void Board::ApplyStudy(const v1::Study& study, absl::Time now, std::vector<std::string>* lines) {
  const v1::StudyState before = known_ ? study_.state() : v1::STUDY_STATE_UNSPECIFIED;
  study_ = study;
  known_ = true;
  if (study.elapsed_s() > 0) SetElapsed(absl::Seconds(study.elapsed_s()), now);
  if (before == study.state()) return;
  lines->push_back(absl::StrCat("study ", Sanitize(study.name()), " is ", StateText(study.state()),
                                study.reason().empty() ? "" : ": ", Sanitize(study.reason())));
}

void Board::ApplyTrial(const v1::Event& event, absl::Time now, std::vector<std::string>* lines) {
  const v1::Trial& trial = event.trial();
  const auto [at, fresh] = trials_.try_emplace(trial.number());
  const v1::TrialState before = fresh ? v1::TRIAL_STATE_UNSPECIFIED : at->second.state();
  if (IsEnd(before)) return;  // Ended trials do not change; this is a replay.
  at->second = trial;
  const std::string name = absl::StrCat("trial ", trial.number());
  if (trial.has_start_time() && event.has_time()) {
    absl::Time first = ToTime(trial.start_time());
    for (const auto& [number, other] : trials_) {
      if (other.has_start_time()) first = std::min(first, ToTime(other.start_time()));
    }
    SetElapsed(ToTime(event.time()) - first, now);
  }
  if (event.kind() == "attempt.lost" || event.kind() == "attempt.failed") {
    lines->push_back(Sanitize(event.message()));
  }
  if (before == trial.state()) return;
  if (trial.state() == v1::TRIAL_STATE_RUNNING) {
    lines->push_back(absl::StrCat(name, " started: ", Sanitize(ParamsText(trial))));
  } else if (IsEnd(trial.state())) {
    lines->push_back(EndLine(trial));
  }
}

std::string Board::EndLine(const v1::Trial& trial) const {
  std::string line = absl::StrCat("trial ", trial.number(), " is ", StateText(trial.state()));
  for (const double value : trial.values()) {
    absl::StrAppend(&line, ", ", study_.metric().empty() ? "value" : Sanitize(study_.metric()), " ",
                    HumanNumber(value));
  }
  const v1::Trial* top = best();
  if (top != nullptr && top->number() == trial.number()) absl::StrAppend(&line, " (best so far)");
  if (!trial.reason().empty()) absl::StrAppend(&line, ": ", Sanitize(trial.reason()));
  return line;
}

void Board::SetElapsed(absl::Duration elapsed, absl::Time now) {
  elapsed_ = elapsed;
  elapsed_at_ = now;
}

bool Board::ended() const { return deleted_ || (known_ && IsEnd(study_.state())); }

v1::TrialCounts Board::Counts() const {
  v1::TrialCounts counts;
  for (const auto& [number, trial] : trials_) {
    switch (trial.state()) {
      case v1::TRIAL_STATE_WAITING:
        counts.set_waiting(counts.waiting() + 1);
        break;
      case v1::TRIAL_STATE_RUNNING:
        counts.set_running(counts.running() + 1);
        break;
      case v1::TRIAL_STATE_COMPLETE:
        counts.set_complete(counts.complete() + 1);
        break;
      case v1::TRIAL_STATE_PRUNED:
        counts.set_pruned(counts.pruned() + 1);
        break;
      case v1::TRIAL_STATE_FAIL:
        counts.set_fail(counts.fail() + 1);
        break;
      default:
        break;
    }
  }
  return counts;
}

Progress Board::CurrentProgress(absl::Time now) const {
  Progress progress;
  const v1::TrialCounts counts = Counts();
  progress.ended = static_cast<double>(Ended(counts));
  progress.running = static_cast<double>(counts.running());
  for (const auto& [number, trial] : trials_) {
    if (trial.state() == v1::TRIAL_STATE_RUNNING) progress.fractions += FractionOf(trial);
  }
  progress.total = study_.n_trials();
  progress.timeout = absl::Seconds(study_.timeout_s());
  if (elapsed_.has_value()) {
    progress.elapsed = *elapsed_ + (ended() ? absl::ZeroDuration() : now - elapsed_at_);
  }
  return progress;
}

const v1::Trial* Board::best() const {
  if (study_.directions_size() > 1) return nullptr;
  const bool maximize =
      study_.directions_size() == 1 && study_.directions(0) == v1::DIRECTION_MAXIMIZE;
  const v1::Trial* top = nullptr;
  for (const auto& [number, trial] : trials_) {
    if (trial.state() != v1::TRIAL_STATE_COMPLETE || trial.values().empty()) continue;
    if (top == nullptr ||
        (maximize ? trial.values(0) > top->values(0) : trial.values(0) < top->values(0))) {
      top = &trial;
    }
  }
  return top;
}

std::string Board::Summary(absl::Time now) const {
  const Progress progress = CurrentProgress(now);
  const v1::TrialCounts counts = Counts();
  std::string line = absl::StrCat(Ended(counts), "/", study_.n_trials(), " trials, ",
                                  counts.running(), " running");
  if (counts.pruned() > 0) absl::StrAppend(&line, ", ", counts.pruned(), " pruned");
  if (counts.fail() > 0) absl::StrAppend(&line, ", ", counts.fail(), " failed");
  absl::StrAppend(&line, ", ", ElapsedText(progress));
  if (const auto left = TimeLeft(progress); left.has_value() && !ended()) {
    absl::StrAppend(&line, ", about ", HumanDuration(*left), " left");
  }
  for (const auto& [number, trial] : trials_) {
    if (trial.state() != v1::TRIAL_STATE_RUNNING || trial.last_step() < 0) continue;
    absl::StrAppend(&line, "; trial ", number, " step ", trial.last_step(), "/",
                    trial.total_steps(), " ", PointsText(trial));
  }
  return line;
}

std::string Board::Head(int width, bool color, absl::Time now) const {
  const Progress progress = CurrentProgress(now);
  const v1::TrialCounts counts = Counts();
  const bool bad = study_.state() == v1::STUDY_STATE_FAILED;
  std::string line = absl::StrCat(Paint(Sanitize(study_.name()), "1", color), " ");
  if (study_.state() != v1::STUDY_STATE_ACTIVE) {
    absl::StrAppend(&line, Paint(StateText(study_.state()), bad ? "31" : "33", color), " ");
  }
  absl::StrAppend(&line,
                  Paint(Bar(DoneFraction(progress), std::min(kBarWidth, width / 3)), "32", color),
                  " ", Ended(counts), "/", study_.n_trials(), " trials");
  if (counts.running() > 0) absl::StrAppend(&line, ", ", counts.running(), " running");
  if (counts.pruned() > 0) absl::StrAppend(&line, ", ", counts.pruned(), " pruned");
  if (counts.fail() > 0) absl::StrAppend(&line, ", ", counts.fail(), " failed");
  absl::StrAppend(&line, "  ", ElapsedText(progress));
  if (const auto left = TimeLeft(progress); left.has_value() && !ended()) {
    absl::StrAppend(&line, ", about ", HumanDuration(*left), " left");
  }
  return Fit(line, static_cast<size_t>(width));
}

std::vector<std::string> Board::Frame(int width, int height, bool color, absl::Time now) const {
  std::vector<std::string> lines;
  if (!known_) return lines;
  const auto add = [&](const std::string& line) {
    lines.push_back(Fit(line, static_cast<size_t>(width)));
  };
  lines.push_back(Head(width, color, now));
  const size_t room = static_cast<size_t>(std::max(3, height - 2));
  size_t hidden = 0;
  for (const auto& [number, trial] : trials_) {
    if (trial.state() != v1::TRIAL_STATE_RUNNING) continue;
    if (lines.size() + 1 >= room) {
      ++hidden;
      continue;
    }
    std::string line =
        absl::StrCat("  trial ", number, " ", Bar(FractionOf(trial), kTrialBarWidth));
    if (trial.last_step() < 0) {
      absl::StrAppend(&line, " ", trial.reason().empty() ? "starting" : Sanitize(trial.reason()));
    } else {
      absl::StrAppend(&line, " step ", trial.last_step(), "/", trial.total_steps(), "  ",
                      PointsText(trial));
    }
    absl::StrAppend(&line, "  ", Paint(Sanitize(ParamsText(trial)), "2", color));
    add(line);
  }
  if (hidden > 0) add(absl::StrCat("  and ", hidden, " more running"));
  if (const v1::Trial* top = best(); top != nullptr) {
    add(absl::StrCat("  best: trial ", top->number(), "  ",
                     study_.metric().empty() ? "value" : Sanitize(study_.metric()), " ",
                     Paint(HumanNumber(top->values(0)), "1;32", color), "  ",
                     Paint(Sanitize(ParamsText(*top)), "2", color)));
  }
  return lines;
}

}  // namespace vlm::client
