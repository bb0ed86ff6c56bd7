#include "worker/agent/machine.h"

#include <sched.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace vlm::agent {
namespace {

std::vector<std::string> Lines(const std::string& path) {
  std::vector<std::string> lines;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// The value of the first "key: value" or "key value" line; empty if there is none.
std::string ValueOf(const std::string& path, absl::string_view key) {
  for (const std::string& line : Lines(path)) {
    if (!absl::StartsWith(line, key)) continue;
    absl::string_view rest = absl::string_view(line).substr(key.size());
    if (rest.empty() || (rest[0] != ' ' && rest[0] != ':' && rest[0] != '\t')) continue;
    const size_t start = rest.find_first_not_of(" :\t");
    if (start != absl::string_view::npos) {
      return std::string(absl::StripAsciiWhitespace(rest.substr(start)));
    }
  }
  return "";
}

int64_t NumberOf(const std::string& path, absl::string_view key) {
  const std::vector<std::string> words = absl::StrSplit(ValueOf(path, key), ' ');
  int64_t number = 0;
  return absl::SimpleAtoi(words.front(), &number) ? number : 0;
}

// Folder of our cgroup (version 2) below root; empty without one.
std::string CgroupFolder(const std::string& root) {
  for (const std::string& line : Lines(root + "/proc/self/cgroup")) {
    if (absl::StartsWith(line, "0::")) {
      return absl::StrCat(root, "/sys/fs/cgroup", line == "0::/" ? "" : line.substr(3));
    }
  }
  return "";
}

int Cores(const std::string& root) {
  int cores = 0;
  if (root.empty()) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) == 0) cores = CPU_COUNT(&set);
  } else {
    for (const std::string& line : Lines(root + "/proc/cpuinfo")) {
      if (absl::StartsWith(line, "processor")) ++cores;
    }
  }
  const std::vector<std::string> quota = Lines(CgroupFolder(root) + "/cpu.max");
  if (!quota.empty()) {
    const std::vector<std::string> words = absl::StrSplit(quota.front(), ' ');
    int64_t used = 0;
    int64_t period = 0;
    if (words.size() == 2 && absl::SimpleAtoi(words[0], &used) &&
        absl::SimpleAtoi(words[1], &period) && period > 0) {
      cores = std::min(cores, static_cast<int>((used + period - 1) / period));
    }
  }
  return std::max(1, cores);
}

std::vector<Gpu> Gpus(const std::string& root) {
  std::vector<std::string> folders;
  std::error_code ignored;
  for (const auto& entry :
       std::filesystem::directory_iterator(root + "/proc/driver/nvidia/gpus", ignored)) {
    folders.push_back(entry.path().string());
  }
  std::sort(folders.begin(), folders.end());
  std::vector<Gpu> gpus;
  for (const std::string& folder : folders) {
    const std::string model = ValueOf(folder + "/information", "Model");
    gpus.push_back({model.empty() ? "NVIDIA GPU" : model});
  }
  if (!gpus.empty()) return gpus;
  // In a container the driver's folder may be hidden while the devices are there.
  for (int i = 0; std::filesystem::exists(absl::StrCat(root, "/dev/nvidia", i), ignored); ++i) {
    gpus.push_back({"NVIDIA GPU"});
  }
  return gpus;
}

}  // namespace

Machine ReadMachine(const std::string& root) {
  Machine machine;
  machine.cores = Cores(root);
  machine.memory_bytes = NumberOf(root + "/proc/meminfo", "MemTotal") * 1024;
  const std::vector<std::string> limit = Lines(CgroupFolder(root) + "/memory.max");
  int64_t bytes = 0;
  if (!limit.empty() && absl::SimpleAtoi(limit.front(), &bytes) && bytes > 0) {
    machine.memory_bytes = std::min(machine.memory_bytes, bytes);
  }
  machine.cpu_model = ValueOf(root + "/proc/cpuinfo", "model name");
  if (machine.cpu_model.empty()) machine.cpu_model = "CPU";
  machine.gpus = Gpus(root);
  return machine;
}

int64_t FreeMemoryBytes(const std::string& root) {
  return NumberOf(root + "/proc/meminfo", "MemAvailable") * 1024;
}

int64_t FreeDiskBytes(const std::string& path) {
  struct statvfs info {};
  if (statvfs(path.c_str(), &info) != 0) return 0;
  return static_cast<int64_t>(info.f_bavail) * static_cast<int64_t>(info.f_frsize);
}

double LoadAverage(const std::string& root) {
  const std::vector<std::string> lines = Lines(root + "/proc/loadavg");
  double load = 0;
  if (lines.empty()) return 0;
  const std::vector<std::string> words = absl::StrSplit(lines.front(), ' ');
  return absl::SimpleAtod(words.front(), &load) ? load : 0;
}

OomCount ReadOomCount(const std::string& root) {
  return {NumberOf(CgroupFolder(root) + "/memory.events", "oom_kill"),
          NumberOf(root + "/proc/vmstat", "oom_kill")};
}

}  // namespace vlm::agent
