#include "common/config/reader.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace vlm::config {
namespace {

// Maps that may stand below a section or at the top.
bool IsMapKey(const std::string& name) {
  return name == "study.sampler" || name == "study.pruner" ||
         std::find(Sections().begin(), Sections().end(), name) != Sections().end();
}

}  // namespace

Reader::Mark Reader::MarkOf(const YAML::Node& node) {
  if (!node.IsDefined()) return {};
  const YAML::Mark mark = node.Mark();
  if (mark.is_null()) return {};
  return {mark.line + 1, mark.column + 1};
}

void Reader::Issue(const YAML::Node& where, const std::string& key, const std::string& message,
                   const std::string& suggestion, bool warning) {
  IssueAt(in_override_ ? Mark{} : MarkOf(where), key, message, suggestion, warning);
}

void Reader::IssueAt(Mark mark, const std::string& key, const std::string& message,
                     const std::string& suggestion, bool warning) {
  v1::ConfigIssue issue;
  issue.set_file(in_override_ ? "--set" : file_);
  issue.set_line(mark.line);
  issue.set_column(mark.column);
  issue.set_key(key);
  issue.set_message(message);
  issue.set_suggestion(suggestion);
  issue.set_warning(warning && !strict_);
  result_->issues.push_back(std::move(issue));
}

void Reader::UnknownKey(const std::string& name, const YAML::Node& where) {
  std::vector<std::string> names = Sections();
  for (const Key& key : Keys()) names.emplace_back(key.name);
  names.insert(names.end(),
               {"study.sampler", "study.sampler.fixed", "study.sampler.reference_points",
                "study.pruner", "study.search_space", "study.objectives", "study.constraints",
                "study.enqueue", "study.seed_from", "optimizer.betas", "retry.log_policies"});
  std::string near = Nearest(name, names);
  if (near.empty()) {
    // A key in the wrong section is found by its last part.
    for (const std::string& known : names) {
      if (absl::EndsWith(known, absl::StrCat(".", name)) ||
          absl::EndsWith(name, absl::StrCat(".", known))) {
        near = known;
        break;
      }
    }
  }
  Issue(where, name, "unknown key",
        near.empty() ? "the keys are listed in docs/configuration.md"
                     : absl::StrCat("did you mean \"", near, "\"?"));
}

void Reader::ReadRoot(const YAML::Node& root) {
  if (root.IsNull()) return;
  if (!root.IsMap()) {
    return Issue(root, "", "the file is not a map of keys", "write one \"key: value\" a line");
  }
  ReadMap("", root);
}

void Reader::ReadMap(const std::string& prefix, const YAML::Node& map) {
  for (const auto& item : map) {
    if (!item.first.IsScalar()) {
      Issue(item.first, prefix, "a key must be plain text", "");
      continue;
    }
    const std::string name = absl::StrCat(prefix, item.first.Scalar());
    if (const auto it = seen_.find(name); it != seen_.end() && !in_override_) {
      Issue(item.first, name, absl::StrCat("duplicate key; first seen in line ", it->second.line),
            "remove one of them");
      continue;
    }
    seen_[name] = in_override_ ? Mark{} : MarkOf(item.first);
    Read(name, item.first, item.second);
  }
}

Reader::Mark Reader::PlaceOf(const std::string& key) const {
  const auto it = seen_.find(key);
  return it == seen_.end() ? Mark{} : it->second;
}

void Reader::Read(const std::string& name, const YAML::Node& key_node, const YAML::Node& value) {
  if (in_override_) overridden_.insert(name);
  if (IsMapKey(name)) {
    if (name == "profiler" && (value.IsMap() || value.IsNull())) {
      result_->spec.mutable_train()->mutable_profiler()->set_enabled(true);
    }
    if (value.IsMap()) return ReadMap(absl::StrCat(name, "."), value);
    if (value.IsNull()) return;
    // sampler: random and pruner: none are short for their names.
    if (value.IsScalar() && absl::StartsWith(name, "study.")) {
      const std::string key = absl::StrCat(name, ".name");
      seen_[key] = in_override_ ? Mark{} : MarkOf(value);
      return Read(key, key_node, value);
    }
    return Issue(value, name, "must be a section (a map of keys)", "");
  }
  if (name == "study.search_space" || name == "search_space") return ReadSearchSpace(value);
  if (absl::string_view param = name;
      in_override_ && absl::ConsumePrefix(&param, "study.search_space.")) {
    return ReplaceSearchParam(std::string(param), key_node, value);
  }
  if (name == "study.direction" || name == "study.directions") return ReadDirections(value);
  if (name == "study.sampler.fixed") return ReadFixed(value);
  if (name == "study.sampler.reference_points") return ReadReferencePoints(value);
  if (name == "study.objectives") return ReadObjectives(value);
  if (name == "study.constraints") return ReadConstraints(value);
  if (name == "study.seed_from") return ReadSeedFrom(value);
  if (name == "retry.log_policies") return ReadLogPolicies(value);
  if (name == "study.enqueue") {
    enqueue_ = value;
    return;
  }
  if (name == "optimizer.betas") return ReadBetas(value);
  const Key* key = FindKey(name);
  if (key == nullptr) return UnknownKey(name, key_node);
  ReadScalar(*key, value);
}

void Reader::ReadScalar(const Key& key, const YAML::Node& value) {
  const std::string name(key.name);
  const bool is_auto = value.IsScalar() && value.Scalar() == "auto" &&
                       (name == "study.pruner.min_resource" || name == "study.pruner.max_resource");
  if (is_auto || value.IsNull() ||
      (value.IsScalar() && value.Scalar().empty() && value.Tag() != "!")) {
    if (!key.nullable) {
      return IssueAt(seen_[key.name], key.name, "has no value",
                     "give it one, or remove the line for the default");
    }
    const Place place = Resolve(key, &result_->spec);
    place.message->GetReflection()->ClearField(place.message, place.field);
    return;
  }
  if (!value.IsScalar()) {
    return Issue(value, key.name, "must be a single value, not a list or a map", "");
  }
  if (name == "head_size") return ReadHeadSize(key, value);
  const std::string wrong = SetFromText(key, value.Scalar(), &result_->spec);
  if (!wrong.empty()) {
    std::string suggestion;
    const Place place = Resolve(key, &result_->spec);
    if (place.field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_ENUM) {
      suggestion = DidYouMean(value.Scalar(), EnumTexts(*place.field));
    }
    Issue(value, key.name, wrong, suggestion);
  }
}

// The reference's own file says "16ml"; it never read the key.
void Reader::ReadHeadSize(const Key& key, const YAML::Node& value) {
  const std::string& text = value.Scalar();
  if (SetFromText(key, text, &result_->spec).empty()) return;
  const size_t digits = text.find_first_not_of("0123456789");
  Issue(value, key.name, absl::StrCat("\"", text.substr(0, 80), "\" is not an integer"),
        digits > 0 && digits != std::string::npos
            ? absl::StrCat("did you mean ", text.substr(0, digits), "?")
            : "it is n_embd / num_head and can be left out",
        true);
}

void Reader::ReadDirections(const YAML::Node& value) {
  std::vector<YAML::Node> items;
  if (value.IsScalar()) items.push_back(value);
  if (value.IsSequence()) {
    for (const YAML::Node& item : value) items.push_back(item);
  }
  if (items.empty()) return Issue(value, "study.direction", "must be minimize or maximize", "");
  result_->spec.clear_directions();
  for (const YAML::Node& item : items) {
    const std::string text = item.IsScalar() ? item.Scalar() : "";
    if (text == "minimize") {
      result_->spec.add_directions(v1::DIRECTION_MINIMIZE);
    } else if (text == "maximize") {
      result_->spec.add_directions(v1::DIRECTION_MAXIMIZE);
    } else {
      Issue(item, "study.direction", absl::StrCat("\"", text, "\" is none of minimize, maximize"),
            "");
    }
  }
  if (items.size() > 1) {
    Issue(value, "study.direction", "several directions do not say of what",
          "give study.objectives, a list of {metric: ..., direction: ...}");
  }
}

void Reader::ReadBetas(const YAML::Node& value) {
  if (!value.IsSequence() || value.size() != 2 || !value[0].IsScalar() || !value[1].IsScalar()) {
    return Issue(value, "optimizer.betas", "must be a list of two numbers", "such as [0.9, 0.999]");
  }
  ReadScalar(*FindKey("optimizer.beta1"), value[0]);
  ReadScalar(*FindKey("optimizer.beta2"), value[1]);
}

void Reader::ReadOverride(const std::string& text) {
  in_override_ = true;
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    Issue({}, text, "an override is written KEY=VALUE", "such as --set n_trials=4");
  } else {
    const std::string name = text.substr(0, equals);
    try {
      const YAML::Node value = YAML::Load(text.substr(equals + 1));
      seen_[name] = {};
      Read(name, YAML::Node(name), value);
    } catch (const YAML::Exception& e) {
      Issue({}, name, absl::StrCat("the value is not YAML: ", e.msg), "quote it");
    }
  }
  in_override_ = false;
}

bool Reader::Possible(const std::string& a, int64_t value_a, const std::string& b,
                      int64_t value_b) const {
  const auto agrees = [this](const std::string& name, int64_t value, const std::string& parent,
                             int64_t parent_value) {
    for (const v1::SearchParam& param : result_->spec.search_space()) {
      if (param.name() != name || param.when_size() != 1 || param.when(0).name() != parent)
        continue;
      const auto& wanted = param.when(0).values();
      const bool holds = std::any_of(wanted.begin(), wanted.end(),
                                     [&](const auto& v) { return v.int_value() == parent_value; });
      v1::ParamValue searched;
      searched.set_int_value(value);
      if (holds) return Contains(param.distribution(), searched);
      const Key& key = *FindKey(name);
      return GetAsText(key, result_->spec) == absl::StrCat(value);
    }
    return true;
  };
  return agrees(a, value_a, b, value_b) && agrees(b, value_b, a, value_a);
}

std::vector<int64_t> Reader::PossibleInts(const std::string& name, int64_t fixed) const {
  for (const v1::SearchParam& param : result_->spec.search_space()) {
    if (param.name() != name) continue;
    std::vector<int64_t> values;
    if (param.distribution().has_categorical_distribution()) {
      for (const auto& choice : param.distribution().categorical_distribution().choices()) {
        values.push_back(choice.int_value());
      }
    } else if (param.distribution().has_int_distribution()) {
      const auto& range = param.distribution().int_distribution();
      const int64_t step = std::max<int64_t>(1, range.step());
      for (int64_t v = range.low(); v <= range.high() && values.size() < 4096; v += step) {
        values.push_back(v);
      }
    }
    if (param.when_size() > 0) values.push_back(fixed);
    return values;
  }
  return {fixed};
}

void Reader::CheckModel() {
  const v1::TrainConfig& train = result_->spec.train();
  const auto at = [this](const std::string& key) { return PlaceOf(key); };
  for (int64_t heads : PossibleInts("num_head", train.num_head())) {
    for (int64_t width : PossibleInts("n_embd", train.n_embd())) {
      if (heads > 0 && width % heads == 0) continue;
      if (!Possible("num_head", heads, "n_embd", width)) continue;
      IssueAt(at("n_embd"), "n_embd",
              absl::StrCat("n_embd ", width, " is not a multiple of num_head ", heads),
              absl::StrCat("use ", (width / heads + 1) * heads));
    }
  }
  for (int64_t heads : PossibleInts("num_head", train.num_head())) {
    for (int64_t width : PossibleInts("image_embed_dim", train.image_embed_dim())) {
      if (heads > 0 && width % heads == 0) continue;
      if (!Possible("num_head", heads, "image_embed_dim", width)) continue;
      IssueAt(at("image_embed_dim"), "image_embed_dim",
              absl::StrCat("image_embed_dim ", width, " is not a multiple of num_head ", heads),
              absl::StrCat("use ", (width / heads + 1) * heads));
    }
  }
  for (int64_t image : PossibleInts("img_size", train.img_size())) {
    for (int64_t patch : PossibleInts("patch_size", train.patch_size())) {
      if (patch > 0 && image % patch == 0) continue;
      if (!Possible("img_size", image, "patch_size", patch)) continue;
      IssueAt(at("img_size"), "img_size",
              absl::StrCat("img_size ", image, " is not a multiple of patch_size ", patch),
              absl::StrCat("use ", (image / patch + 1) * patch));
    }
  }
  if (train.has_head_size() && train.head_size() * train.num_head() != train.n_embd()) {
    IssueAt(at("head_size"), "head_size",
            absl::StrCat(train.head_size(), " is not n_embd / num_head; ",
                         train.n_embd() / std::max<int64_t>(1, train.num_head()), " is used"),
            "remove the line", true);
  }
  if (train.input_path().empty()) {
    IssueAt({}, "input_path", "is missing", "name the CSV file or folder to train on");
  }
}

void Reader::Finish() {
  v1::StudySpec& spec = result_->spec;
  if (spec.directions().empty()) spec.add_directions(v1::DIRECTION_MINIMIZE);
  if (spec.search_space_size() > 0 && seen_.count("hyperparameter_tuning") == 0) {
    spec.set_hyperparameter_tuning(true);
  }
  if (spec.hyperparameter_tuning() && spec.search_space().empty()) DefaultSearchSpace();
  if (!spec.hyperparameter_tuning()) {
    if (spec.search_space_size() > 0) {
      IssueAt(seen_["study.search_space"], "study.search_space",
              "is not used: hyperparameter_tuning is false", "set it to true", true);
    }
    spec.clear_search_space();
    spec.set_n_trials(1);
  }
  FinishObjectives();
  FinishEnqueue();
  FinishPruner();
  spec.mutable_train()->set_seed(spec.seed());
  spec.mutable_train()->set_metric(spec.metric());
  CheckModel();
  CheckResources();
  CheckNamesOfParts();
  // CMA-ES needs one trial to know the keys; random ones are no use to it.
  if (spec.sampler().name() == "cmaes" && seen_.count("study.sampler.n_startup_trials") == 0) {
    spec.mutable_sampler()->set_n_startup_trials(1);
  }
  CheckSampler();
  std::string* input = spec.mutable_train()->mutable_input_path();
  if (!input->empty() && !absl::StartsWith(*input, "/") && !file_.empty()) {
    *input = (std::filesystem::path(file_).parent_path() / *input).lexically_normal().string();
  }
}

}  // namespace vlm::config
