// Profiler and phase summaries as text tables and as JSON.
//
// The operator table has the columns of PyTorch's key_averages().table(), because people compare
// the two: percentages are of the sum of Self CPU, averages are total / calls. Columns of the
// device and of memory appear when some row has them. Thread-safe (no state).
#pragma once

#include <string>

#include "nlohmann/json_fwd.hpp"
#include "vlm/v1/study.pb.h"

namespace vlm::insight {

// Operators of a profiler window, in the order of the message. `max_rows` 0 = all. Ends with the
// sum of Self CPU time. "no operators were recorded\n" for an empty summary.
std::string OperatorTable(const v1::ProfileSummary& summary, int max_rows);

// One row per phase: milliseconds of the window, per step, and the share of wall time. Shares are
// rounded so that they add up to 100.0 %; time that no phase owns is in the row "other".
std::string PhaseTable(const v1::PhaseSummary& phases);

// What both tables say, as objects with stable keys (times in milliseconds or microseconds as the
// key's suffix says, shares in percent).
nlohmann::ordered_json OperatorJson(const v1::ProfileSummary& summary);
nlohmann::ordered_json PhaseJson(const v1::PhaseSummary& phases);

}  // namespace vlm::insight
