#include "client/output/records.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace vlm::client {
namespace {

std::string TextOf(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "";
    case Json::value_t::string:
      return value.get<std::string>();
    case Json::value_t::number_float:
      return HumanNumber(value.get<double>());
    default:
      return DumpJson(value, false);
  }
}

std::string TextOf(const Cell& cell) {
  return Sanitize(cell.text.has_value() ? *cell.text : TextOf(cell.value));
}

bool Seen(const Column& column, Format format) {
  return column.show == Show::kTable || (column.show == Show::kWide && format == Format::kWide);
}

std::string Padded(const std::string& text, size_t width) {
  const size_t used = DisplayWidth(text);
  return used < width ? text + std::string(width - used, ' ') : text;
}

std::string RenderTable(const Records& records, Format format) {
  std::vector<std::vector<std::string>> lines(1);
  for (const Column& column : records.columns) {
    if (Seen(column, format)) lines[0].push_back(column.header);
  }
  for (const Record& row : records.rows) {
    std::vector<std::string>& line = lines.emplace_back();
    for (size_t i = 0; i < row.cells.size(); ++i) {
      if (!Seen(records.columns[i], format)) continue;
      const std::string text = TextOf(row.cells[i]);
      line.push_back(text.empty() ? "-" : text);
    }
  }
  std::vector<size_t> widths(lines[0].size());
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(line[i]));
  }
  std::string out;
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) {
      const bool last = i + 1 == line.size();
      absl::StrAppend(&out, last ? line[i] : Padded(line[i], widths[i] + 2));
    }
    out.push_back('\n');
  }
  return out;
}

// One object: a line a value, empty ones left out.
std::string RenderLines(const Records& records, Format format) {
  std::string out;
  size_t width = 0;
  for (const Column& column : records.columns) {
    if (Seen(column, format)) width = std::max(width, DisplayWidth(column.header));
  }
  for (const Record& row : records.rows) {
    for (size_t i = 0; i < row.cells.size(); ++i) {
      if (!Seen(records.columns[i], format)) continue;
      const std::string text = TextOf(row.cells[i]);
      if (text.empty()) continue;
      absl::StrAppend(&out, Padded(records.columns[i].header + ":", width + 3), text, "\n");
    }
  }
  return out;
}

Json ToJson(const Records& records) {
  Json out = Json::array();
  for (const Record& row : records.rows) {
    Json object = Json::object();
    for (size_t i = 0; i < row.cells.size(); ++i) {
      object[records.columns[i].key] = row.cells[i].value;
    }
    out.push_back(std::move(object));
  }
  if (records.single) return out.empty() ? Json::object() : out[0];
  return out;
}

std::string CsvField(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

void Flatten(const std::string& key, const Json& value, std::vector<std::string>* columns,
             std::map<std::string, std::string>* row) {
  if (value.is_object() && !value.empty()) {
    for (const auto& item : value.items()) {
      Flatten(absl::StrCat(key, ".", item.key()), item.value(), columns, row);
    }
    return;
  }
  if (value.is_object()) return;  // No column for nothing.
  if (std::find(columns->begin(), columns->end(), key) == columns->end()) columns->push_back(key);
  // Data keep every digit; people's tables do not.
  (*row)[key] = value.is_string() || value.is_null() ? TextOf(value) : DumpJson(value, false);
}

std::string RenderCsv(const Records& records) {
  std::vector<std::string> columns;
  std::vector<std::map<std::string, std::string>> rows;
  for (const Column& column : records.columns) {
    const size_t i = static_cast<size_t>(&column - records.columns.data());
    const bool nested =
        std::any_of(records.rows.begin(), records.rows.end(),
                    [&](const Record& row) { return row.cells[i].value.is_object(); });
    if (!nested) columns.push_back(column.key);
    rows.resize(records.rows.size());
    for (size_t r = 0; r < records.rows.size(); ++r) {
      Flatten(column.key, records.rows[r].cells[i].value, &columns, &rows[r]);
    }
  }
  std::string out = absl::StrCat(
      absl::StrJoin(columns, ",",
                    [](std::string* o, const std::string& c) { o->append(CsvField(Sanitize(c))); }),
      "\n");
  for (auto& row : rows) {
    std::vector<std::string> fields;
    for (const std::string& column : columns) fields.push_back(CsvField(Sanitize(row[column])));
    absl::StrAppend(&out, absl::StrJoin(fields, ","), "\n");
  }
  return out;
}

// A scalar needs quotes unless it is a plain word that no YAML reader takes for something else.
std::string YamlScalar(const Json& value) {
  if (!value.is_string()) return DumpJson(value, false);
  const std::string text = value.get<std::string>();
  static constexpr absl::string_view kWords[] = {"true", "false", "yes", "no",  "on", "off",
                                                 "null", "y",     "n",   "nan", "inf"};
  bool plain = !text.empty() && (absl::ascii_isalpha(static_cast<unsigned char>(text[0])) ||
                                 text[0] == '/' || text[0] == '_');
  for (const char c : text) {
    plain = plain && (absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                      absl::StrContains("_-./", absl::string_view(&c, 1)));
  }
  for (const absl::string_view word : kWords) plain = plain && !absl::EqualsIgnoreCase(text, word);
  return plain ? text : DumpJson(value, false);
}

void AppendYaml(const Json& value, const std::string& indent, std::string* out) {
  const auto child = [&](const Json& inner, const std::string& lead) {
    if (inner.is_structured() && !inner.empty()) {
      // A map in a list starts on the dash's line.
      std::string block;
      AppendYaml(inner, indent + "  ", &block);
      if (lead == "-") {
        absl::StrAppend(out, indent, "- ", block.substr(indent.size() + 2));
      } else {
        absl::StrAppend(out, indent, lead, "\n", block);
      }
    } else {
      absl::StrAppend(out, indent, lead, " ", YamlScalar(inner), "\n");
    }
  };
  if (value.is_object() && !value.empty()) {
    for (const auto& item : value.items()) {
      child(item.value(), absl::StrCat(YamlScalar(item.key()), ":"));
    }
  } else if (value.is_array() && !value.empty()) {
    for (const Json& item : value) child(item, "-");
  } else {
    absl::StrAppend(out, indent, YamlScalar(value), "\n");
  }
}

}  // namespace

absl::StatusOr<Format> ParseFormat(absl::string_view text) {
  static const auto& formats = *new std::vector<std::pair<absl::string_view, Format>>{
      {"table", Format::kTable}, {"wide", Format::kWide}, {"json", Format::kJson},
      {"yaml", Format::kYaml},   {"csv", Format::kCsv},   {"name", Format::kName}};
  for (const auto& [name, format] : formats) {
    if (name == text) return format;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", text, "\" is no output format; there are table, wide, json, yaml, csv and name"));
}

std::string Render(const Records& records, Format format) {
  switch (format) {
    case Format::kTable:
    case Format::kWide:
      return records.single ? RenderLines(records, format) : RenderTable(records, format);
    case Format::kJson:
      return DumpJson(ToJson(records), true) + "\n";
    case Format::kYaml:
      return DumpYaml(ToJson(records));
    case Format::kCsv:
      return RenderCsv(records);
    case Format::kName:
      break;
  }
  std::string out;
  for (const Record& row : records.rows) absl::StrAppend(&out, Sanitize(row.name), "\n");
  return out;
}

Json JsonNumber(double value) {
  if (std::isfinite(value)) return value;
  return HumanNumber(value);
}

Json JsonTime(const google::protobuf::Timestamp& time) {
  const std::string text = FormatTimestamp(time);
  return text.empty() ? Json(nullptr) : Json(text);
}

std::string DumpJson(const Json& json, bool indent) {
  const std::string text = json.dump(indent ? 2 : -1, ' ', false, Json::error_handler_t::replace);
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    if (c == 0x7F) {
      absl::StrAppend(&out, "\\u007f");
    } else if (c == 0xC2 && next >= 0x80 && next < 0xA0) {  // C1: terminals may obey it.
      absl::StrAppendFormat(&out, "\\u00%02x", next);
      ++i;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

std::string DumpYaml(const Json& json) {
  std::string out;
  AppendYaml(json, "", &out);
  return out;
}

}  // namespace vlm::client
