// Internal: one pass over the YAML tree that fills the specification and collects issues.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/config/config.h"
#include "common/config/keys.h"
#include "yaml-cpp/yaml.h"

namespace vlm::config {

// A value in the type of the field that it is for. REQUIRES: SetFromText takes the text.
v1::ParamValue ValueFor(const google::protobuf::FieldDescriptor& field, const std::string& text);

class Reader {
 public:
  Reader(std::string file, LoadResult* result, bool strict)
      : file_(std::move(file)), result_(result), strict_(strict) {}

  // The tree of a file, then each override.
  void ReadRoot(const YAML::Node& root);
  void ReadOverride(const std::string& text);
  // Checks that need several keys, and what follows from them.
  void Finish();

 private:
  struct Mark {
    int line = 0;
    int column = 0;
  };
  static Mark MarkOf(const YAML::Node& node);
  void Issue(const YAML::Node& where, const std::string& key, const std::string& message,
             const std::string& suggestion, bool warning = false);
  void IssueAt(Mark mark, const std::string& key, const std::string& message,
               const std::string& suggestion, bool warning = false);
  // A key with its whole dotted name; maps descend.
  void Read(const std::string& name, const YAML::Node& key_node, const YAML::Node& value);
  void ReadMap(const std::string& prefix, const YAML::Node& map);
  void ReadScalar(const Key& key, const YAML::Node& value);
  void ReadHeadSize(const Key& key, const YAML::Node& value);
  void ReadDirections(const YAML::Node& value);
  void ReadBetas(const YAML::Node& value);
  // Where a key was given; nowhere if it was not.
  Mark PlaceOf(const std::string& key) const;
  void UnknownKey(const std::string& name, const YAML::Node& where);

  // conditions.cc
  bool ReadValue(const std::string& key, const v1::SearchParam& param, const YAML::Node& value,
                 v1::ParamValue* out);
  void ReadCondition(const std::string& key, const YAML::Node& item_key, const YAML::Node& value,
                     v1::SearchParam* param);
  void ReadConditions(const std::map<std::string, YAML::Node>& whens);
  void OrderSpace(const std::map<std::string, YAML::Node>& whens);

  // objectives.cc
  std::vector<YAML::Node> ReadList(const std::string& key, const YAML::Node& value,
                                   const std::vector<std::string>& known,
                                   const std::string& example);
  void CheckNames(const std::string& key, const YAML::Node& map,
                  const std::vector<std::string>& known);
  std::string ReadMetric(const std::string& key, const YAML::Node& item);
  void ReadObjectives(const YAML::Node& value);
  void ReadConstraints(const YAML::Node& value);
  void ReadSeedFrom(const YAML::Node& value);
  std::string Absolute(const std::string& path) const;
  void FinishObjectives();
  void FinishEnqueue();
  void EnqueueOne(const YAML::Node& item, v1::FixedParams* fixed);

  // search_space.cc
  void ReadSearchSpace(const YAML::Node& value);
  void ReadSearchParam(const std::string& name, const YAML::Node& value);
  bool ReadFixedValue(const std::string& key, const Key& target, const YAML::Node& value,
                      v1::Distribution* out);
  void ReplaceSearchParam(const std::string& name, const YAML::Node& key_node,
                          const YAML::Node& value);
  bool ReadDistribution(const std::string& key, const Key& target, const YAML::Node& value,
                        v1::Distribution* out);
  void EndAtStep(const std::string& key, const YAML::Node& where, v1::Distribution* range);
  bool ReadChoices(const std::string& key, const Key& target, const YAML::Node& value,
                   v1::Distribution* out);
  void DefaultSearchSpace();
  // The values that `name` can take: the searched choices, or the fixed one.
  std::vector<int64_t> PossibleInts(const std::string& name, int64_t fixed) const;
  // Whether both can hold in one trial, as far as the two's own conditions say.
  bool Possible(const std::string& a, int64_t value_a, const std::string& b, int64_t value_b) const;
  // pruner.cc
  void FinishPruner();
  void CheckPruner();

  void CheckModel();
  // running.cc
  void CheckResources();
  void FinishWorldSizes();
  void CheckNamesOfParts();
  void ReadLogPolicies(const YAML::Node& value);
  // samplers.cc
  void CheckSampler();
  void CheckCmaes();
  void CheckFiniteSpace();
  void CheckFixed();
  void ReadFixed(const YAML::Node& value);

  // reference_points.cc
  void CheckReferencePoints();
  void ReadReferencePoints(const YAML::Node& value);

  std::string file_;
  LoadResult* result_;
  bool strict_;
  bool in_override_ = false;
  std::map<std::string, Mark> seen_;
  YAML::Node enqueue_;
  std::set<std::string> overridden_;  // Keys of `seen_` that an override gave.
};

// A value in the type of the key that it is for. REQUIRES: SetFromText took the text.
v1::ParamValue ValueFor(const google::protobuf::FieldDescriptor& field, const std::string& text);
// Whether a range holds a value of its key's type.
bool Contains(const v1::Distribution& distribution, const v1::ParamValue& value);
// False if a value in `fixed` contradicts a condition of the parameter.
bool ConditionsMayHold(const v1::SearchParam& param, const v1::FixedParams& fixed);

}  // namespace vlm::config
