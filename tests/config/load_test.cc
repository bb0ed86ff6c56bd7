// The configuration loader: what it accepts, and that it finds every fault in one pass.
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/config/config.h"
#include "common/config/keys.h"
#include "gtest/gtest.h"

namespace vlm::config {
namespace {

constexpr char kInput[] = "input_path: /data/a.csv\n";

LoadResult LoadText(const std::string& text, const std::vector<std::string>& overrides = {},
                    bool strict = false) {
  return Load(kInput + text, "/home/ann/a.yaml", overrides, strict);
}

std::string ReadFile(const std::string& relative) {
  std::ifstream in(std::string(std::getenv("VLM_SOURCE_DIR")) + "/" + relative);
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_FALSE(text.str().empty()) << relative;
  return text.str();
}

std::string AllIssues(const LoadResult& result) {
  std::string out;
  for (const auto& issue : result.issues) absl::StrAppend(&out, FormatIssue(issue), "\n");
  return out;
}

// ---- what is accepted ----

TEST(LoadTest, AnInputPathIsEnough) {
  const LoadResult result = LoadText("");
  EXPECT_TRUE(result.ok()) << AllIssues(result);
  EXPECT_EQ(result.spec.train().n_embd(), 128);
  EXPECT_EQ(result.spec.n_trials(), 1);
  EXPECT_EQ(result.spec.sampler().name(), "tpe");
}

TEST(LoadTest, TheReferencesOwnFileIsAcceptedWithOneWarning) {
  const LoadResult result =
      Load(ReadFile("configs/reference.yaml"), "/project/configs/reference.yaml");
  ASSERT_TRUE(result.ok()) << AllIssues(result);
  ASSERT_EQ(result.issues.size(), 1u) << AllIssues(result);
  EXPECT_TRUE(result.issues[0].warning());
  EXPECT_EQ(result.issues[0].key(), "head_size");
  EXPECT_EQ(result.issues[0].suggestion(), "did you mean 16?");
  EXPECT_GT(result.issues[0].line(), 20);
}

TEST(LoadTest, TheReferencesValuesArrive) {
  const v1::StudySpec spec =
      Load(ReadFile("configs/reference.yaml"), "/project/configs/r.yaml").spec;
  EXPECT_EQ(spec.train().input_path(), "/project/images/inputs.csv");
  EXPECT_EQ(spec.train().precision_mode(), v1::PRECISION_MIXED);
  EXPECT_EQ(spec.train().vocab_size(), 6666);
  EXPECT_EQ(spec.train().block_size(), 32);
  EXPECT_EQ(spec.n_trials(), 10);
  EXPECT_DOUBLE_EQ(spec.timeout_s(), 3600);
  ASSERT_EQ(spec.search_space_size(), 3);
  EXPECT_EQ(spec.search_space(0).name(), "learning_rate");
  EXPECT_DOUBLE_EQ(spec.search_space(0).distribution().float_distribution().high(), 6e-3);
  EXPECT_EQ(spec.search_space(1).distribution().categorical_distribution().choices_size(), 4);
}

TEST(LoadTest, StrictMakesWarningsErrors) {
  EXPECT_FALSE(Load(ReadFile("configs/reference.yaml"), "/a.yaml", {}, true).ok());
}

TEST(LoadTest, TheFilesOrderOfKeysIsTheReferences) {
  const std::string text = ReadFile("configs/reference.yaml");
  size_t last = 0;
  int known = 0;
  for (const Key& key : Keys()) {
    if (absl::StrContains(key.name, ".")) continue;
    const size_t at = text.find(absl::StrCat("\n", key.name, ": "));
    ASSERT_NE(at, std::string::npos) << key.name;
    ++known;
    last = std::max(last, at);
  }
  EXPECT_EQ(known, 33);
  EXPECT_EQ(last, text.find("\nweight_decay: "));
}

TEST(LoadTest, EveryKeyTakesItsDefaultWrittenOut) {
  for (const Key& key : Keys()) {
    if (*key.fallback == '\0' || std::string(key.name) == "head_size") continue;
    v1::StudySpec spec;
    EXPECT_EQ(SetFromText(key, key.fallback, &spec), "") << key.name;
  }
}

TEST(LoadTest, EveryKeyIsWrittenInTheDocumentation) {
  const std::string text = ReadFile("docs/configuration.md");
  for (const Key& key : Keys()) {
    EXPECT_TRUE(absl::StrContains(text, absl::StrCat("`", key.name, "`"))) << key.name;
  }
}

TEST(LoadTest, EveryKeyTheFilesUseIsAlive) {
  // Each key must reach a field: setting it away from the default changes the specification.
  for (const Key& key : Keys()) {
    v1::StudySpec spec;
    EXPECT_NE(Resolve(key, &spec).field, nullptr) << key.name;
  }
}

TEST(LoadTest, ShortFormsNameSamplerAndPruner) {
  const LoadResult result = LoadText("study: {sampler: random, pruner: none}\n");
  EXPECT_TRUE(result.ok()) << AllIssues(result);
  EXPECT_EQ(result.spec.sampler().name(), "random");
  EXPECT_EQ(result.spec.pruner().name(), "none");
}

TEST(LoadTest, BetasMayBeAList) {
  const LoadResult result = LoadText("optimizer: {betas: [0.8, 0.95]}\n");
  EXPECT_DOUBLE_EQ(result.spec.train().optimizer().beta1(), 0.8);
  EXPECT_DOUBLE_EQ(result.spec.train().optimizer().beta2(), 0.95);
}

TEST(LoadTest, AProfilerSectionSwitchesItOn) {
  EXPECT_FALSE(LoadText("").spec.train().profiler().enabled());
  EXPECT_TRUE(LoadText("profiler: {active: 2}\n").spec.train().profiler().enabled());
  EXPECT_FALSE(LoadText("profiler: {enabled: false}\n").spec.train().profiler().enabled());
}

TEST(LoadTest, OverridesBeatTheFile) {
  const LoadResult result =
      LoadText("batch_size: 8\n", {"batch_size=32", "study.seed=7", "optimizer.schedule=cosine"});
  EXPECT_TRUE(result.ok()) << AllIssues(result);
  EXPECT_EQ(result.spec.train().batch_size(), 32);
  EXPECT_EQ(result.spec.train().seed(), 7);
  EXPECT_EQ(result.spec.train().optimizer().schedule(), v1::SCHEDULE_COSINE);
}

TEST(LoadTest, AnOverrideMayBeAWholeSearchSpace) {
  const LoadResult result = LoadText("", {"study.search_space={dropout: [0.0, 0.1]}"});
  EXPECT_TRUE(result.ok()) << AllIssues(result);
  EXPECT_TRUE(result.spec.hyperparameter_tuning());
}

TEST(LoadTest, NullBlockSizeMeansTheLongestCaption) {
  EXPECT_FALSE(LoadText("block_size: null\n").spec.train().has_block_size());
}

TEST(LoadTest, ToYamlReadsBackToTheSameSpecification) {
  for (const char* text :
       {"", "study: {sampler: random}\n",
        "study: {sampler: {name: gp, n_startup_trials: 7, max_trials: 150}}\n",
        "study: {sampler: {name: cmaes, with_margin: true, warm_start: true}}\n",
        "study: {sampler: {name: grid, fixed: {batch_size: 8, optimizer.schedule: wsd}}, "
        "search_space: "
        "{batch_size: [8, 16], optimizer.schedule: [cosine, wsd]}}\n",
        "hyperparameter_tuning: true\n", "study: {name: 'it''s', direction: maximize}\n",
        "study: {search_space: {dropout: {type: float, low: 0, high: 0.5, step: 0.1}, n_layer: "
        "{type: int, low: 1, high: 8, log: true}, optimizer.schedule: [cosine, wsd]}}\n"}) {
    v1::StudySpec first = LoadText(text).spec;
    LoadResult second = Load(ToYaml(first), "/home/ann/a.yaml");
    EXPECT_TRUE(second.ok()) << AllIssues(second) << ToYaml(first);
    first.clear_source_text();
    second.spec.clear_source_text();
    EXPECT_EQ(first.DebugString(), second.spec.DebugString());
    EXPECT_EQ(ConfigHash(first), ConfigHash(second.spec));
  }
}

TEST(LoadTest, TheHashIsOfTheMeaningNotTheText) {
  EXPECT_EQ(ConfigHash(LoadText("").spec), ConfigHash(LoadText("# a comment\nn_embd: 128\n").spec));
  EXPECT_NE(ConfigHash(LoadText("").spec), ConfigHash(LoadText("n_embd: 256\n").spec));
}

// ---- what is refused ----

struct Fault {
  const char* text;  // After the line with input_path, so that the first line is 2.
  int line;
  int column;
  const char* message;
  const char* suggestion;
};

class FaultTest : public ::testing::TestWithParam<Fault> {};

TEST_P(FaultTest, IsFoundWithItsPlaceAndARemedy) {
  const Fault& fault = GetParam();
  const LoadResult result = LoadText(fault.text);
  EXPECT_FALSE(result.ok());
  for (const v1::ConfigIssue& issue : result.issues) {
    if (issue.line() == fault.line && issue.column() == fault.column &&
        absl::StrContains(issue.message(), fault.message) &&
        absl::StrContains(issue.suggestion(), fault.suggestion)) {
      return;
    }
  }
  FAIL() << "found instead:\n" << AllIssues(result);
}

INSTANTIATE_TEST_SUITE_P(
    All, FaultTest,
    ::testing::Values(
        Fault{"lerning_rate: 1\n", 2, 1, "unknown key", "did you mean \"learning_rate\"?"},
        Fault{"qwertyuiop: 1\n", 2, 1, "unknown key", "docs/configuration.md"},
        Fault{"batch_size: many\n", 2, 13, "\"many\" is not an integer", ""},
        Fault{"batch_size: 1.5\n", 2, 13, "not an integer", ""},
        Fault{"batch_size: 0\n", 2, 13, "0 is out of range [1, ", ""},
        Fault{"batch_size: 99999999999999999999\n", 2, 13, "", ""},
        Fault{"batch_size: [1, 2]\n", 2, 13, "single value", ""},
        Fault{"batch_size: {a: 1}\n", 2, 13, "single value", ""},
        Fault{"batch_size:\n", 2, 1, "has no value", "remove the line"},
        Fault{"dropout: 1.0\n", 2, 10, "out of range [0, 1)", ""},
        Fault{"dropout: .nan\n", 2, 10, "not a finite number", ""},
        Fault{"learning_rate: 0\n", 2, 16, "out of range > 0", ""},
        Fault{"learning_rate: .inf\n", 2, 16, "not a finite number", ""},
        Fault{"amp_enabled: maybe\n", 2, 14, "is not true or false", ""},
        Fault{"precision_mode: fp31\n", 2, 17, "none of fp32, fp16, mixed, bf16", "fp32"},
        Fault{"block_size: 1000\n", 2, 13, "out of range [1, 999]", ""},
        Fault{"n_embd: 8\nn_embd: 16\n", 3, 1, "duplicate key; first seen in line 2", "remove"},
        Fault{"n_embd: 100\n", 2, 1, "not a multiple of num_head 8", "use 104"},
        Fault{"img_size: 100\n", 2, 1, "not a multiple of patch_size 16", "use 112"},
        Fault{"image_embed_dim: 500\n", 2, 1, "not a multiple of num_head", "use 504"},
        Fault{"cuda_enabled: false\nprecision_mode: fp16\n", 3, 1, "fp16 needs CUDA", "bf16"},
        Fault{"resources: {world_size: 3}\n", 0, 0, "not a multiple of resources.world_size 3",
              "use 18"},
        Fault{"resources: {world_size: 2, min_world_size: 4}\n", 2, 28,
              "4 is above resources.world_size 2", "use 2 or less"},
        Fault{"study: {priority: 101}\n", 2, 19, "101 is out of range [-100, 100]", ""},
        Fault{"study: {weight: 0}\n", 2, 17, "out of range (0, 1e+06]", ""},
        Fault{"retry:\n  log_policies: [{pattern: 'ECC', action: ignore}]\n", 3, 43,
              "\"ignore\" is none of fail, exclude_worker, infra", ""},
        Fault{"retry:\n  log_policies: [{pattern: '(ECC', action: fail}]\n", 3, 28,
              "is no regular expression: missing )", "RE2"},
        Fault{"retry:\n  log_policies: [{action: fail}]\n", 3, 18, "is missing", "RE2"},
        Fault{"study: {metric: loss}\n", 2, 9, "none of val_loss, train_loss", ""},
        Fault{"study: {sampler: tpee}\n", 2, 18, "none of tpe, random, grid", "tpe"},
        Fault{"study:\n  sampler:\n    name: random\n    group: true\n", 5, 5,
              "not used by the sampler random", "remove it"},
        Fault{"study:\n  sampler: {name: gp, group: true}\n", 3, 23, "not used by the sampler gp",
              "n_startup_trials, max_trials"},
        Fault{"study: {sampler: {name: cmaes, separable: true, with_margin: true}}\n", 2, 49,
              "true does not go with separable: true", "remove one"},
        Fault{"study: {sampler: {name: cmaes, sigma0: 0.2, warm_start: true}}\n", 2, 45,
              "true does not go with sigma0: 0.2", "remove one"},
        Fault{"study: {sampler: {name: cmaes, separable: true, warm_start: true}}\n", 2, 49,
              "true does not go with separable: true", "remove one"},
        Fault{"study: {sampler: {name: gp, max_trials: 20000}}\n", 2, 41,
              "20000 is out of range [0, 10000]", ""},
        Fault{"study: {sampler: grid, search_space: {dropout: {type: float, low: 0, high: 0.5}}}\n",
              2, 38, "would never end", "step"},
        Fault{"study: {sampler: {fixed: {dropout: 0.1}}}\n", 2, 19, "is not searched",
              "search_space"},
        Fault{"study: {search_space: {batch_size: [8, 16]}, sampler: {fixed: {batch_size: 9}}}\n",
              2, 56, "not a value of its range", "allows"},
        Fault{"study: {sampler: {fixed: 3}}\n", 2, 26, "must be a map", "batch_size"},
        Fault{"study: {sampler: {multivariate: false, group: true}}\n", 2, 40,
              "multivariate: false", "remove one"},
        Fault{"study: {direction: up}\n", 2, 20, "none of minimize, maximize", ""},
        Fault{"study: [1]\n", 2, 8, "must be a section", ""},
        Fault{"optimizer: {betas: [1]}\n", 2, 20, "list of two numbers", ""},
        Fault{"study: {search_space: {learning_rate: {type: float, low: 2, high: 1}}}\n", 2, 58,
              "low 2 is above high 1", ""},
        Fault{"study: {search_space: {learning_rate: {type: flot, low: 1, high: 2}}}\n", 2, 46,
              "none of float, int, categorical", ""},
        Fault{"study: {search_space: {learning_rate: {type: float, low: 0, high: 1, log: true}}}\n",
              2, 58, "a log range starts above 0", ""},
        Fault{"study: {search_space: {n_embd: {type: float, low: 8, high: 16}}}\n", 2, 32,
              "takes whole numbers", "int or categorical"},
        Fault{"study: {search_space: {n_embd: [8, x]}}\n", 2, 36, "not an integer", ""},
        Fault{"study: {search_space: {n_embd: [8, 12]}}\n", 0, 0, "12 is not a multiple", ""},
        Fault{"study: {search_space: {nembd: [8]}}\n", 2, 24, "unknown key", "n_embd"},
        Fault{"study: {search_space: {input_path: [a]}}\n", 2, 36, "cannot be searched", ""},
        Fault{"study: {search_space: {n_embd: [8], n_embd: [16]}}\n", 2, 37, "duplicate key", ""},
        Fault{"study: {search_space: {n_embd: []}}\n", 2, 32, "at least one value", ""},
        Fault{"a: [1\n", 3, 1, "not YAML", ""}, Fault{"- 1\n", 2, 1, "not YAML", ""}));

TEST(LoadFaultsTest, AllFaultsAreFoundInOnePassAndInFileOrder) {
  const LoadResult result = LoadText(
      "batch_size: many\nlerning_rate: 1\ndropout: 2\nn_embd: 8\nn_embd: 16\n"
      "study:\n  sampler: tpee\n  search_space:\n    dropout: {type: flot}\n");
  int last = 0;
  for (const v1::ConfigIssue& issue : result.issues) {
    EXPECT_GE(issue.line(), last);
    last = issue.line();
    EXPECT_EQ(issue.file(), "/home/ann/a.yaml");
  }
  EXPECT_EQ(result.issues.size(), 6u) << AllIssues(result);
}

TEST(LoadFaultsTest, AMissingInputPathIsNamed) {
  EXPECT_TRUE(absl::StrContains(AllIssues(Load("", "a.yaml")), "input_path: is missing"));
}

TEST(LoadFaultsTest, AFaultyOverrideSaysSo) {
  const LoadResult result = LoadText("", {"n_trials", "=1", "n_trials=x", "nope=1", "n_embd=[1"});
  ASSERT_EQ(result.issues.size(), 5u) << AllIssues(result);
  for (const v1::ConfigIssue& issue : result.issues) EXPECT_EQ(issue.file(), "--set");
}

TEST(LoadFaultsTest, ATextThatIsNotUtf8IsRefusedWithItsPlace) {
  const LoadResult result = Load("n_embd: 8\nx: \xff\n", "a.yaml");
  ASSERT_EQ(result.issues.size(), 1u);
  EXPECT_EQ(result.issues[0].line(), 2);
  EXPECT_EQ(result.issues[0].column(), 4);
  EXPECT_TRUE(Load("# caf\xc3\xa9 \xf0\x9f\x8e\xa8\n" + std::string(kInput), "a.yaml").ok());
}

TEST(LoadFaultsTest, AFileThatIsNoMapIsRefused) {
  for (const char* text : {"just text", "[1, 2]", "42"}) {
    EXPECT_TRUE(absl::StrContains(AllIssues(Load(text, "a.yaml")), "not a map")) << text;
  }
}

TEST(LoadFaultsTest, ATooLongTextIsRefused) {
  EXPECT_FALSE(Load(std::string(kMaxConfigBytes + 1, '#'), "a.yaml").ok());
}

TEST(LoadFaultsTest, DeepNestingIsAnErrorNotACrash) {
  EXPECT_FALSE(LoadText("study: " + std::string(100'000, '[') + "\n").ok());
  EXPECT_FALSE(LoadText("study: " + std::string(100'000, '{') + "\n").ok());
}

TEST(LoadFaultsTest, AnAliasBombIsAnErrorNotAHang) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 20; ++i) {
    absl::StrAppend(&text, "a", i, ": &a", i, " [");
    for (int k = 0; k < 9; ++k) absl::StrAppend(&text, k == 0 ? "" : ", ", "*a", i - 1);
    absl::StrAppend(&text, "]\n");
  }
  EXPECT_FALSE(LoadText(text + "n_embd: *a19\n").ok());
}

TEST(LoadFaultsTest, RandomBytesNeverCrash) {
  uint32_t state = 1;
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (int i = 0; i < 200; ++i) {
      state = state * 1664525 + 1013904223;
      text += " \n:-[]{}&*!|>'\"%@`#,?abc019.\t"[state >> 24 & 31 % 30];
    }
    LoadText(text);
  }
}

TEST(ApplyParamsTest, WritesTheTrialsValuesIntoTheirKeys) {
  google::protobuf::RepeatedPtrField<v1::Param> params;
  params.Add()->set_name("learning_rate");
  params[0].mutable_value()->set_float_value(0.1 + 0.2);
  params.Add()->set_name("optimizer.schedule");
  params[1].mutable_value()->set_string_value("wsd");
  v1::TrainConfig config;
  ASSERT_TRUE(ApplyParams(params, &config).ok());
  EXPECT_EQ(config.learning_rate(), 0.1 + 0.2);
  EXPECT_EQ(config.optimizer().schedule(), v1::SCHEDULE_WSD);
}

TEST(ApplyParamsTest, NamesAParameterThatFitsNoKey) {
  google::protobuf::RepeatedPtrField<v1::Param> params;
  params.Add()->set_name("nothing");
  v1::TrainConfig config;
  EXPECT_EQ(ApplyParams(params, &config).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace vlm::config
