// Times suggestions of TPE on a growing study. Reads orders from stdin, one a line, so that a
// driver can interleave it with other programs in one run (bench/search_vs_optuna.py):
//   grow N        suggests and ends trials until there are N
//   time COUNT    suggests and ends COUNT more, prints CPU microseconds of each suggestion as JSON
//   quit
#include <time.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "server/search/tpe_sampler.h"

namespace vlm::search {
namespace {

double CpuMicroseconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

// The three floats of bench/search_vs_optuna.py.
Space ThreeFloats() {
  Space space(3);
  for (size_t i = 0; i < 3; ++i) {
    space[i].set_name(std::string(1, static_cast<char>('x' + i)));
    auto* range = space[i].mutable_distribution()->mutable_float_distribution();
    range->set_low(i < 2 ? -5 : 1e-5);
    range->set_high(i < 2 ? 5 : 1e-1);
    range->set_log(i == 2);
  }
  return space;
}

class Study {
 public:
  explicit Study(size_t max_above) : sampler_(Options(max_above), 0) {}

  // One trial; the CPU time of its suggestion, with telling the sampler of its beginning and end.
  double Trial() {
    TrialView& view = trials_.emplace_back();
    view.set_number(static_cast<int64_t>(trials_.size()) - 1);
    view.set_state(v1::TRIAL_STATE_RUNNING);
    double start = CpuMicroseconds();
    const auto params = Suggest(sampler_, study_, view.number(), space_);
    double spent = CpuMicroseconds() - start;
    double loss = 0;
    for (const v1::Param& param : *params) {
      const double x = param.value().float_value();
      view.AddParam(param.name(), param.distribution(), x);
      loss += (x - 0.3) * (x - 0.3);
    }
    start = CpuMicroseconds();
    sampler_.Observe(study_, view.number());
    view.set_state(v1::TRIAL_STATE_COMPLETE);
    view.set_values({loss});
    sampler_.Observe(study_, view.number());
    return spent + CpuMicroseconds() - start;
  }
  size_t size() const { return trials_.size(); }

 private:
  static TpeOptions Options(size_t max_above) {
    TpeOptions options;
    options.max_above = max_above;
    return options;
  }
  const Space space_ = ThreeFloats();
  TpeSampler sampler_;
  Trials trials_;
  const StudyView study_{"bench", {v1::DIRECTION_MINIMIZE}, &trials_};
};

int Main(int argc, char** argv) {
  size_t max_above = 2000;
  CLI::App app("Times TPE's suggestions; orders come on stdin.");
  app.add_option("--max-above", max_above, "study.sampler.max_above");
  CLI11_PARSE(app, argc, argv);
  Study study(max_above);
  for (std::string line; std::getline(std::cin, line) && line != "quit";) {
    const size_t space = line.find(' ');
    const size_t count = space == std::string::npos ? 0 : std::stoul(line.substr(space));
    if (line.rfind("grow ", 0) == 0) {
      while (study.size() < count) study.Trial();
      std::printf("{\"trials\": %zu}\n", study.size());
    } else if (line.rfind("time ", 0) == 0) {
      std::printf("[");
      for (size_t i = 0; i < count; ++i) std::printf("%s%.1f", i == 0 ? "" : ", ", study.Trial());
      std::printf("]\n");
    }
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace vlm::search

int main(int argc, char** argv) { return vlm::search::Main(argc, argv); }
