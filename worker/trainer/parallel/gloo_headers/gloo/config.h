// Declarations that <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp> names; see gloo/context.h.
#pragma once
