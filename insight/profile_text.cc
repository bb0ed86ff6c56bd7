#include "insight/profile_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"

namespace vlm::insight {
namespace {

constexpr size_t kNameWidthMax = 55;

// The units of PyTorch's table.
std::string FormatTime(double us) {
  if (std::fabs(us) >= 1e6) return absl::StrFormat("%.3fs", us / 1e6);
  if (std::fabs(us) >= 1e3) return absl::StrFormat("%.3fms", us / 1e3);
  return absl::StrFormat("%.3fus", us);
}

std::string FormatMemory(int64_t bytes) {
  const auto value = static_cast<double>(bytes);
  constexpr std::array<std::pair<double, const char*>, 3> kUnits{
      {{1024.0 * 1024 * 1024, "GB"}, {1024.0 * 1024, "MB"}, {1024.0, "KB"}}};
  for (const auto& [size, name] : kUnits) {
    if (std::fabs(value) >= size) return absl::StrFormat("%.2f %s", value / size, name);
  }
  return absl::StrCat(bytes, " B");
}

std::string FormatShare(double part, double whole) {
  return whole > 0 ? absl::StrFormat("%.2f%%", part * 100 / whole) : "0.00%";
}

std::string CutName(const std::string& name) {
  if (name.size() <= kNameWidthMax - 4) return name;
  size_t end = kNameWidthMax - 7;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0U) == 0x80) --end;
  return name.substr(0, end) + "...";
}

// Rows of cells: the first column left, the others right aligned, a rule above and below the head.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> head) { rows_.push_back(std::move(head)); }
  void Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  std::string Render() const {
    std::vector<size_t> widths(rows_.front().size(), 0);
    for (const auto& row : rows_) {
      for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    std::string rule;
    for (const size_t w : widths) absl::StrAppend(&rule, std::string(w, '-'), "  ");
    rule.resize(rule.size() - 2);
    std::string out = rule + "\n";
    for (size_t r = 0; r < rows_.size(); ++r) {
      absl::StrAppend(&out, Line(rows_[r], widths), "\n");
      if (r == 0) absl::StrAppend(&out, rule, "\n");
    }
    return absl::StrCat(out, rule, "\n");
  }

 private:
  static std::string Line(const std::vector<std::string>& row, const std::vector<size_t>& widths) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string pad(widths[i] - row[i].size(), ' ');
      if (i > 0) line += "  ";
      absl::StrAppend(&line, i == 0 ? row[i] : pad, i == 0 ? pad : row[i]);
    }
    return line;
  }

  std::vector<std::vector<std::string>> rows_;
};

struct Sums {
  double self_cpu_us = 0;
  double self_device_us = 0;
  bool device = false;
  bool memory = false;
  bool flops = false;
};

Sums Add(const v1::ProfileSummary& summary) {
  Sums sums;
  for (const v1::OperatorSummary& op : summary.operators()) {
    sums.self_cpu_us += op.self_cpu_us();
    sums.self_device_us += op.self_device_us();
    sums.device |= op.self_device_us() > 0;
    sums.memory |= op.cpu_memory_bytes() != 0 || op.self_cpu_memory_bytes() != 0;
    sums.flops |= op.flops() > 0;
  }
  return sums;
}

double Average(double total, int64_t count) {
  return count > 0 ? total / static_cast<double>(count) : 0;
}

std::vector<std::string> HeadOf(const Sums& sums) {
  std::vector<std::string> head{"Name",        "Self CPU %", "Self CPU",
                                "CPU total %", "CPU total",  "CPU time avg"};
  if (sums.device) {
    head.insert(head.end(), {"Self CUDA", "Self CUDA %", "CUDA total", "CUDA time avg"});
  }
  if (sums.memory) head.insert(head.end(), {"CPU Mem", "Self CPU Mem"});
  head.emplace_back("# of Calls");
  if (sums.flops) head.emplace_back("Total MFLOPs");
  return head;
}

std::vector<std::string> RowOf(const v1::OperatorSummary& op, const Sums& sums) {
  std::vector<std::string> row{CutName(op.name()),
                               FormatShare(op.self_cpu_us(), sums.self_cpu_us),
                               FormatTime(op.self_cpu_us()),
                               FormatShare(op.total_cpu_us(), sums.self_cpu_us),
                               FormatTime(op.total_cpu_us()),
                               FormatTime(Average(op.total_cpu_us(), op.count()))};
  if (sums.device) {
    row.push_back(FormatTime(op.self_device_us()));
    row.push_back(FormatShare(op.self_device_us(), sums.self_device_us));
    row.push_back(FormatTime(op.total_device_us()));
    row.push_back(FormatTime(Average(op.total_device_us(), op.count())));
  }
  if (sums.memory) {
    row.push_back(FormatMemory(op.cpu_memory_bytes()));
    row.push_back(FormatMemory(op.self_cpu_memory_bytes()));
  }
  row.push_back(absl::StrCat(op.count()));
  if (sums.flops) {
    row.push_back(op.flops() > 0 ? absl::StrFormat("%.3f", op.flops() / 1e6) : "--");
  }
  return row;
}

struct Phase {
  const char* name;
  double ms;
  int64_t share_tenths = 0;  // Of a percent.
};

// Shares in tenths of a percent that add up to exactly 1000: each is rounded down, then the largest
// remainders get what is missing (Hamilton's method).
void ShareOut(std::vector<Phase>* phases) {
  double total = 0;
  for (const Phase& p : *phases) total += p.ms;
  if (!(total > 0)) return;
  std::vector<std::pair<double, size_t>> remainders;
  int64_t given = 0;
  for (size_t i = 0; i < phases->size(); ++i) {
    const double exact = (*phases)[i].ms / total * 1000;
    (*phases)[i].share_tenths = static_cast<int64_t>(exact);
    given += (*phases)[i].share_tenths;
    remainders.emplace_back(exact - std::floor(exact), i);
  }
  std::stable_sort(remainders.begin(), remainders.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  for (size_t k = 0; given < 1000; ++k, ++given) {
    ++(*phases)[remainders[k % remainders.size()].second].share_tenths;
  }
}

double NotNegative(double ms) { return std::isfinite(ms) && ms > 0 ? ms : 0; }

std::vector<Phase> PhasesOf(const v1::PhaseSummary& s) {
  std::vector<Phase> phases{{"data wait", s.data_wait_ms()},   {"copy", s.copy_ms()},
                            {"forward", s.forward_ms()},       {"backward", s.backward_ms()},
                            {"allreduce", s.allreduce_ms()},   {"optimizer", s.optimizer_ms()},
                            {"validation", s.validation_ms()}, {"checkpoint", s.checkpoint_ms()}};
  double owned = 0;
  for (Phase& p : phases) owned += p.ms = NotNegative(p.ms);
  phases.push_back({"other", NotNegative(s.wall_ms() - owned)});
  ShareOut(&phases);
  return phases;
}

int64_t StepsOf(const v1::PhaseSummary& s) {
  return std::max<int64_t>(1, s.last_step() - s.first_step() + 1);
}

double TotalOf(const std::vector<Phase>& phases) {
  return std::accumulate(phases.begin(), phases.end(), 0.0,
                         [](double sum, const Phase& p) { return sum + p.ms; });
}

std::string ShareText(int64_t tenths) {
  return absl::StrFormat("%d.%d %%", tenths / 10, tenths % 10);
}

}  // namespace

std::string OperatorTable(const v1::ProfileSummary& summary, int max_rows) {
  if (summary.operators().empty()) return "no operators were recorded\n";
  const Sums sums = Add(summary);
  TextTable table(HeadOf(sums));
  const int count = summary.operators_size();
  const int shown = max_rows > 0 ? std::min(max_rows, count) : count;
  for (int i = 0; i < shown; ++i) table.Add(RowOf(summary.operators(i), sums));
  std::string out = table.Render();
  if (shown < count) absl::StrAppend(&out, count - shown, " more operators are not shown\n");
  absl::StrAppend(&out, "Self CPU time total: ", FormatTime(sums.self_cpu_us), "\n");
  if (sums.device) {
    absl::StrAppend(&out, "Self CUDA time total: ", FormatTime(sums.self_device_us), "\n");
  }
  return out;
}

std::string PhaseTable(const v1::PhaseSummary& summary) {
  const std::vector<Phase> phases = PhasesOf(summary);
  const double total = TotalOf(phases);
  const auto steps = static_cast<double>(StepsOf(summary));
  TextTable table({"Phase", "Time ms", "ms per step", "Share"});
  for (const Phase& p : phases) {
    table.Add({p.name, absl::StrFormat("%.3f", p.ms), absl::StrFormat("%.3f", p.ms / steps),
               ShareText(p.share_tenths)});
  }
  table.Add({"wall", absl::StrFormat("%.3f", total), absl::StrFormat("%.3f", total / steps),
             ShareText(total > 0 ? 1000 : 0)});
  std::string out = absl::StrFormat("Steps %d to %d", summary.first_step(), summary.last_step());
  if (total > 0 && summary.samples() > 0) {
    absl::StrAppendFormat(&out, ", %.1f samples/s, %.0f tokens/s",
                          static_cast<double>(summary.samples()) / total * 1e3,
                          static_cast<double>(summary.tokens()) / total * 1e3);
  }
  absl::StrAppend(&out, "\n", table.Render());
  if (summary.peak_rss_bytes() > 0) {
    absl::StrAppend(&out, "Peak memory: ", FormatMemory(summary.peak_rss_bytes()), "\n");
  }
  if (summary.peak_device_bytes() > 0) {
    absl::StrAppend(&out, "Peak GPU memory: ", FormatMemory(summary.peak_device_bytes()), "\n");
  }
  return out;
}

nlohmann::ordered_json OperatorJson(const v1::ProfileSummary& summary) {
  const Sums sums = Add(summary);
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const v1::OperatorSummary& op : summary.operators()) {
    rows.push_back({{"name", op.name()},
                    {"calls", op.count()},
                    {"self_cpu_us", op.self_cpu_us()},
                    {"total_cpu_us", op.total_cpu_us()},
                    {"average_cpu_us", Average(op.total_cpu_us(), op.count())},
                    {"self_device_us", op.self_device_us()},
                    {"total_device_us", op.total_device_us()},
                    {"cpu_memory_bytes", op.cpu_memory_bytes()},
                    {"self_cpu_memory_bytes", op.self_cpu_memory_bytes()},
                    {"flops", op.flops()}});
  }
  return {{"rank", summary.rank()},
          {"first_step", summary.first_step()},
          {"last_step", summary.last_step()},
          {"trace_file", summary.trace_file()},
          {"trace_bytes", summary.trace_bytes()},
          {"event_count", summary.event_count()},
          {"overhead_ms", summary.overhead_ms()},
          {"self_cpu_total_us", sums.self_cpu_us},
          {"self_device_total_us", sums.self_device_us},
          {"operators", std::move(rows)}};
}

nlohmann::ordered_json PhaseJson(const v1::PhaseSummary& summary) {
  const std::vector<Phase> phases = PhasesOf(summary);
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const Phase& p : phases) {
    rows.push_back({{"phase", p.name},
                    {"ms", p.ms},
                    {"share_percent", static_cast<double>(p.share_tenths) / 10}});
  }
  return {{"first_step", summary.first_step()},
          {"last_step", summary.last_step()},
          {"wall_ms", TotalOf(phases)},
          {"samples", summary.samples()},
          {"tokens", summary.tokens()},
          {"peak_rss_bytes", summary.peak_rss_bytes()},
          {"peak_device_bytes", summary.peak_device_bytes()},
          {"phases", std::move(rows)}};
}

}  // namespace vlm::insight
