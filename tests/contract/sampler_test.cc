// Every sampler from a submitted YAML to its suggestions, across a restart of the coordinator.
#include "absl/strings/str_cat.h"
#include "tests/contract/coordinator_fixture.h"

namespace vlm {
namespace {

class SamplerContractTest : public CoordinatorFixture {
 protected:
  void SubmitWith(const std::string& name, const std::string& sampler) {
    v1::SubmitRequest request;
    request.set_name(name);
    request.set_config_path("/home/ann/a.yaml");
    request.set_config_text(absl::StrCat(
        "input_path: /data/pictures.csv\nn_trials: 100\ncuda_enabled: false\nstudy:\n  sampler: ",
        sampler,
        "\n  search_space:\n    dropout: {type: float, low: 0, high: 0.5, step: 0.1}\n"
        "    weight_decay: {type: float, low: 0.01, high: 0.09, log: ",
        sampler.find("grid") != std::string::npos || sampler.find("brute") != std::string::npos
            ? "false, step: 0.08"
            : "true",
        "}\n"));
    v1::SubmitResponse response;
    const grpc::Status status = Call(&v1::Control::Stub::Submit, request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
  // Asks for a trial and tells its end; its values, or the status.
  grpc::Status Next(const std::string& study, std::string* values) {
    v1::AskRequest ask;
    ask.set_study(study);
    v1::AskResponse asked;
    grpc::Status status = Call(&v1::Control::Stub::Ask, ask, &asked);
    if (!status.ok()) return status;
    v1::TellRequest tell;
    tell.set_trial(absl::StrCat(study, "/", asked.trial().number()));
    tell.set_state(v1::TRIAL_STATE_COMPLETE);
    double loss = 0;
    for (const v1::Param& param : asked.trial().params()) {
      absl::StrAppend(values, param.name(), "=", param.value().float_value(), " ");
      loss += param.value().float_value();
    }
    tell.add_values(loss);
    v1::TellResponse told;
    return Call(&v1::Control::Stub::Tell, tell, &told);
  }
};

class EachSamplerTest : public SamplerContractTest,
                        public ::testing::WithParamInterface<const char*> {};

TEST_P(EachSamplerTest, GoesOnInItsStreamAfterARestart) {
  SubmitWith("straight", GetParam());
  SubmitWith("broken", GetParam());
  std::string straight;
  std::string broken;
  for (int i = 0; i < 11; ++i) ASSERT_TRUE(Next("straight", &straight).ok());

  for (int i = 0; i < 6; ++i) ASSERT_TRUE(Next("broken", &broken).ok());
  Stop();
  Start();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Next("broken", &broken).ok());

  EXPECT_EQ(straight, broken);
}

INSTANTIATE_TEST_SUITE_P(
    All, EachSamplerTest,
    ::testing::Values("random", "{name: tpe, n_startup_trials: 3}",
                      "{name: tpe, n_startup_trials: 3, group: true, constant_liar: false}",
                      "{name: tpe, n_startup_trials: 3, multivariate: false, max_above: 4}",
                      "{name: grid}", "{name: brute_force}", "{name: qmc, scramble: true}",
                      "{name: qmc, qmc_type: halton}", "{name: nsga2, population_size: 3}",
                      "{name: nsga3, population_size: 3}", "{name: cmaes, population_size: 3}",
                      "{name: cmaes, separable: true, sigma0: 0.3}",
                      "{name: cmaes, with_margin: true, population_size: 3}",
                      "{name: cmaes, warm_start: true, with_margin: true, population_size: 3}",
                      "{name: gp, n_startup_trials: 3, max_trials: 8}",
                      "{name: tpe, n_startup_trials: 3, fixed: {dropout: 0.1}}"));

TEST_F(SamplerContractTest, AGridThatIsUsedUpCompletesItsStudy) {
  SubmitWith("a", "{name: grid}");
  std::string values;
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(Next("a", &values).ok());

  EXPECT_EQ(Next("a", &values).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  v1::GetStudyRequest get;
  get.set_study("a");
  v1::GetStudyResponse got;
  ASSERT_TRUE(Call(&v1::Control::Stub::GetStudy, get, &got).ok());
  EXPECT_EQ(got.study().state(), v1::STUDY_STATE_COMPLETED);
  EXPECT_EQ(got.study().counts().complete(), 12);
}

}  // namespace
}  // namespace vlm
