// How studies, trials, workers and checkpoints look as records. The keys are the JSON contract.
#pragma once

#include <string>
#include <vector>

#include "client/output/records.h"
#include "vlm/v1/control.pb.h"

namespace vlm::client {

// "active", "complete": the state's name in lower case without its prefix.
std::string StateText(v1::StudyState state);
std::string StateText(v1::TrialState state);
std::string StateText(v1::AttemptState state);
std::string StateText(v1::WorkerState state);
std::string StateText(v1::FailureClass state);

std::string ParamText(const v1::ParamValue& value);
Json ParamJson(const v1::ParamValue& value);
// "learning_rate=0.00123 batch_size=16".
std::string ParamsText(const v1::Trial& trial);
int64_t Ended(const v1::TrialCounts& counts);
bool IsEnd(v1::StudyState state);
bool IsEnd(v1::TrialState state);

Records StudyRecords(const std::vector<v1::Study>& studies);
// `study` is the name of the trials' study.
Records TrialRecords(const std::string& study, const std::vector<v1::Trial>& trials);
Records AttemptRecords(const v1::Trial& trial);
Records WorkerRecords(const std::vector<v1::Worker>& workers);
Records CheckpointRecords(const std::vector<v1::Checkpoint>& checkpoints);

}  // namespace vlm::client
