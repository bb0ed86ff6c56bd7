#include "worker/trainer/profile/operators.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "absl/strings/match.h"

namespace vlm::trainer {
namespace {

constexpr char kMemory[] = "[memory]";

// An event in its tree. Children are indices into the same vector.
struct Node {
  TraceEvent event;
  int64_t parent = -1;
  std::vector<size_t> children;
  double kernel_us = 0;
  bool gone = false;  // Merged into its parent.

  double duration_us() const { return static_cast<double>(event.end_ns - event.start_ns) / 1000.0; }
};

bool IsNoise(const std::string& name) {
  static const auto* const kNoise =
      new std::set<std::string>{kMemory,
                                "[OutOfMemory]",
                                "profiler::_record_function_enter",
                                "aten::is_leaf",
                                "aten::output_nr",
                                "profiler::_record_function_enter_new",
                                "aten::_version",
                                "profiler::_record_function_exit"};
  return kNoise->count(name) > 0;
}

// Bytes allocated less bytes freed in any interval, whoever did it.
class MemoryRecords {
 public:
  explicit MemoryRecords(const std::vector<TraceEvent>& events) {
    for (const TraceEvent& event : events) {
      if (event.name == kMemory) records_.emplace_back(event.start_ns, event.bytes);
    }
    std::sort(records_.begin(), records_.end());
    sums_.assign(records_.size() + 1, 0);
    for (size_t i = 0; i < records_.size(); ++i) sums_[i + 1] = sums_[i] + records_[i].second;
  }
  int64_t Within(uint64_t begin, uint64_t end) const {
    return sums_[Index(end + 1)] - sums_[Index(begin)];
  }

 private:
  size_t Index(uint64_t time) const {
    const auto it = std::lower_bound(records_.begin(), records_.end(), time,
                                     [](const auto& r, uint64_t t) { return r.first < t; });
    return static_cast<size_t>(it - records_.begin());
  }
  std::vector<std::pair<uint64_t, int64_t>> records_;
  std::vector<int64_t> sums_;
};

// Nests synchronous CPU events of each thread by their intervals.
void Nest(std::vector<Node>* nodes) {
  std::map<uint64_t, std::vector<size_t>> by_thread;
  for (size_t i = 0; i < nodes->size(); ++i) {
    const TraceEvent& event = (*nodes)[i].event;
    if (!event.on_device && !event.async) by_thread[event.thread].push_back(i);
  }
  for (auto& [thread, indices] : by_thread) {
    std::stable_sort(indices.begin(), indices.end(), [&](size_t a, size_t b) {
      const TraceEvent& x = (*nodes)[a].event;
      const TraceEvent& y = (*nodes)[b].event;
      return x.start_ns != y.start_ns ? x.start_ns < y.start_ns : x.end_ns > y.end_ns;
    });
    std::vector<size_t> open;
    for (const size_t i : indices) {
      const TraceEvent& event = (*nodes)[i].event;
      while (!open.empty() && (event.start_ns >= (*nodes)[open.back()].event.end_ns ||
                               event.end_ns > (*nodes)[open.back()].event.end_ns)) {
        open.pop_back();
      }
      if (!open.empty()) {
        (*nodes)[i].parent = static_cast<int64_t>(open.back());
        (*nodes)[open.back()].children.push_back(i);
      }
      open.push_back(i);
    }
  }
}

// Kernels belong to the CPU event that launched them.
void LinkKernels(std::vector<Node>* nodes) {
  std::unordered_map<uint64_t, size_t> by_correlation;
  for (size_t i = 0; i < nodes->size(); ++i) {
    const TraceEvent& event = (*nodes)[i].event;
    if (!event.on_device && event.correlation > 0) by_correlation[event.correlation] = i;
  }
  for (const Node& node : *nodes) {
    if (!node.event.on_device || node.event.linked == 0) continue;
    const auto launcher = by_correlation.find(node.event.linked);
    if (launcher != by_correlation.end()) {
      (*nodes)[launcher->second].kernel_us += node.duration_us();
    }
  }
}

// An operator that only calls itself again (an only child of the same name) is one call.
void Collapse(std::vector<Node>* nodes) {
  for (bool changed = true; changed;) {
    changed = false;
    for (Node& node : *nodes) {
      if (node.gone || node.children.size() != 1) continue;
      Node& child = (*nodes)[node.children[0]];
      if (child.event.name != node.event.name) continue;
      child.gone = true;
      node.kernel_us += child.kernel_us;
      node.event.flops = std::max(node.event.flops, child.event.flops);
      const std::vector<size_t> adopted = child.children;
      for (const size_t i : adopted) {
        (*nodes)[i].parent = &node - nodes->data();
      }
      node.children = adopted;
      changed = true;
    }
  }
}

double TotalKernels(const std::vector<Node>& nodes, const Node& node) {
  double total = node.kernel_us;
  for (const size_t child : node.children) total += TotalKernels(nodes, nodes[child]);
  return total;
}

void AddRow(const std::vector<Node>& nodes, const Node& node, const MemoryRecords& memory,
            v1::OperatorSummary* row) {
  row->set_count(row->count() + 1);
  if (node.event.on_device) {
    row->set_self_device_us(row->self_device_us() + node.duration_us());
    row->set_total_device_us(row->total_device_us() + node.duration_us());
    return;
  }
  double own_us = node.duration_us();
  const int64_t bytes = memory.Within(node.event.start_ns, node.event.end_ns);
  int64_t own_bytes = bytes;
  for (const size_t i : node.children) {
    own_us -= nodes[i].duration_us();
    own_bytes -= memory.Within(nodes[i].event.start_ns, nodes[i].event.end_ns);
  }
  if (node.event.async) own_us = 0;
  row->set_self_cpu_us(row->self_cpu_us() + own_us);
  row->set_total_cpu_us(row->total_cpu_us() + (node.event.async ? 0 : node.duration_us()));
  row->set_self_device_us(row->self_device_us() + node.kernel_us);
  row->set_total_device_us(row->total_device_us() + TotalKernels(nodes, node));
  row->set_cpu_memory_bytes(row->cpu_memory_bytes() + bytes);
  row->set_self_cpu_memory_bytes(row->self_cpu_memory_bytes() + own_bytes);
  row->set_flops(row->flops() + static_cast<double>(node.event.flops));
}

}  // namespace

std::vector<v1::OperatorSummary> SummarizeOperators(std::vector<TraceEvent> events, size_t limit) {
  const MemoryRecords memory(events);
  std::vector<Node> nodes;
  nodes.reserve(events.size());
  for (TraceEvent& event : events) {
    if (IsNoise(event.name)) continue;
    if (absl::StartsWith(event.name, "ProfilerStep#")) event.name = "ProfilerStep*";
    Node node;
    node.event = std::move(event);
    nodes.push_back(std::move(node));
  }
  Nest(&nodes);
  LinkKernels(&nodes);
  Collapse(&nodes);
  std::map<std::pair<std::string, bool>, v1::OperatorSummary> rows;
  for (const Node& node : nodes) {
    if (node.gone) continue;
    v1::OperatorSummary& row = rows[{node.event.name, node.event.on_device}];
    row.set_name(node.event.name);
    AddRow(nodes, node, memory, &row);
  }
  std::vector<v1::OperatorSummary> table;
  table.reserve(rows.size());
  for (auto& [key, row] : rows) table.push_back(std::move(row));
  std::stable_sort(table.begin(), table.end(), [](const auto& a, const auto& b) {
    return std::max(a.self_device_us(), a.self_cpu_us()) >
           std::max(b.self_device_us(), b.self_cpu_us());
  });
  if (table.size() > limit) table.resize(limit);
  return table;
}

}  // namespace vlm::trainer
