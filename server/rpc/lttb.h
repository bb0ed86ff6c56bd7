// Largest-triangle-three-buckets: thins a series to a point budget and keeps its shape.
// Source: S. Steinarsson, "Downsampling Time Series for Visual Representation", 2013.
#pragma once

#include "vlm/v1/study.pb.h"

namespace vlm::rpc {

// Keeps the first and the last point. `budget` <= 0 or >= size: unchanged. NaN counts as 0 area.
void Thin(v1::Series* series, int budget);

}  // namespace vlm::rpc
