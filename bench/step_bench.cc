// Times training steps of the default model. Reads orders from stdin, one a line, so that a driver
// can interleave it with other programs in one run (bench/step_vs_pytorch.py):
//   limits        prints the machine's own limits as JSON
//   steps N       runs N steps (forward, loss, backward, AdamW), prints their seconds as JSON
//   quit
#include <ATen/autocast_mode.h>
#include <sys/resource.h>
#include <torch/torch.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>

#include "worker/trainer/model/memory.h"
#include "worker/trainer/model/vlm.h"
#include "worker/trainer/optim/adamw.h"
#include "worker/trainer/optim/precision.h"

namespace vlm::trainer {
namespace {

struct Options {
  int64_t batch = 16;
  int64_t length = 300;
  int threads = 2;
  int64_t n_embd = 128;
  double dropout = 0.1;
  bool bf16 = false;
  bool tuned = true;
};

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

long PageFaults() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

double CpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

// The best of `repeats` timings of `work`, in seconds.
template <typename Work>
double Best(int repeats, const Work& work) {
  double best = 1e9;
  for (int i = 0; i < repeats; ++i) {
    const double start = Now();
    work();
    best = std::min(best, Now() - start);
  }
  return best;
}

double GemmGflops(at::ScalarType type) {
  const at::Tensor a = at::rand({2048, 2048}).to(type);
  const at::Tensor b = at::rand({2048, 2048}).to(type);
  at::Tensor c = at::empty({2048, 2048}, a.options());
  return 2 * 2048.0 * 2048 * 2048 / Best(5, [&] { at::mm_out(c, a, b); }) / 1e9;
}

void PrintLimits() {
  const torch::NoGradGuard no_grad;
  at::Tensor x = at::rand({64 << 20}), y = at::rand({64 << 20});
  const double axpy =
      3.0 * 4 * static_cast<double>(x.numel()) / Best(5, [&] { y.add_(x, 2); }) / 1e9;
  std::printf(
      "{\"threads\": %d, \"gemm_fp32_gflops\": %.0f, \"gemm_bf16_gflops\": %.0f, "
      "\"axpy_gb_s\": %.1f}\n",
      at::get_num_threads(), GemmGflops(at::kFloat), GemmGflops(at::kBFloat16), axpy);
}

class Stepper {
 public:
  explicit Stepper(const Options& options) : options_(options), model_(Shape(options)) {
    model_.train();
    torch::manual_seed(1);
    images_ = at::randn({options.batch, 3, 96, 96});
    tokens_ = at::randint(0, 100, {options.batch, options.length}, at::kLong);
    targets_ = at::cat(
        {tokens_.narrow(1, 1, options.length - 1), at::full({options.batch, 1}, 6665, at::kLong)},
        1);
    plan_.autocast = options.bf16;
    plan_.dtype = at::kBFloat16;
  }

  double Step() {
    optimizer_.ZeroGrad();
    at::Tensor loss;
    {
      const AutocastGuard autocast(plan_, at::kCPU);
      loss = model_.Loss(images_, tokens_, targets_);
    }
    loss.backward();
    optimizer_.Step(1e-3);
    return loss.item<double>();
  }

  void Run(int64_t steps) {
    std::string times;
    double loss = 0;
    const long faults = PageFaults();
    const double cpu_start = CpuSeconds();
    for (int64_t i = 0; i < steps; ++i) {
      const double start = Now();
      loss = Step();
      times += (i == 0 ? "" : ", ") + std::to_string(Now() - start);
    }
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    const double cpu = CpuSeconds() - cpu_start;
    std::printf(
        "{\"seconds\": [%s], \"cpu_s_per_step\": %.3f, \"loss\": %.4f, \"faults_per_step\": %ld, "
        "\"rss_mb\": %ld}\n",
        times.c_str(), cpu / static_cast<double>(std::max<int64_t>(steps, 1)), loss,
        (PageFaults() - faults) / std::max<int64_t>(steps, 1), usage.ru_maxrss / 1024);
  }

 private:
  static ModelShape Shape(const Options& options) {
    ModelShape shape;
    shape.vocab_size = 6666;
    shape.n_embd = options.n_embd;
    shape.dropout = shape.emb_dropout = shape.blk_dropout = options.dropout;
    return shape;
  }

  const Options options_;
  VlmModel model_;
  AdamW optimizer_{NamedParameters(model_), AdamWOptions{}};
  PrecisionPlan plan_;
  at::Tensor images_, tokens_, targets_;
};

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Times training steps of the default model; orders come on stdin.");
  app.add_option("--batch", options.batch, "samples a step");
  app.add_option("--length", options.length, "text tokens a sample, at most 999");
  app.add_option("--threads", options.threads, "compute threads");
  app.add_option("--n-embd", options.n_embd, "width of the decoder");
  app.add_option("--dropout", options.dropout, "all dropout rates");
  app.add_flag("--bf16", options.bf16, "bfloat16 autocast");
  app.add_flag("!--untuned", options.tuned, "leave malloc alone");
  CLI11_PARSE(app, argc, argv);
  if (options.tuned) TuneAllocator();
  at::set_num_threads(options.threads);
  Stepper stepper(options);
  for (std::string line; std::getline(std::cin, line) && line != "quit";) {
    if (line == "limits") PrintLimits();
    if (line.rfind("steps ", 0) == 0) stepper.Run(std::stoll(line.substr(6)));
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace vlm::trainer

int main(int argc, char** argv) { return vlm::trainer::Main(argc, argv); }
