#include "tests/storage/samples.h"

namespace vlm::storage {

v1::StudySpec SampleSpec() {
  v1::StudySpec spec;
  spec.set_n_trials(3);
  spec.mutable_train()->set_input_path("/data/a.csv");
  return spec;
}

v1::Study SampleStudy() {
  v1::Study study;
  study.set_study_id(1);
  study.set_name("caf\xc3\xa9 'quoted'");
  study.set_state(v1::STUDY_STATE_ACTIVE);
  study.add_directions(v1::DIRECTION_MINIMIZE);
  study.set_metric("val_loss");
  study.set_config_hash("hash");
  study.mutable_create_time()->set_seconds(1'700'000'000);
  return study;
}

v1::Trial SampleTrial() {
  v1::Trial trial;
  trial.set_trial_id(1);
  trial.set_study_id(1);
  trial.set_number(0);
  trial.set_state(v1::TRIAL_STATE_COMPLETE);
  trial.add_values(0.25);
  trial.mutable_start_time()->set_seconds(1'700'000'000);
  trial.mutable_start_time()->set_nanos(123'456'000);
  trial.mutable_end_time()->set_seconds(1'700'000'060);
  trial.set_last_step(20);
  (*trial.mutable_last_points())["val_loss"] = 0.25;
  (*trial.mutable_user_attributes())["note"] = "\"text\"";
  (*trial.mutable_system_attributes())["fixed_params"] = "{}";
  v1::Param* rate = trial.add_params();
  rate->set_name("learning_rate");
  rate->mutable_value()->set_float_value(0.003);
  rate->mutable_distribution()->mutable_float_distribution()->set_low(0.001);
  rate->mutable_distribution()->mutable_float_distribution()->set_high(0.006);
  rate->mutable_distribution()->mutable_float_distribution()->set_log(true);
  v1::Param* batch = trial.add_params();
  batch->set_name("batch_size");
  batch->mutable_value()->set_int_value(16);
  for (int64_t choice : {8, 16}) {
    batch->mutable_distribution()->mutable_categorical_distribution()->add_choices()->set_int_value(
        choice);
  }
  trial.add_intermediate_values()->set_step(20);
  trial.mutable_intermediate_values(0)->set_value(0.5);
  return trial;
}

v1::Attempt SampleAttempt() {
  v1::Attempt attempt;
  attempt.set_attempt_id(1);
  attempt.set_trial_id(1);
  attempt.set_study_id(1);
  attempt.set_number(1);
  attempt.set_state(v1::ATTEMPT_STATE_RUNNING);
  attempt.add_placements()->set_worker_id("w1");
  return attempt;
}

core::ApplyReport SampleReport(int attempt, std::vector<std::pair<int64_t, double>> points) {
  core::ApplyReport apply;
  apply.study_id = 1;
  apply.trial_id = 1;
  apply.attempt_id = attempt;
  apply.attempt_number = attempt;
  apply.report.set_sequence(1);
  v1::Series* series = apply.report.add_series();
  series->set_name("val_loss");
  for (const auto& [step, value] : points) {
    apply.report.set_last_step(step);
    series->add_points()->set_step(step);
    series->mutable_points()->rbegin()->set_value(value);
  }
  return apply;
}

core::Batch SampleBatch() {
  core::PutTrial trial{SampleTrial()};
  core::ApplyReport report = SampleReport(1, {{10, 0.9}, {20, 0.5}});
  report.first_log_sequence = 1;
  for (const char* text : {"one", "two"}) {
    v1::LogLine* line = report.report.add_log_lines();
    line->set_text(text);
    line->set_sequence(report.report.log_lines_size());
  }
  report.report.add_phases()->set_wall_ms(5);
  core::PutWorker worker;
  worker.worker.set_worker_id("w1");
  core::PutCheckpoint checkpoint;
  checkpoint.checkpoint.set_checkpoint_id("ckpt-1-20");
  checkpoint.checkpoint.set_trial_id(1);
  checkpoint.checkpoint.set_sha256("abc");
  core::AppendEvent event;
  event.event.set_sequence(1);
  core::PutAttempt attempt{SampleAttempt(), {}, "10.0.0.1", 4711};
  attempt.command.set_action(v1::Command::ACTION_STOP);
  return {core::PutStudy{SampleStudy(), SampleSpec(), "2023-11-14T22:13:20+00:00"},
          core::PutStudyAttribute{1, false, "study:metric_names", "[\"val_loss\"]"},
          trial,
          core::PutIntermediateValue{1, 20, 0.5},
          attempt,
          report,
          worker,
          checkpoint,
          event,
          core::PutRequest{"id", "Submit", "answer"},
          core::PutSamplerState{1, std::string("state\0bytes", 11)}};
}

}  // namespace vlm::storage
