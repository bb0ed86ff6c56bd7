// Reads tests/search/golden.txt (make_golden.py says what is in it) and knows its spaces.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "server/search/sampler.h"

namespace vlm::search {

struct GoldenCase {
  std::string sampler;
  std::map<std::string, std::string> options;
  std::map<size_t, std::vector<double>> rows;  // Trials that are written whole.
  std::vector<uint32_t> sums;                  // Of every trial.

  // 0 unless given.
  int64_t Int(const std::string& key) const;
  bool Has(const std::string& key) const { return options.count(key) > 0; }
  std::string Title() const;
};

std::vector<GoldenCase> ReadGolden();
// Of a trial's internal values, as make_golden.py computes it.
uint32_t GoldenChecksum(const std::vector<double>& values);

v1::SearchParam FloatParam(const std::string& name, double low, double high, bool log,
                           double step = 0);
v1::SearchParam IntParam(const std::string& name, int64_t low, int64_t high, bool log,
                         int64_t step = 1);
v1::SearchParam ChoiceParam(const std::string& name, int choices);
// All names of a space. Of "tree", the first decides which of those after the second there are.
Space GoldenSpace(const std::string& name);
std::vector<std::string> TreeBranch(int choice);

}  // namespace vlm::search
