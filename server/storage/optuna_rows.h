// Studies and trials as rows of Optuna's tables, and back. All functions throw SQLite::Exception or
// std::exception; callers run inside Guard.
#pragma once

#include <string>

#include "server/storage/connection.h"
#include "vlm/v1/study.pb.h"

namespace vlm::storage {

void WriteStudyRows(Connection& c, const v1::Study& study);
void DeleteStudyRows(Connection& c, int64_t study_id);
void WriteTrialRows(Connection& c, const v1::Trial& trial);
void WriteTrialAttribute(Connection& c, int64_t trial_id, const std::string& key,
                         const std::string& json);
void WriteIntermediateValue(Connection& c, int64_t trial_id, int64_t step, double value);

// Text forms.
std::string DistributionJson(const v1::Distribution& distribution);
// Takes Optuna's present form and the older names. Throws on what is neither.
v1::Distribution ParseDistribution(const std::string& json);
const char* TrialStateText(v1::TrialState state);
v1::TrialState ParseTrialState(const std::string& text);
// "YYYY-MM-DD HH:MM:SS.ffffff" in UTC, as Optuna 5 stores it.
std::string DateTime(const google::protobuf::Timestamp& time);
bool ParseDateTime(const std::string& text, google::protobuf::Timestamp* out);
// A value and its type column: FINITE, INF_POS, INF_NEG, NAN.
double ValueOf(const SQLite::Column& value, const std::string& type);

}  // namespace vlm::storage
