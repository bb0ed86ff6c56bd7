// The JSON contract and the tables of each resource against files in golden/. After an intended
// change: VLM_UPDATE_GOLDEN=1 build/<preset>/test-bin/client_unit_test --gtest_filter='Golden*'
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "client/resources.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "tests/support/process.h"

namespace vlm::client {
namespace {

template <typename T>
T Parse(const std::string& text) {
  T out;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &out));
  return out;
}

void ExpectGolden(const std::string& name, const std::string& actual) {
  const std::string path = vlm::testing::SourceFile("tests/client/golden/" + name);
  if (std::getenv("VLM_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << actual;
  std::ifstream file(path);
  ASSERT_TRUE(file) << path;
  std::stringstream expected;
  expected << file.rdbuf();
  EXPECT_EQ(actual, expected.str()) << path;
}

void ExpectAllFormats(const std::string& name, Records records) {
  ExpectGolden(name + ".txt", Render(records, Format::kTable));
  ExpectGolden(name + ".json", Render(records, Format::kJson));
  ExpectGolden(name + ".csv", Render(records, Format::kCsv));
  ExpectGolden(name + ".yaml", Render(records, Format::kYaml));
}

v1::Study DemoStudy() {
  return Parse<v1::Study>(R"(
      study_id: 7 name: "demo" state: STUDY_STATE_COMPLETED directions: DIRECTION_MINIMIZE
      metric: "val_loss" create_time { seconds: 1700000000 } end_time { seconds: 1700000100 }
      n_trials: 6 parallelism: 2 counts { complete: 4 pruned: 1 fail: 1 } best_value: 1.25
      best_trial_number: 3 config_hash: "ab12" owner: "ann" elapsed_s: 95.5)");
}

v1::Trial DemoTrial() {
  return Parse<v1::Trial>(R"(
      trial_id: 40 study_id: 7 number: 3 state: TRIAL_STATE_COMPLETE values: 1.25
      params { name: "learning_rate" value { float_value: 0.0012345678 } }
      params { name: "n_embd" value { int_value: 64 } }
      start_time { seconds: 1700000000 } end_time { seconds: 1700000050 nanos: 500000000 }
      last_step: 400 total_steps: 400
      last_points { key: "train_loss" value: 1.5 } last_points { key: "grad_norm" value: nan }
      checkpoint { checkpoint_id: "ckpt-9-400" })");
}

TEST(GoldenTest, Studies) {
  v1::Study young = Parse<v1::Study>(
      R"(study_id: 8 name: "next, one" state: STUDY_STATE_ACTIVE n_trials: 2 reason: "no \033 slot")");
  ExpectAllFormats("studies", StudyRecords({DemoStudy(), young}));
}

TEST(GoldenTest, OneStudy) {
  Records records = StudyRecords({DemoStudy()});
  records.single = true;
  ExpectAllFormats("study", records);
}

TEST(GoldenTest, Trials) {
  v1::Trial waiting = Parse<v1::Trial>(
      R"(trial_id: 41 study_id: 7 number: 4 state: TRIAL_STATE_WAITING last_step: -1)");
  ExpectAllFormats("trials", TrialRecords("demo", {DemoTrial(), waiting}));
}

TEST(GoldenTest, Attempts) {
  const auto trial = Parse<v1::Trial>(R"(
      attempts { attempt_id: 9 trial_id: 40 number: 1 state: ATTEMPT_STATE_LOST
                 failure_class: FAILURE_CLASS_INFRA reason: "the worker went away" last_step: 20
                 placements { rank: 0 worker_id: "0123456789" slot: 1 }
                 start_time { seconds: 1700000000 } end_time { seconds: 1700000050 } })");
  ExpectAllFormats("attempts", AttemptRecords(trial));
}

TEST(GoldenTest, Workers) {
  const auto worker = Parse<v1::Worker>(R"(
      worker_id: "w-1" name: "node1" state: WORKER_STATE_LOST version: "0.1.0" address: "10.0.0.1"
      slots { index: 0 kind: SLOT_KIND_CPU device: "cpu" model: "some cpu" threads: 2
              memory_bytes: 1024 }
      slots { index: 1 kind: SLOT_KIND_GPU device: "cuda:0" model: "some gpu" attempt_id: 9 }
      reason: "the stream broke")");
  ExpectAllFormats("workers", WorkerRecords({worker}));
}

TEST(GoldenTest, Checkpoints) {
  const auto checkpoint = Parse<v1::Checkpoint>(R"(
      checkpoint_id: "ckpt-9-400" trial_id: 40 attempt_id: 9 step: 400 sha256: "ff00"
      size_bytes: 1048576 uri: "coordinator:ckpt-9-400" create_time { seconds: 1700000000 }
      value: inf)");
  ExpectAllFormats("checkpoints", CheckpointRecords({checkpoint}));
}

}  // namespace
}  // namespace vlm::client
