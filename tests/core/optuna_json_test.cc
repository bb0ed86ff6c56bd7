// JSON as Python writes it, and values and distributions in that form.
#include "server/core/optuna_json.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"
#include "server/core/json_text.h"

namespace vlm::core {
namespace {

TEST(JsonTextTest, TakesWhatPythonTakes) {
  for (const char* text : {"null", " true ", "NaN", "-Infinity", "Infinity", "-0", "1e5", "0.5E-3",
                           "123456789012345678901234567890", "\"\\ud83d\"", "\"caf\xc3\xa9\"", "[]",
                           "{ }", "[1, [2, {\"a\": null}]]", "{\"a\": 1, \"a\": 2}"}) {
    EXPECT_TRUE(CheckJson(text).ok()) << text << ": " << CheckJson(text);
  }
}

TEST(JsonTextTest, RefusesTheRestAndSaysWhere) {
  for (const char* text : {"",        " ",      "nul",         "nan", "+1",      "01",
                           ".5",      "1.",     "1e",          "-",   "[1,]",    "[1 2]",
                           "{\"a\"}", "{a: 1}", "{\"a\": 1,}", "\"",  "\"\\x\"", "\"\\u12g4\"",
                           "\"\n\"",  "1 2",    "'a'",         "[",   "{"}) {
    EXPECT_EQ(CheckJson(text).code(), absl::StatusCode::kInvalidArgument) << text;
  }
  EXPECT_NE(CheckJson("[1, x]").message().find("byte 4"), std::string::npos);
  EXPECT_FALSE(CheckJson(std::string(100'000, '[')).ok()) << "no stack overflow";
}

TEST(JsonTextTest, StringsComeBackAsTheyWere) {
  for (const std::string& text : {std::string("plain"), std::string("q\"b\\s/\b\f\n\r\t"),
                                  std::string("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
                                  std::string("nul\0!", 5), std::string("\x7f")}) {
    const std::string quoted = QuoteJson(text);
    EXPECT_TRUE(CheckJson(quoted).ok());
    EXPECT_EQ(UnquoteJson(quoted).value(), text);
    for (char c : quoted) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << quoted;
  }
  EXPECT_EQ(UnquoteJson("\"\\ud800x\"").status().code(), absl::StatusCode::kNotFound);
}

TEST(ParamJsonTest, ValuesKeepTheirTypeAndText) {
  for (const char* text : {"null", "true", "false", "1", "1.0", "-7", "NaN", "Infinity",
                           "-Infinity", "1e-05", "9007199254740993", "1180591620717411303424",
                           "\"x\"", "\"\\ud800\"", "[1, \"a\"]", "{\"a\": 1}"}) {
    EXPECT_EQ(ValueJson(ParseValueJson(text)), text);
  }
}

TEST(ParamJsonTest, DistributionsComeBackInOptunasForm) {
  for (
      const char* text :
      {R"({"name": "FloatDistribution", "attributes": {"step": null, "low": -Infinity, "high": 1.0, "log": false}})",
       R"({"name": "FloatDistribution", "attributes": {"step": 0.25, "low": 0.0, "high": 1.0, "log": false}})",
       R"({"name": "IntDistribution", "attributes": {"log": true, "step": 1, "low": 1, "high": 64}})",
       R"({"name": "CategoricalDistribution", "attributes": {"choices": [null, true, 1, 1.0, NaN, "x", [1]]}})"}) {
    const auto parsed = ParseDistribution(text);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(DistributionJson(*parsed), text);
  }
}

TEST(ParamJsonTest, OldClassesAndTheShortFormAreTaken) {
  const auto log = ParseDistribution(
      R"({"name": "LogUniformDistribution", "attributes": {"low": 0.1, "high": 1}})");
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_TRUE(log->float_distribution().log());
  const auto q = ParseDistribution(
      R"({"name": "DiscreteUniformDistribution", "attributes": {"low": 0, "high": 1, "q": 0.5}})");
  ASSERT_TRUE(q.ok()) << q.status();
  EXPECT_DOUBLE_EQ(q->float_distribution().step(), 0.5);
  const auto brief = ParseDistribution(R"({"type": "int", "low": 1, "high": 9})");
  ASSERT_TRUE(brief.ok()) << brief.status();
  EXPECT_EQ(brief->int_distribution().step(), 1);
}

v1::Distribution Parsed(const std::string& text) { return ParseDistribution(text).value(); }
v1::Distribution Choices(const std::string& choices) {
  return Parsed(R"({"type": "categorical", "choices": )" + choices + "}");
}

TEST(ParamJsonTest, CompatibleIsWhatPythonCallsEqual) {
  EXPECT_TRUE(CheckCompatible(Choices("[1, NaN]"), Choices("[1.0, NaN]")).ok());
  EXPECT_TRUE(CheckCompatible(Choices("[true]"), Choices("[1]")).ok());
  EXPECT_FALSE(CheckCompatible(Choices("[1, 2]"), Choices("[2, 1]")).ok());
  EXPECT_FALSE(CheckCompatible(Choices("[1]"), Choices("[1, 2]")).ok());
  EXPECT_FALSE(CheckCompatible(Choices("[null]"), Choices("[\"\"]")).ok());
  const v1::Distribution real = Parsed(R"({"type": "float", "low": 1, "high": 2})");
  const v1::Distribution wider = Parsed(R"({"type": "float", "low": 0, "high": 9, "step": 1})");
  const v1::Distribution log = Parsed(R"({"type": "float", "low": 1, "high": 2, "log": true})");
  const v1::Distribution whole = Parsed(R"({"type": "int", "low": 1, "high": 2})");
  EXPECT_TRUE(CheckCompatible(real, wider).ok());
  EXPECT_FALSE(CheckCompatible(real, log).ok());
  EXPECT_FALSE(CheckCompatible(real, whole).ok());
}

TEST(ParamJsonTest, InternalValuesGoBothWaysAndHostileOnesAreRefused) {
  const v1::Distribution choices = Choices("[true, 1, 1.0, NaN]");
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(Internal(choices, FromInternal(choices, i).value()).value(), i);
  const double inf = std::numeric_limits<double>::infinity();
  for (double index : {-1.0, 4.0, inf, -inf, static_cast<double>(NAN)}) {
    EXPECT_FALSE(FromInternal(choices, index).ok()) << index;
  }
  const v1::Distribution whole = Parsed(R"({"type": "int", "low": 1, "high": 2})");
  EXPECT_EQ(FromInternal(whole, 99).value().int_value(), 99);
  for (double value : {1e19, -1e19, inf, static_cast<double>(NAN)}) {
    EXPECT_FALSE(FromInternal(whole, value).ok()) << value;
  }
}

}  // namespace
}  // namespace vlm::core
