// The one place that turns records into table, wide, json, yaml, csv or name. Pure; values arrive
// raw and are made harmless here.
//
// Contract for scripts: JSON keys are stable, new ones may come. A list is an array of objects, one
// object is an object. Times are RFC 3339 UTC text or null. Numbers that JSON cannot write are the
// texts "NaN", "Infinity" and "-Infinity". CSV flattens nested objects into dotted columns.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/output/text.h"
#include "nlohmann/json.hpp"

namespace vlm::client {

using Json = nlohmann::ordered_json;

enum class Format { kTable, kWide, kJson, kYaml, kCsv, kName };
// INVALID_ARGUMENT names the formats there are.
absl::StatusOr<Format> ParseFormat(absl::string_view text);

enum class Show { kTable, kWide, kDataOnly };  // From which format on a column is seen by people.

struct Column {
  std::string key;     // In JSON, YAML and CSV.
  std::string header;  // In tables.
  Show show = Show::kTable;
};

struct Cell {
  Json value;
  std::optional<std::string> text = std::nullopt;  // For people; unset: made out of the value.
};

struct Record {
  std::string name;         // What -o name prints.
  std::vector<Cell> cells;  // Parallel to the columns.
};

struct Records {
  std::vector<Column> columns;
  std::vector<Record> rows;
  bool single = false;  // One object: printed as lines of "Header: value", as an object in JSON.
};

std::string Render(const Records& records, Format format);

// A column of records about T.
template <typename T>
struct Field {
  Column column;
  std::function<Json(const T&)> value;
  std::function<std::string(const T&)> text;  // May be empty.
};

template <typename T, typename Items, typename NameOf>
Records MakeRecords(const std::vector<Field<T>>& fields, const Items& items, NameOf name) {
  Records out;
  for (const Field<T>& field : fields) out.columns.push_back(field.column);
  for (const T& item : items) {
    Record record;
    record.name = name(item);
    for (const Field<T>& field : fields) {
      Cell cell{field.value(item)};
      if (field.text) cell.text = field.text(item);
      record.cells.push_back(std::move(cell));
    }
    out.rows.push_back(std::move(record));
  }
  return out;
}

// A number, or the text for one that JSON lacks.
Json JsonNumber(double value);
// RFC 3339, or null if unset.
Json JsonTime(const google::protobuf::Timestamp& time);
// One line, or indented by two; bytes that are no UTF-8 are replaced.
std::string DumpJson(const Json& json, bool indent);
std::string DumpYaml(const Json& json);

}  // namespace vlm::client
