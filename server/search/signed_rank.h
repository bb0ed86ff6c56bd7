// Wilcoxon's signed-rank test, one-sided.
#pragma once

#include <vector>

namespace vlm::search {

// Probability, if the differences were symmetric around 0, of a rank sum of the positive ones at
// least (`greater`) or at most as large as this one. Zeros count half to each side ("zsplit").
// Which distribution: SciPy's method="auto" since 1.13. Exact for up to 50 differences without
// ties and zeros (Wilcoxon 1945); with them, exact over all sign changes up to 13 differences;
// otherwise normal with the correction for ties and continuity.
// REQUIRES: not empty, finite.
double SignedRankPValue(const std::vector<double>& differences, bool greater);

}  // namespace vlm::search
