// Samplers against what Optuna 5 itself suggested (make_golden.py), bit for bit: the same studies
// are run here, so one value that differs would change those that follow.
#include <cmath>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "server/search/tpe_sampler.h"
#include "tests/search/golden_file.h"

namespace vlm::search {
namespace {

constexpr int kTellOrder[] = {5, 0, 3, 1, 4, 2};

// A study as make_golden.py runs it.
class Replay {
 public:
  explicit Replay(const GoldenCase& golden)
      : golden_(golden), space_(GoldenSpace(golden.options.at("space"))) {
    const auto seed = static_cast<uint32_t>(golden.Int("seed"));
    v1::SamplerConfig config;
    config.set_name(golden.sampler);
    if (golden.Has("qmc_type")) config.set_qmc_type(golden.options.at("qmc_type"));
    config.set_population_size(golden.Int("population_size"));
    config.set_crossover_prob(0.9);
    config.set_swapping_prob(0.5);
    config.set_scramble(golden.Int("scramble") != 0);
    config.set_avoid_premature_stop(golden.Int("avoid_premature_stop") != 0);
    config.set_dividing_parameter(golden.Int("dividing_parameter"));
    if (golden.Has("reference_points")) AddPoints(golden.options.at("reference_points"), &config);
    sampler_ = golden.sampler == "tpe" ? std::make_unique<TpeSampler>(Options(), seed)
                                       : *MakeSampler(config, seed);
    study_.directions.assign(Objectives(), v1::DIRECTION_MINIMIZE);
    if (golden.Has("maximize")) study_.directions[0] = v1::DIRECTION_MAXIMIZE;
    study_.trials = &trials_;
  }

  // Numbers of the trials whose values are not Optuna's.
  std::vector<size_t> Run() {
    const auto batch = static_cast<int>(std::max<int64_t>(1, golden_.Int("batch")));
    std::vector<size_t> wrong;
    while (trials_.size() < golden_.sums.size()) {
      const size_t first = trials_.size();
      for (int i = 0; i < batch; ++i) Ask();
      for (int i = 0; i < batch; ++i) {
        Tell(first + static_cast<size_t>(batch == 6 ? kTellOrder[i] : i));
      }
      for (size_t i = first; i < trials_.size() && i < golden_.sums.size(); ++i) {
        if (!IsOptunas(i)) wrong.push_back(i);
      }
    }
    return wrong;
  }

 private:
  // Such as "1.0:0.0,0.5:0.5".
  static void AddPoints(const std::string& text, v1::SamplerConfig* config) {
    for (const absl::string_view point : absl::StrSplit(text, ',')) {
      v1::ReferencePoint* added = config->add_reference_points();
      for (const absl::string_view number : absl::StrSplit(point, ':')) {
        double coordinate = 0;
        ASSERT_TRUE(absl::SimpleAtod(number, &coordinate)) << text;
        added->add_coordinates(coordinate);
      }
    }
  }

  TpeOptions Options() const {
    TpeOptions options;
    if (golden_.Has("multivariate")) options.multivariate = golden_.Int("multivariate") != 0;
    options.group = golden_.Int("group") != 0;
    if (golden_.Has("constant_liar")) options.constant_liar = golden_.Int("constant_liar") != 0;
    const auto count = [this](const char* key, size_t* out) {
      if (golden_.Has(key)) *out = static_cast<size_t>(golden_.Int(key));
    };
    count("n_startup_trials", &options.n_startup_trials);
    count("n_ei_candidates", &options.n_ei_candidates);
    options.sort = Argsort::kNumpy;
    return options;
  }
  size_t Objectives() const {
    return static_cast<size_t>(std::max<int64_t>(1, golden_.Int("objectives")));
  }

  void Ask() {
    const auto number = static_cast<int64_t>(trials_.size());
    TrialView view;
    view.set_number(number);
    view.set_state(v1::TRIAL_STATE_RUNNING);
    if (golden_.options.at("space") == "tree") {
      AskTree(view);
    } else {
      const auto params = Suggest(*sampler_, study_, number, space_);
      ASSERT_TRUE(params.ok()) << params.status();
      for (const v1::Param& param : *params) {
        Add(view, param.name(), param.distribution(),
            *ToInternal(param.distribution(), param.value()));
      }
    }
    trials_.push_back(std::move(view));
    sampler_->Observe(study_, number);
  }
  // Names that depend on a value: the joint sample is drawn once, before the first of them.
  void AskTree(TrialView& view) {
    const InternalParams relative = *sampler_->SampleRelative(study_, view.number(), space_);
    const auto add = [&](const v1::SearchParam& param) {
      const auto it = relative.find(param.name());
      Add(view, param.name(), param.distribution(),
          it != relative.end() ? it->second
                               : *sampler_->SampleIndependent(study_, SuggestedOf(view),
                                                              param.name(), param.distribution()));
    };
    add(space_[0]);
    add(space_[1]);
    for (const std::string& name : TreeBranch(static_cast<int>(view.params()[0].value))) {
      for (const v1::SearchParam& param : space_) {
        if (param.name() == name) add(param);
      }
    }
  }
  static void Add(TrialView& view, const std::string& name, const v1::Distribution& distribution,
                  double internal) {
    view.AddParam(name, distribution, internal);
  }

  static double High(const v1::Distribution& d) {
    if (d.has_float_distribution()) return d.float_distribution().high();
    if (d.has_int_distribution()) return static_cast<double>(d.int_distribution().high());
    return d.categorical_distribution().choices_size();
  }
  static double Objective(const std::vector<double>& position, double k) {
    double total = 0;
    for (size_t i = 0; i < position.size(); ++i) {
      const double d = position[i] - (i % 2 == 0 ? 0.3 + 0.4 * k : 0.7 - 0.3 * k);
      total += d * d * (1.0 + static_cast<double>(i));
    }
    return total;
  }

  void Tell(size_t number) {
    TrialView& view = trials_.Edit(number);
    std::vector<double> position;
    for (const ParamPoint& param : view.params()) {
      position.push_back(param.value / High(param.distribution));
    }
    std::vector<double> losses;
    for (size_t k = 0; k < Objectives(); ++k) {
      losses.push_back(Objective(position, static_cast<double>(k)));
    }
    if (golden_.Has("maximize")) losses[0] = -losses[0];
    if (golden_.Has("constraints"))
      view.mutable_extras().constraints = {position[0] - 0.6, 0.2 - position[1]};
    if (golden_.Has("clean") || (number % 11 != 7 && number % 7 != 5)) {
      view.set_state(v1::TRIAL_STATE_COMPLETE);
      view.set_values(losses);
    } else if (number % 11 == 7) {
      view.set_state(v1::TRIAL_STATE_FAIL);
    } else {
      view.set_state(v1::TRIAL_STATE_PRUNED);
      if (Objectives() == 1 && number % 4 != 3) {
        view.mutable_extras().intermediate_values[static_cast<int64_t>(number % 3)] =
            number % 4 == 2 ? std::numeric_limits<double>::quiet_NaN() : losses[0];
      }
    }
    sampler_->Observe(study_, view.number());
  }

  bool IsOptunas(size_t number) const {
    std::vector<double> values;
    for (const ParamPoint& param : trials_[number].params()) values.push_back(param.value);
    if (const auto row = golden_.rows.find(number); row != golden_.rows.end()) {
      EXPECT_EQ(values, row->second) << golden_.Title() << ", trial " << number;
      if (values != row->second) return false;
    }
    return GoldenChecksum(values) == golden_.sums[number];
  }

  const GoldenCase& golden_;
  const Space space_;
  std::unique_ptr<Sampler> sampler_;
  Trials trials_;
  StudyView study_{"golden", {}, nullptr};
};

class GoldenTest : public ::testing::TestWithParam<size_t> {};

TEST_P(GoldenTest, EveryValueIsOptunas) {
  const std::vector<GoldenCase> cases = ReadGolden();
  ASSERT_EQ(cases.size(), 48u);
  const GoldenCase& golden = cases[GetParam()];

  const std::vector<size_t> wrong = Replay(golden).Run();

  EXPECT_TRUE(wrong.empty()) << golden.Title() << ": " << wrong.size() << " of "
                             << golden.sums.size() << " trials differ, the first is trial "
                             << (wrong.empty() ? 0 : wrong[0]);
}

INSTANTIATE_TEST_SUITE_P(All, GoldenTest, ::testing::Range<size_t>(0, 48));

}  // namespace
}  // namespace vlm::search
