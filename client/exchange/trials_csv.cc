#include "client/exchange/trials_csv.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/commands/trial_enqueue.h"
#include "client/exchange/csv.h"
#include "client/output/text.h"
#include "client/resources.h"

namespace vlm::client {
namespace {

// Reads back to the same number.
std::string Exact(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return Json(value).dump();
}

std::string ValueText(const v1::ParamValue& value) {
  return value.has_float_value() ? Exact(value.float_value()) : ParamText(value);
}

std::string Duration(const v1::Trial& trial) {
  if (!trial.has_start_time() || !trial.has_end_time()) return "";
  return Exact(absl::ToDoubleSeconds(ToTime(trial.end_time()) - ToTime(trial.start_time())));
}

std::string StateName(v1::TrialState state) { return absl::AsciiStrToUpper(StateText(state)); }

// The columns of a table by what they hold.
struct Columns {
  std::map<int, size_t> values;  // By objective.
  std::map<std::string, size_t> params;
  std::map<std::string, size_t> attributes;
  std::optional<size_t> state, start, end;
};

Columns FindColumns(const CsvRow& header) {
  Columns out;
  for (size_t i = 0; i < header.size(); ++i) {
    absl::string_view name = absl::StripAsciiWhitespace(header[i]);
    int objective = 0;
    if (name == "value") out.values[0] = i;
    if (name == "state") out.state = i;
    if (name == "datetime_start") out.start = i;
    if (name == "datetime_complete") out.end = i;
    if (absl::ConsumePrefix(&name, "params_")) {
      out.params[std::string(name)] = i;
    } else if (absl::ConsumePrefix(&name, "user_attrs_")) {
      out.attributes[std::string(name)] = i;
    } else if (absl::ConsumePrefix(&name, "values_") && absl::SimpleAtoi(name, &objective)) {
      out.values[objective] = i;
    }
  }
  return out;
}

absl::Status Wrong(size_t row, const CsvRow& header, size_t column, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("row ", row + 1, ", column ", header[column], ": ", what));
}

// The narrowest range that holds a column.
v1::Distribution RangeOf(const std::vector<CsvRow>& rows, size_t column) {
  v1::Distribution out;
  bool whole = true;
  bool numbers = true;
  double low = HUGE_VAL;
  double high = -HUGE_VAL;
  std::set<std::string> texts;
  for (size_t i = 1; i < rows.size(); ++i) {
    const std::string& text = rows[i][column];
    if (text.empty()) continue;
    double number = 0;
    int64_t integer = 0;
    texts.insert(text);
    whole = whole && absl::SimpleAtoi(text, &integer);
    numbers = numbers && absl::SimpleAtod(text, &number) && std::isfinite(number);
    low = std::min(low, number);
    high = std::max(high, number);
  }
  if (numbers && whole && !texts.empty()) {
    out.mutable_int_distribution()->set_low(static_cast<int64_t>(low));
    out.mutable_int_distribution()->set_high(static_cast<int64_t>(high));
    out.mutable_int_distribution()->set_step(1);
  } else if (numbers && !texts.empty()) {
    out.mutable_float_distribution()->set_low(low);
    out.mutable_float_distribution()->set_high(high);
  } else {
    auto* choices = out.mutable_categorical_distribution();
    for (const std::string& text : texts) choices->add_choices()->set_string_value(text);
  }
  return out;
}

class Reader {
 public:
  Reader(std::vector<CsvRow> rows, const v1::StudySpec& space)
      : rows_(std::move(rows)), columns_(FindColumns(rows_[0])) {
    for (const auto& [name, column] : columns_.params) {
      ranges_[name] = RangeOf(rows_, column);
      for (const v1::SearchParam& param : space.search_space()) {
        if (param.name() == name) ranges_[name] = param.distribution();
      }
    }
  }

  absl::StatusOr<CsvTrials> Read() {
    if (columns_.values.empty()) {
      return absl::InvalidArgumentError("there is no column \"value\" (or \"values_0\", ...)");
    }
    CsvTrials out;
    out.objectives = static_cast<int>(columns_.values.size());
    for (size_t row = 1; row < rows_.size(); ++row) {
      v1::Trial& trial = out.trials.emplace_back();
      trial.set_number(static_cast<int64_t>(row) - 1);
      for (absl::Status status : {ReadValues(row, &trial), ReadState(row, &trial),
                                  ReadParams(row, &trial), ReadRest(row, &trial)}) {
        if (!status.ok()) return status;
      }
    }
    return out;
  }

 private:
  const std::string& At(size_t row, size_t column) const { return rows_[row][column]; }

  absl::Status ReadValues(size_t row, v1::Trial* trial) const {
    for (const auto& [objective, column] : columns_.values) {
      const std::string& text = At(row, column);
      if (text.empty()) continue;
      double value = 0;
      if (!absl::SimpleAtod(text, &value)) {
        return Wrong(row, rows_[0], column, absl::StrCat("\"", text, "\" is no number"));
      }
      if (!std::isnan(value)) trial->add_values(value);
    }
    return absl::OkStatus();
  }
  absl::Status ReadState(size_t row, v1::Trial* trial) const {
    trial->set_state(trial->values().empty() ? v1::TRIAL_STATE_FAIL : v1::TRIAL_STATE_COMPLETE);
    if (!columns_.state) return absl::OkStatus();
    const std::string text = absl::AsciiStrToUpper(At(row, *columns_.state));
    v1::TrialState state = v1::TRIAL_STATE_UNSPECIFIED;
    if (!v1::TrialState_Parse(absl::StrCat("TRIAL_STATE_", text), &state)) {
      return Wrong(row, rows_[0], *columns_.state,
                   absl::StrCat("\"", text, "\" is no state; COMPLETE, PRUNED and FAIL are"));
    }
    trial->set_state(state);
    return absl::OkStatus();
  }
  absl::Status ReadParams(size_t row, v1::Trial* trial) const {
    for (const auto& [name, column] : columns_.params) {
      if (At(row, column).empty()) continue;  // This trial has no such parameter.
      const v1::Distribution& range = ranges_.at(name);
      auto value = ParseParamText(range, At(row, column));
      if (!value.ok()) return Wrong(row, rows_[0], column, value.status().message());
      v1::Param& param = *trial->add_params();
      param.set_name(name);
      *param.mutable_value() = *std::move(value);
      *param.mutable_distribution() = range;
    }
    return absl::OkStatus();
  }
  absl::Status ReadRest(size_t row, v1::Trial* trial) const {
    for (const auto& [name, column] : columns_.attributes) {
      const std::string& text = At(row, column);
      if (text.empty()) continue;
      // A text that is no JSON is a string.
      (*trial->mutable_user_attributes())[name] =
          Json::accept(text) ? text : DumpJson(Json(text), false);
    }
    for (const bool is_start : {true, false}) {
      const auto column = is_start ? columns_.start : columns_.end;
      if (!column || At(row, *column).empty()) continue;
      absl::Time time;
      std::string error;
      std::string text = At(row, *column);
      const bool zoned = text.find_first_of("Zz+") != std::string::npos;
      std::replace(text.begin(), text.end(), ' ', 'T');
      if (!absl::ParseTime(absl::RFC3339_full, zoned ? text : text + "Z", &time, &error)) {
        return Wrong(row, rows_[0], *column, absl::StrCat("\"", At(row, *column), "\" is no time"));
      }
      auto* stamp = is_start ? trial->mutable_start_time() : trial->mutable_end_time();
      stamp->set_seconds(absl::ToUnixSeconds(time));
      stamp->set_nanos(static_cast<int32_t>((time - absl::FromUnixSeconds(stamp->seconds())) /
                                            absl::Nanoseconds(1)));
    }
    return absl::OkStatus();
  }

  const std::vector<CsvRow> rows_;
  const Columns columns_;
  std::map<std::string, v1::Distribution> ranges_;
};

}  // namespace

std::string TrialsToCsv(const std::vector<v1::Trial>& trials, int objectives) {
  std::vector<std::string> params;
  std::set<std::string> attributes;
  for (const v1::Trial& trial : trials) {
    for (const v1::Param& param : trial.params()) {
      if (std::find(params.begin(), params.end(), param.name()) == params.end()) {
        params.push_back(param.name());
      }
    }
    for (const auto& [key, value] : trial.user_attributes()) attributes.insert(key);
  }
  std::vector<CsvRow> rows = {{"number"}};
  for (int i = 0; i < objectives; ++i) {
    rows[0].push_back(objectives == 1 ? "value" : absl::StrCat("values_", i));
  }
  rows[0].insert(rows[0].end(), {"datetime_start", "datetime_complete", "duration"});
  for (const std::string& name : params) rows[0].push_back("params_" + name);
  for (const std::string& name : attributes) rows[0].push_back("user_attrs_" + name);
  rows[0].push_back("state");
  for (const v1::Trial& trial : trials) {
    CsvRow& row = rows.emplace_back(CsvRow{absl::StrCat(trial.number())});
    for (int i = 0; i < objectives; ++i) {
      row.push_back(i < trial.values_size() ? Exact(trial.values(i)) : "");
    }
    row.push_back(FormatTimestamp(trial.start_time()));
    row.push_back(FormatTimestamp(trial.end_time()));
    row.push_back(Duration(trial));
    for (const std::string& name : params) {
      std::string& cell = row.emplace_back();
      for (const v1::Param& param : trial.params()) {
        if (param.name() == name) cell = ValueText(param.value());
      }
    }
    for (const std::string& name : attributes) {
      const auto found = trial.user_attributes().find(name);
      row.push_back(found == trial.user_attributes().end() ? "" : found->second);
    }
    row.push_back(StateName(trial.state()));
  }
  return FormatCsv(rows);
}

absl::StatusOr<CsvTrials> TrialsFromCsv(const std::string& text, const v1::StudySpec& space) {
  auto rows = ParseCsv(text);
  if (!rows.ok()) return rows.status();
  if (rows->empty()) return absl::InvalidArgumentError("the file is empty; it needs a header");
  return Reader(*std::move(rows), space).Read();
}

}  // namespace vlm::client
