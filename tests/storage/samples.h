// Records with every part filled in that the study file has a place for.
#pragma once

#include "server/core/mutation.h"

namespace vlm::storage {

v1::StudySpec SampleSpec();
v1::Study SampleStudy();
v1::Trial SampleTrial();  // Of SampleStudy, COMPLETE, with one intermediate value.
v1::Attempt SampleAttempt();
// A batch of an attempt with points of val_loss.
core::ApplyReport SampleReport(int attempt, std::vector<std::pair<int64_t, double>> points);
// One of everything.
core::Batch SampleBatch();

}  // namespace vlm::storage
