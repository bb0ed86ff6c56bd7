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

  // search_space.cc
  void ReadSearchSpace(const YAML::Node& value);
  void ReadSearchParam(const std::string& name, const YAML::Node& value);
  bool ReadDistribution(const std::string& key, const Key& target, const YAML::Node& value,
                        v1::Distribution* out);
  bool ReadChoices(const std::string& key, const Key& target, const YAML::Node& value,
                   v1::Distribution* out);
  void DefaultSearchSpace();
  // The values that `name` can take: the searched choices, or the fixed one.
  std::vector<int64_t> PossibleInts(const std::string& name, int64_t fixed) const;
  // pruner.cc
  void FinishPruner();
  void CheckPruner();

  void CheckModel();
  void CheckResources();
  // samplers.cc
  void CheckSampler();
  void CheckFiniteSpace();
  void CheckFixed();
  void ReadFixed(const YAML::Node& value);

  std::string file_;
  LoadResult* result_;
  bool strict_;
  bool in_override_ = false;
  std::map<std::string, Mark> seen_;
  std::set<std::string> overridden_;  // Keys of `seen_` that an override gave.
};

}  // namespace vlm::config
