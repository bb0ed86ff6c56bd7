// LibTorch's wheel holds Gloo's code but not its headers, and ProcessGroupGloo.hpp includes five of
// them. These declarations are what that header needs to compile: the class keeps only smart
// pointers to Gloo's types, and everything that looks inside them lives in libtorch_cpu.so. Used by
// parallel/process_group.cc alone; nothing here is ever constructed, subclassed or called by us.
#pragma once

#include <chrono>

namespace gloo {

class Context {
 public:
  void setTimeout(std::chrono::milliseconds timeout);
};

}  // namespace gloo
