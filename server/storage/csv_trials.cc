#include <cmath>
#include <fstream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/search/sampler.h"
#include "server/storage/seeds.h"

namespace vlm::storage {
namespace {

struct Row {
  int line = 0;
  std::vector<std::string> cells;
};

// RFC 4180: quotes may hold commas, line breaks and doubled quotes. False: a quote stays open.
bool ParseCsv(const std::string& text, std::vector<Row>* rows) {
  Row row{1, {""}};
  bool quoted = false;
  int line = 1;
  const auto end_row = [&] {
    if (row.cells.size() > 1 || !row.cells[0].empty()) rows->push_back(std::move(row));
    row = {line, {""}};
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    line += c == '\n';
    if (quoted) {
      if (c != '"') {
        row.cells.back() += c;
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        row.cells.back() += text[++i];
      } else {
        quoted = false;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == ',') {
      row.cells.emplace_back();
    } else if (c == '\n') {
      end_row();
    } else if (c != '\r') {
      row.cells.back() += c;
    }
  }
  end_row();
  return !quoted;
}

std::string TextOf(const v1::ParamValue& value) {
  switch (value.kind_case()) {
    case v1::ParamValue::kIntValue:
      return absl::StrCat(value.int_value());
    case v1::ParamValue::kStringValue:
      return value.string_value();
    case v1::ParamValue::kBoolValue:
      return value.bool_value() ? "true" : "false";
    default:
      return "";
  }
}

// A cell as a value of the range; false if it is none. Texts of choices are compared without case
// ("True" is what Python writes), numbers as numbers.
bool ReadCell(const v1::Distribution& distribution, const std::string& cell, v1::ParamValue* out) {
  double number = 0;
  const bool numeric = absl::SimpleAtod(cell, &number) && std::isfinite(number);
  if (!distribution.has_categorical_distribution()) {
    if (numeric) out->set_float_value(number);
    return numeric;
  }
  for (const v1::ParamValue& choice : distribution.categorical_distribution().choices()) {
    v1::ParamValue given;
    given.set_float_value(number);
    const bool same = absl::AsciiStrToLower(TextOf(choice)) == absl::AsciiStrToLower(cell);
    v1::Distribution one;
    *one.mutable_categorical_distribution()->add_choices() = choice;
    if (!same && !(numeric && search::ToInternal(one, given).ok())) continue;
    *out = choice;
    return true;
  }
  return false;
}

// Where a column stands; -1 if it does not.
int Column(const Row& header, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    for (size_t i = 0; i < header.cells.size(); ++i) {
      if (header.cells[i] == name) return static_cast<int>(i);
    }
  }
  return -1;
}

std::vector<int> ValueColumns(const Row& header, const v1::StudySpec& spec) {
  std::vector<int> columns;
  const int objectives = std::max(1, spec.directions_size());
  for (int i = 0; i < objectives; ++i) {
    std::vector<std::string> names{absl::StrCat("values_", i)};
    if (objectives == 1) names.emplace_back("value");
    names.push_back(i < spec.metrics_size() ? spec.metrics(i) : spec.metric());
    columns.push_back(Column(header, names));
  }
  return columns;
}

class Table {
 public:
  Table(const Row& header, const v1::StudySpec& spec)
      : spec_(spec), state_(Column(header, {"state"})), values_(ValueColumns(header, spec)) {
    for (const v1::SearchParam& param : spec.search_space()) {
      params_.push_back(Column(header, {absl::StrCat("params_", param.name()), param.name()}));
    }
  }

  // "" or what is missing.
  std::string Missing() const {
    for (size_t i = 0; i < values_.size(); ++i) {
      if (values_[i] < 0) return absl::StrCat("values_", i, values_.size() == 1 ? " or value" : "");
    }
    for (size_t i = 0; i < params_.size(); ++i) {
      const v1::SearchParam& param = spec_.search_space(static_cast<int>(i));
      if (params_[i] < 0 && param.when_size() == 0) return param.name();
    }
    return "";
  }

  absl::StatusOr<v1::Trial> Read(const Row& row) const {
    v1::Trial trial;
    const std::string state = state_ < 0 ? "COMPLETE" : Cell(row, state_);
    trial.set_state(state == "COMPLETE" ? v1::TRIAL_STATE_COMPLETE
                    : state == "PRUNED" ? v1::TRIAL_STATE_PRUNED
                                        : v1::TRIAL_STATE_FAIL);
    if (trial.state() == v1::TRIAL_STATE_FAIL) return trial;
    for (const int column : values_) {
      double value = 0;
      const std::string cell = Cell(row, column);
      if (cell.empty() && trial.state() == v1::TRIAL_STATE_PRUNED) continue;
      if (!absl::SimpleAtod(cell, &value) || std::isnan(value)) {
        return absl::InvalidArgumentError(absl::StrCat("\"", cell, "\" is no value of a trial"));
      }
      trial.add_values(value);
    }
    for (size_t i = 0; i < params_.size(); ++i) {
      const v1::SearchParam& searched = spec_.search_space(static_cast<int>(i));
      const std::string cell = params_[i] < 0 ? "" : Cell(row, params_[i]);
      v1::Param param;
      if (cell.empty() || !ReadCell(searched.distribution(), cell, param.mutable_value())) {
        continue;  // The trial then lacks the value and does not fit.
      }
      param.set_name(searched.name());
      *trial.add_params() = std::move(param);
    }
    return trial;
  }

 private:
  static std::string Cell(const Row& row, int column) {
    const auto index = static_cast<size_t>(column);
    return index < row.cells.size() ? row.cells[index] : "";
  }

  const v1::StudySpec& spec_;
  int state_;
  std::vector<int> values_;
  std::vector<int> params_;
};

}  // namespace

absl::StatusOr<std::vector<v1::Trial>> ReadCsvTrials(const std::string& path,
                                                     const v1::StudySpec& spec) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  if (!in || !(text << in.rdbuf())) {
    return absl::NotFoundError(absl::StrCat("study.seed_from: ", path,
                                            " cannot be read on the coordinator's machine, or is "
                                            "empty"));
  }
  std::vector<Row> rows;
  if (!ParseCsv(text.str(), &rows) || rows.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("study.seed_from: ", path,
                     " is no CSV table: a quote stays open, or there is "
                     "no header line"));
  }
  const Table table(rows[0], spec);
  if (const std::string missing = table.Missing(); !missing.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("study.seed_from: ", path, ":1: has no column ", missing));
  }
  std::vector<v1::Trial> trials;
  for (size_t i = 1; i < rows.size(); ++i) {
    auto trial = table.Read(rows[i]);
    if (!trial.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("study.seed_from: ", path, ":", rows[i].line,
                                                     ": ", trial.status().message()));
    }
    trial->set_number(static_cast<int64_t>(i) - 1);
    trials.push_back(*std::move(trial));
  }
  return trials;
}

}  // namespace vlm::storage
