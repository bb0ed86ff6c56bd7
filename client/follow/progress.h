// Bars and estimates. Pure functions.
#pragma once

#include <optional>
#include <string>

#include "absl/time/time.h"

namespace vlm::client {

// "[#######.......]", `width` columns in all; `fraction` is clamped to 0..1.
std::string Bar(double fraction, int width);

struct Progress {
  double ended = 0;        // Trials that have ended.
  double running = 0;      // Trials that run now.
  double fractions = 0;    // Sum over the running trials of the part of their steps that is done.
  double total = 0;        // Budget in trials.
  absl::Duration elapsed;  // Since the first attempt.
  absl::Duration timeout;  // Budget in time; zero = none.
};

// 0..1.
double DoneFraction(const Progress& progress);
// Time left at the speed so far, at most until the time budget runs out. Nothing while there is
// nothing to go by: less than half a percent done, or less than two seconds of history.
std::optional<absl::Duration> TimeLeft(const Progress& progress);

}  // namespace vlm::client
