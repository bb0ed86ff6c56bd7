// What this machine has and how it fares: processors, GPUs, memory, out-of-memory kills. Every
// function reads files below `root` ("" = the real machine), so that tests can bring their own.
// Thread-safe: no state. What cannot be read is 0 or empty, never an error.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vlm::agent {

struct Gpu {
  std::string model;
};

struct Machine {
  int cores = 1;             // That this process may use: affinity and cgroup quota respected.
  int64_t memory_bytes = 0;  // Of the machine or the cgroup, whichever is less.
  std::string cpu_model;
  std::vector<Gpu> gpus;  // By the NVIDIA driver's order.
};

Machine ReadMachine(const std::string& root = "");
int64_t FreeMemoryBytes(const std::string& root = "");
int64_t FreeDiskBytes(const std::string& path);
double LoadAverage(const std::string& root = "");

// How often the kernel has killed for want of memory, in our cgroup and in the whole machine. A
// count that moved while a process died of signal 9 is the evidence for out_of_memory.
struct OomCount {
  int64_t cgroup = 0;
  int64_t machine = 0;
  bool MovedSince(const OomCount& before) const {
    return cgroup > before.cgroup || machine > before.machine;
  }
};
OomCount ReadOomCount(const std::string& root = "");

}  // namespace vlm::agent
