// vlm.v1.Control over a real socket: what its comments promise.
#include "tests/contract/coordinator_fixture.h"

namespace vlm {
namespace {

class ControlTest : public CoordinatorFixture {};

TEST_F(ControlTest, SubmitListsEveryFaultInTheStatusDetails) {
  v1::SubmitRequest request;
  request.set_config_text("input_path: a.csv\nlerning_rate: 1\nbatch_size: many\n");
  request.set_config_path("/home/ann/a.yaml");
  v1::SubmitResponse response;
  const auto status = Call(&v1::Control::Stub::Submit, request, &response);

  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  v1::ValidateResponse details;
  ASSERT_TRUE(details.ParseFromString(status.error_details()));
  ASSERT_EQ(details.issues_size(), 2);
  EXPECT_EQ(details.issues(0).line(), 2);
  EXPECT_EQ(details.issues(0).suggestion(), "did you mean \"learning_rate\"?");
  v1::ListStudiesResponse studies;
  Call(&v1::Control::Stub::ListStudies, v1::ListStudiesRequest(), &studies);
  EXPECT_EQ(studies.studies_size(), 0) << "nothing is created";
}

TEST_F(ControlTest, SubmitReturnsTheEffectiveConfiguration) {
  v1::SubmitResponse response;
  ASSERT_TRUE(Call(&v1::Control::Stub::Submit, SampleSubmit("a"), &response).ok());
  EXPECT_EQ(response.spec().train().n_embd(), 128);
  EXPECT_EQ(response.study().state(), v1::STUDY_STATE_ACTIVE);
}

TEST_F(ControlTest, ValidateAnswersFaultsAndCreatesNothing) {
  v1::ValidateRequest request;
  request.set_config_text("batch_size: 0\n");
  v1::ValidateResponse response;
  ASSERT_TRUE(Call(&v1::Control::Stub::Validate, request, &response).ok());
  EXPECT_EQ(response.issues_size(), 2);
  EXPECT_FALSE(response.has_spec());
}

TEST_F(ControlTest, DocumentedCodesOfUnknownNames) {
  v1::GetStudyRequest study;
  study.set_study("none");
  v1::GetStudyResponse study_response;
  EXPECT_EQ(Call(&v1::Control::Stub::GetStudy, study, &study_response).error_code(),
            grpc::StatusCode::NOT_FOUND);
  v1::GetTrialRequest trial;
  trial.set_trial("99");
  v1::GetTrialResponse trial_response;
  EXPECT_EQ(Call(&v1::Control::Stub::GetTrial, trial, &trial_response).error_code(),
            grpc::StatusCode::NOT_FOUND);
  v1::ReadMetricsRequest metrics;
  metrics.set_trial("99");
  v1::ReadMetricsResponse metrics_response;
  EXPECT_EQ(Call(&v1::Control::Stub::ReadMetrics, metrics, &metrics_response).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(ControlTest, AskReportAndTellServeAProgramThatTrainsElsewhere) {
  Submit("a", 1);
  v1::AskRequest ask;
  ask.set_study("a");
  v1::AskResponse asked;
  ASSERT_TRUE(Call(&v1::Control::Stub::Ask, ask, &asked).ok());
  EXPECT_EQ(asked.trial().params(0).name(), "learning_rate");
  v1::ReportValueRequest value;
  value.set_trial("a/0");
  value.set_step(1);
  value.set_value(0.5);
  v1::ReportValueResponse valued;
  ASSERT_TRUE(Call(&v1::Control::Stub::ReportValue, value, &valued).ok());
  v1::TellRequest tell;
  tell.set_trial("a/0");
  tell.set_state(v1::TRIAL_STATE_COMPLETE);
  tell.add_values(0.5);
  v1::TellResponse told;
  ASSERT_TRUE(Call(&v1::Control::Stub::Tell, tell, &told).ok());
  EXPECT_EQ(Trial("a/0").state(), v1::TRIAL_STATE_COMPLETE);
}

TEST_F(ControlTest, SamplingIsReproducibleFromTheSeed) {
  std::vector<double> rates;
  for (const char* name : {"a", "b"}) {
    Submit(name, 1);
    v1::AskRequest ask;
    ask.set_study(name);
    v1::AskResponse asked;
    ASSERT_TRUE(Call(&v1::Control::Stub::Ask, ask, &asked).ok());
    rates.push_back(asked.trial().params(0).value().float_value());
  }
  EXPECT_EQ(rates[0], rates[1]);
}

TEST_F(ControlTest, GetStatusSaysWhoItIs) {
  v1::GetStatusResponse response;
  ASSERT_TRUE(Call(&v1::Control::Stub::GetStatus, v1::GetStatusRequest(), &response).ok());
  EXPECT_EQ(response.pid(), getpid());
  EXPECT_EQ(response.data_dir(), options_.data_dir);
  EXPECT_GT(response.database_bytes(), 0);
}

TEST_F(ControlTest, AnAddressOffThisMachineNeedsTheInsecureFlag) {
  server::CoordinatorOptions options;
  options.data_dir = dir_ / "other";
  options.listen = {"0.0.0.0:0"};
  const auto refused = server::Coordinator::Start(options);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  options.insecure = true;
  EXPECT_TRUE(server::Coordinator::Start(options).ok());
}

TEST_F(ControlTest, ASecondCoordinatorOnTheSameDataIsRefused) {
  const auto second = server::Coordinator::Start(options_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(second.status().message().find("another coordinator"), std::string::npos);
}

TEST_F(ControlTest, AnAddressInUseIsNamed) {
  server::CoordinatorOptions options;
  options.data_dir = dir_ / "other";
  options.listen = coordinator_->addresses();
  const auto second = server::Coordinator::Start(options);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(second.status().message().find(options.listen[0]), std::string::npos);
}

TEST_F(ControlTest, DeletedStudiesAreGoneAndTheirNamesFree) {
  Submit("a");
  v1::DeleteStudyRequest request;
  request.set_study("a");
  v1::DeleteStudyResponse response;
  ASSERT_TRUE(Call(&v1::Control::Stub::DeleteStudy, request, &response).ok());
  EXPECT_GT(Submit("a").study_id(), response.study_id());
}

TEST_F(ControlTest, ManyCallersAtOnceGetOneStudyEach) {
  std::vector<std::thread> callers;
  for (int i = 0; i < 16; ++i) {
    callers.emplace_back([this, i] { Submit("s" + std::to_string(i)); });
  }
  for (std::thread& caller : callers) caller.join();
  v1::ListStudiesResponse studies;
  Call(&v1::Control::Stub::ListStudies, v1::ListStudiesRequest(), &studies);
  EXPECT_EQ(studies.studies_size(), 16);
}

}  // namespace
}  // namespace vlm
