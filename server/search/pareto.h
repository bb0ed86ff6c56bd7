// Non-domination ranks and hypervolume subset selection as Optuna computes them
// (optuna/study/_multi_objective.py, optuna/_hypervolume). All objectives are minimized. Pure.
#pragma once

#include <cstddef>
#include <vector>

namespace vlm::search {

// One row a trial, one column an objective.
using LossRows = std::vector<std::vector<double>>;

// Rank of each row, 0 = not dominated. Peeling ends when `enough` different rows have their rank;
// all others share the next one.
std::vector<size_t> NonDominationRanks(const LossRows& rows, size_t enough);

// Positions of at most `count` rows chosen greedily for the hypervolume below `reference`.
// REQUIRES: count <= rows.size(); rows of one rank.
std::vector<size_t> SelectByHypervolume(const LossRows& rows, size_t count,
                                        const std::vector<double>& reference);

// The reference point that TPE takes for rows of one rank: a tenth worse than the worst.
std::vector<double> ReferencePoint(const LossRows& rows);

// Which of unique rows in lexicographic order are not dominated.
std::vector<bool> ParetoFront(const LossRows& sorted);

// Hypervolume between `rows` and `reference`; every row is at or below the reference.
double Hypervolume(LossRows rows, const std::vector<double>& reference);

}  // namespace vlm::search
