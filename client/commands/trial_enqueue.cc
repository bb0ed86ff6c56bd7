#include "client/commands/trial_enqueue.h"

#include <cmath>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/resources.h"
#include "common/ids.h"
#include "yaml-cpp/yaml.h"

namespace vlm::client {
namespace {

struct Text {
  std::string text;
  bool quoted = false;  // In a file: it is text, whatever it looks like.
};
using Values = std::map<std::string, Text>;

struct EnqueueArgs {
  std::string study;
  std::vector<std::string> values;
  std::string file;
};

absl::StatusOr<Values> FromWords(const std::vector<std::string>& words) {
  Values values;
  for (const std::string& word : words) {
    const size_t equals = word.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return absl::InvalidArgumentError(absl::StrCat("\"", word, "\" is not KEY=VALUE"));
    }
    if (!values.emplace(word.substr(0, equals), Text{word.substr(equals + 1)}).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", word.substr(0, equals), "\" is given twice"));
    }
  }
  return values;
}

// A YAML or JSON list of mappings; a mapping alone counts as a list of one.
absl::StatusOr<std::vector<Values>> FromFile(const std::string& path) {
  std::stringstream text;
  if (path == "-") {
    text << std::cin.rdbuf();
  } else {
    std::ifstream file(path);
    if (!file) return absl::InvalidArgumentError(absl::StrCat("cannot read ", path));
    text << file.rdbuf();
  }
  try {
    const YAML::Node whole = YAML::Load(text.str());
    std::vector<Values> out;
    const auto add = [&out](const YAML::Node& node) {
      Values& values = out.emplace_back();
      for (const auto& item : node) {
        values[item.first.as<std::string>()] =
            item.second.IsNull() ? Text{"null"}
                                 : Text{item.second.as<std::string>(), item.second.Tag() == "!"};
      }
    };
    if (whole.IsMap()) {
      add(whole);
      return out;
    }
    if (!whole.IsSequence()) throw YAML::Exception(whole.Mark(), "it is no list of mappings");
    for (const YAML::Node& node : whole) {
      if (!node.IsMap()) throw YAML::Exception(node.Mark(), "an element is no mapping");
      add(node);
    }
    return out;
  } catch (const YAML::Exception& e) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", e.what()));
  }
}

// What a value looks like without a range to say what it is.
v1::ParamValue FreeValue(const Text& given) {
  v1::ParamValue value;
  value.set_string_value(given.text);
  if (given.quoted) return value;
  int64_t whole = 0;
  double number = 0;
  if (given.text == "null") {
    value.set_null_value(true);
  } else if (given.text == "true" || given.text == "false") {
    value.set_bool_value(given.text == "true");
  } else if (absl::SimpleAtoi(given.text, &whole)) {
    value.set_int_value(whole);
  } else if (absl::SimpleAtod(given.text, &number) && std::isfinite(number)) {
    value.set_float_value(number);
  }
  return value;
}

absl::StatusOr<v1::EnqueueTrialRequest> MakeRequest(const v1::StudySpec& spec,
                                                    const std::string& study,
                                                    const Values& values) {
  v1::EnqueueTrialRequest request;
  request.set_request_id(NewUuid());
  request.set_study(study);
  for (const auto& [name, given] : values) {
    const std::string& text = given.text;
    if (!spec.has_train()) {  // Made by another program, whose loop knows the ranges.
      (*request.mutable_params())[name] = FreeValue(given);
      continue;
    }
    const v1::SearchParam* found = nullptr;
    for (const v1::SearchParam& param : spec.search_space()) {
      if (param.name() == name) found = &param;
    }
    if (found == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(
          "\"", name, "\" is not in the search space of study ", study, "; there are ",
          absl::StrJoin(spec.search_space(), ", ", [](std::string* out, const auto& param) {
            absl::StrAppend(out, param.name());
          })));
    }
    auto value = ParseParamText(found->distribution(), text);
    if (!value.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(name, ": ", value.status().message()));
    }
    (*request.mutable_params())[name] = *std::move(value);
  }
  return request;
}

Result Enqueue(Session& session, const EnqueueArgs& args) {
  std::vector<Values> configurations;
  if (!args.file.empty()) {
    if (!args.values.empty()) {
      return absl::InvalidArgumentError("give KEY=VALUE or --file, not both");
    }
    ASSIGN_OR_RETURN(configurations, FromFile(args.file));
  } else {
    ASSIGN_OR_RETURN(configurations.emplace_back(), FromWords(args.values));
  }
  v1::GetStudyRequest get;
  get.set_study(args.study);
  ASSIGN_OR_RETURN(const auto found, session.Call(&ControlStub::GetStudy, get));
  // Everything is understood before the first one waits.
  std::vector<v1::EnqueueTrialRequest> requests;
  for (const Values& values : configurations) {
    ASSIGN_OR_RETURN(requests.emplace_back(),
                     MakeRequest(found.spec(), found.study().name(), values));
  }
  std::vector<v1::Trial> trials;
  for (const v1::EnqueueTrialRequest& request : requests) {
    const auto enqueued = session.Mutate(&ControlStub::EnqueueTrial, request);
    if (!enqueued.ok() && !trials.empty()) {
      session.Note(
          absl::StrCat("the first ", trials.size(), " of ", requests.size(), " were enqueued"));
    }
    if (!enqueued.ok()) return enqueued.status();
    trials.push_back(enqueued->trial());
  }
  session.Print(TrialRecords(found.study().name(), trials));
  session.Note(absl::StrCat(trials.size(), trials.size() == 1 ? " trial waits" : " trials wait",
                            " in study ", found.study().name()));
  return kDone;
}

}  // namespace

absl::StatusOr<v1::ParamValue> ParseParamText(const v1::Distribution& distribution,
                                              const std::string& text) {
  v1::ParamValue value;
  if (distribution.has_categorical_distribution()) {
    const auto& choices = distribution.categorical_distribution().choices();
    double number = 0;
    const bool numeric = absl::SimpleAtod(text, &number);
    for (const v1::ParamValue& choice : choices) {
      if (ParamText(choice) == text) return choice;
      // 1e-3 and 0.001 are the same choice.
      if (numeric && choice.has_float_value() && choice.float_value() == number) return choice;
      if (numeric && choice.has_int_value() && static_cast<double>(choice.int_value()) == number) {
        return choice;
      }
    }
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", text, "\" is none of the choices ",
        absl::StrJoin(choices, ", ", [](std::string* out, const v1::ParamValue& choice) {
          absl::StrAppend(out, ParamText(choice));
        })));
  }
  if (distribution.has_int_distribution()) {
    int64_t whole = 0;
    if (!absl::SimpleAtoi(text, &whole)) {
      return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is no whole number"));
    }
    value.set_int_value(whole);
    return value;
  }
  double number = 0;
  if (!absl::SimpleAtod(text, &number) || !std::isfinite(number)) {
    return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is no finite number"));
  }
  value.set_float_value(number);
  return value;
}

void AddTrialEnqueue(Cli& cli, CLI::App* group) {
  EnqueueArgs* args = nullptr;
  CLI::App* command = cli.Add<EnqueueArgs>(
      group, "enqueue", "Let a study try given values next; the other keys are sampled",
      "vlmctl trial enqueue demo learning_rate=0.003 n_embd=64", Enqueue, &args);
  command->add_option("STUDY", args->study, "Name, id or unique prefix")->required();
  command->add_option("KEY=VALUE", args->values, "Values; without any everything is sampled");
  command->add_option("--file", args->file,
                      "YAML or JSON list of mappings, one a trial; - reads the standard input");
}

}  // namespace vlm::client
