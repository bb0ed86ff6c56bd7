// Trials out of other files: Optuna's databases and tables.
#include "server/storage/seeds.h"

#include <cmath>
#include <fstream>

#include "tests/storage/store_fixture.h"

namespace vlm::storage {
namespace {

v1::StudySpec SeedSpec() {
  v1::StudySpec spec;
  spec.set_metric("val_loss");
  spec.add_directions(v1::DIRECTION_MINIMIZE);
  v1::SearchParam* rate = spec.add_search_space();
  rate->set_name("learning_rate");
  rate->mutable_distribution()->mutable_float_distribution()->set_low(1e-4);
  rate->mutable_distribution()->mutable_float_distribution()->set_high(1e-2);
  v1::SearchParam* batch = spec.add_search_space();
  batch->set_name("batch_size");
  auto* choices = batch->mutable_distribution()->mutable_categorical_distribution();
  for (int64_t size : {8, 16}) choices->add_choices()->set_int_value(size);
  v1::SearchParam* amp = spec.add_search_space();
  amp->set_name("amp_enabled");
  choices = amp->mutable_distribution()->mutable_categorical_distribution();
  for (bool on : {true, false}) choices->add_choices()->set_bool_value(on);
  return spec;
}

class SeedsTest : public StoreTest {
 protected:
  absl::StatusOr<std::vector<v1::Trial>> ReadTable(const std::string& text) {
    const std::string path = folder_ / "trials.csv";
    std::ofstream(path, std::ios::binary) << text;
    v1::StudySpec spec = SeedSpec();
    spec.mutable_seed_from()->set_csv(path);
    return ReadSeeds(spec);
  }
};

TEST_F(SeedsTest, FinishedTrialsOfAnOptunaFileAreRead) {
  core::PutStudy study;
  study.study.set_study_id(1);
  study.study.set_name("old");
  study.study.add_directions(v1::DIRECTION_MINIMIZE);
  core::Batch batch{study};
  for (int64_t id = 1; id <= 3; ++id) {
    core::PutTrial put;
    put.trial.set_trial_id(id);
    put.trial.set_study_id(1);
    put.trial.set_number(id - 1);
    put.trial.set_state(id == 2 ? v1::TRIAL_STATE_FAIL : v1::TRIAL_STATE_COMPLETE);
    if (id != 2) put.trial.add_values(id == 3 ? INFINITY : 0.5);
    v1::Param& param = *put.trial.add_params();
    param.set_name("batch_size");
    *param.mutable_distribution() = SeedSpec().search_space(1).distribution();
    param.mutable_value()->set_int_value(16);
    (*put.trial.mutable_system_attributes())["constraints"] = "[1.0]";
    batch.push_back(put);
    batch.push_back(core::PutIntermediateValue{id, 7, 0.75});
  }
  auto store = Open();
  ASSERT_TRUE(Commit(*store, batch).ok());

  const auto trials = ReadOptunaTrials(path_, "old");

  ASSERT_TRUE(trials.ok()) << trials.status();
  ASSERT_EQ(trials->size(), 2u);
  const v1::Trial& last = trials->back();
  EXPECT_EQ(last.number(), 2);
  EXPECT_EQ(last.values(0), INFINITY);
  EXPECT_EQ(last.params(0).value().int_value(), 16);
  EXPECT_EQ(last.intermediate_values(0).value(), 0.75);
  EXPECT_EQ(last.system_attributes().at("constraints"), "[1.0]");
  const auto missing = ReadOptunaTrials(path_, "odl");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(missing.status().message().find("it has old"), std::string::npos);
}

TEST_F(SeedsTest, FilesThatAreNoneAreNamed) {
  EXPECT_EQ(ReadOptunaTrials(path_, "a").status().code(), absl::StatusCode::kNotFound);
  std::ofstream(path_) << std::string(8192, 'x');
  EXPECT_EQ(ReadOptunaTrials(path_, "a").status().code(), absl::StatusCode::kDataLoss);
  std::ofstream(path_, std::ios::trunc);
  EXPECT_FALSE(ReadOptunaTrials(path_, "a").ok());  // Empty: a database without tables.
}

TEST_F(SeedsTest, ADataFrameOfOptunasIsATable) {
  const auto trials = ReadTable(
      "number,value,params_learning_rate,params_batch_size,params_amp_enabled,state\r\n"
      "0,0.5,0.001,16.0,True,COMPLETE\r\n"
      "1,,0.002,8,False,FAIL\r\n"
      "2,,0.002,8,False,PRUNED\r\n");
  ASSERT_TRUE(trials.ok()) << trials.status();
  ASSERT_EQ(trials->size(), 3u);
  EXPECT_EQ(trials->at(0).params_size(), 3);
  EXPECT_EQ(trials->at(0).params(1).value().int_value(), 16);
  EXPECT_TRUE(trials->at(0).params(2).value().bool_value());
  EXPECT_EQ(trials->at(1).state(), v1::TRIAL_STATE_FAIL);
  EXPECT_EQ(trials->at(2).values_size(), 0);
}

TEST_F(SeedsTest, CellsMayBeQuotedAndOtherColumnsAreLeftAlone) {
  const auto trials = ReadTable(
      "note,val_loss,learning_rate,batch_size,amp_enabled\n"
      "\"two\nlines, \"\"quoted\"\"\",\"0.25\",0.001,24,true\n");
  ASSERT_TRUE(trials.ok()) << trials.status();
  EXPECT_EQ(trials->at(0).values(0), 0.25);
  EXPECT_EQ(trials->at(0).params_size(), 2);  // 24 is none of the choices.
}

TEST_F(SeedsTest, FaultsOfATableAreNamedWithTheirLine) {
  EXPECT_NE(ReadTable("value,learning_rate\n1,2\n")
                .status()
                .message()
                .find(":1: has no column batch_size"),
            std::string::npos);
  EXPECT_NE(ReadTable("learning_rate,batch_size,amp_enabled\n")
                .status()
                .message()
                .find("no column values_0 or value"),
            std::string::npos);
  EXPECT_NE(ReadTable("value,learning_rate,batch_size,amp_enabled\n\nx,1,8,true\n")
                .status()
                .message()
                .find(":3: \"x\" is no value"),
            std::string::npos);
  EXPECT_EQ(ReadTable("\"open").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(ReadTable("").ok());
}

}  // namespace
}  // namespace vlm::storage
