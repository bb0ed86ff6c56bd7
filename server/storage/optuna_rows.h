// Studies and trials as rows of Optuna's tables, and back. All functions throw SQLite::Exception or
// std::exception; callers run inside Guard.
#pragma once

#include <string>

#include "server/core/mutation.h"
#include "server/storage/connection.h"
#include "vlm/v1/study.pb.h"

namespace vlm::storage {

void WriteStudyRows(Connection& c, const v1::Study& study);
void DeleteStudyRows(Connection& c, int64_t study_id);
void WriteTrialRows(Connection& c, const core::PutTrial& put);
void WriteParam(Connection& c, int64_t trial_id, const v1::Param& param);
void WriteAttribute(Connection& c, const core::PutStudyAttribute& attribute);
void WriteAttribute(Connection& c, const core::PutTrialAttribute& attribute);
void WriteIntermediateValue(Connection& c, const core::PutIntermediateValue& value);

// Text forms.
const char* TrialStateText(v1::TrialState state);
v1::TrialState ParseTrialState(const std::string& text);  // UNSPECIFIED: none of them.
// "YYYY-MM-DD HH:MM:SS.ffffff" in UTC, as Optuna 5 stores it.
std::string DateTime(const google::protobuf::Timestamp& time);
bool ParseDateTime(const std::string& text, google::protobuf::Timestamp* out);
// A value and its type column: FINITE, INF_POS, INF_NEG, NAN. FINITE without a value is NaN.
double ValueOf(const SQLite::Column& value, const std::string& type);

}  // namespace vlm::storage
