// Makes a process ready to train: what LibTorch does once (kernels picked, code paged in, threads
// started, allocator filled) happens here instead of in a trial's first step.
#pragma once

namespace vlm::trainer {

// Trains a tiny model for a step in each precision and throws it away; some 100 ms. Leaves the
// default generator used, which SetUp seeds anew. Never throws: a machine that cannot do it will
// say so in the trial.
void WarmUp();

// Opens the CUDA plugin if a driver is there; must come before anything else of LibTorch. Returns
// whether GPUs can be used; the reason why not goes to the log if there is a driver.
bool LoadCudaIfPresent();

}  // namespace vlm::trainer
