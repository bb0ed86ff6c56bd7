// A whole study with its trials, read page by page, and what pictures need of it.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/session.h"
#include "insight/plot/study_plot.h"

namespace vlm::client {

struct StudyData {
  v1::Study study;
  v1::StudySpec spec;
  std::vector<v1::Trial> trials;  // By number; with intermediate values, without attempts.
};

// Empty: the active or newest study. NOT_FOUND and the errors of a call.
absl::StatusOr<StudyData> ReadStudy(Session& session, const std::string& name);

// How a trial is marked in pictures.
insight::TrialMark MarkOf(const v1::Study& study, const v1::Trial& trial);
// What the value of an objective is called.
std::string ObjectiveName(const v1::Study& study, int objective);

struct PlotChoice {
  std::vector<std::string> params;  // Only these, in this order; empty: all.
  bool log_values = false;
};
// Ended trials. INVALID_ARGUMENT: no trial has a parameter of that name; the message lists those
// there are.
absl::StatusOr<insight::StudyPlot> ToPlot(const StudyData& data, const PlotChoice& choice);

}  // namespace vlm::client
