// What this machine can do at best, so that every other number can be read next to it: fused
// multiply-adds per second (float32), memory bandwidth, and the time of a durable write.
//
// machine_limits [DIR]: DIR (default: the current folder) is where the durable writes go; name a
// folder on the disk that the coordinator's data would be on.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

typedef float Float4 __attribute__((vector_size(16)));
typedef float Float8 __attribute__((vector_size(32)));
typedef float Float16 __attribute__((vector_size(64)));

// Twelve independent accumulators hide the latency of one multiply-add; they are variables, not an
// array, because an array lands in memory. Inlined into a function of each instruction set.
template <typename Vector>
[[gnu::always_inline]] inline float FmaLoop(int64_t rounds) {
  Vector s0 = {}, s1 = {}, s2 = {}, s3 = {}, s4 = {}, s5 = {};
  Vector s6 = {}, s7 = {}, s8 = {}, s9 = {}, s10 = {}, s11 = {};
  const Vector a = s0 + 0.999F;
  const Vector b = s0 + 0.001F;
  for (int64_t r = 0; r < rounds; ++r) {
    s0 = s0 * a + b, s1 = s1 * a + b, s2 = s2 * a + b, s3 = s3 * a + b;
    s4 = s4 * a + b, s5 = s5 * a + b, s6 = s6 * a + b, s7 = s7 * a + b;
    s8 = s8 * a + b, s9 = s9 * a + b, s10 = s10 * a + b, s11 = s11 * a + b;
    // No chain is folded into another or computed ahead.
    asm volatile("" : "+v"(s0), "+v"(s1), "+v"(s2), "+v"(s3), "+v"(s4), "+v"(s5));
    asm volatile("" : "+v"(s6), "+v"(s7), "+v"(s8), "+v"(s9), "+v"(s10), "+v"(s11));
  }
  const Vector total = s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9 + s10 + s11;
  return total[0];
}

__attribute__((target("avx512f"))) float Fma512(int64_t n) { return FmaLoop<Float16>(n); }
__attribute__((target("avx2,fma"))) float Fma256(int64_t n) { return FmaLoop<Float8>(n); }
float Fma128(int64_t n) { return FmaLoop<Float4>(n); }

struct FmaKernel {
  const char* name;
  int lanes;
  float (*run)(int64_t);
};

FmaKernel BestKernel() {
  if (__builtin_cpu_supports("avx512f")) return {"AVX-512", 16, Fma512};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {"AVX2", 8, Fma256};
  return {"SSE2", 4, Fma128};
}

// Runs the job on `threads` threads at once and returns the seconds until the last ends.
double OnThreads(int threads, const std::function<void(int)>& job) {
  const auto start = Clock::now();
  std::vector<std::thread> all;
  for (int t = 1; t < threads; ++t) all.emplace_back(job, t);
  job(0);
  for (std::thread& t : all) t.join();
  return SecondsSince(start);
}

double FmaGflops(const FmaKernel& kernel, int threads) {
  constexpr int64_t kRounds = 40'000'000;
  std::vector<float> sink(threads);
  const double s = OnThreads(threads, [&](int t) { sink[t] = kernel.run(kRounds); });
  if (sink[0] == 0.123F) std::printf(" ");  // The result is used.
  return 2.0 * kernel.lanes * 12 * static_cast<double>(kRounds) * threads / s / 1e9;
}

// a[i] = b[i] + s * c[i] over arrays that no cache holds; counts 12 bytes an element (STREAM's
// triad).
double TriadGbPerS(int threads) {
  const size_t n = size_t{32} << 20;
  std::vector<float> a(n, 1);
  std::vector<float> b(n, 2);
  std::vector<float> c(n, 3);
  double best = 0;
  for (int round = 0; round < 5; ++round) {
    const double s = OnThreads(threads, [&](int t) {
      for (size_t i = n * t / threads; i < n * (t + 1) / threads; ++i) a[i] = b[i] + 0.5F * c[i];
    });
    best = std::max(best, 12.0 * static_cast<double>(n) / s / 1e9);
  }
  return best;
}

// Milliseconds of one durable 4 KiB write, sorted; empty if the folder cannot be written. Appending
// also makes the file's new size durable, which is slower than writing over what is there (a log
// that is used again, such as SQLite's).
std::vector<double> DurableWrites(const std::string& dir, bool append) {
  const std::string path = dir + "/machine_limits." + std::to_string(getpid());
  const int fd = open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0) return {};
  unlink(path.c_str());
  std::vector<double> ms;
  const std::string block(4096, 'x');
  constexpr int kBlocks = 200;
  for (int i = 0; i < kBlocks && !append; ++i) {
    if (write(fd, block.data(), block.size()) < 0) return {};
  }
  if (fdatasync(fd) != 0 || lseek(fd, 0, SEEK_SET) != 0) return {};
  for (int i = 0; i < kBlocks; ++i) {
    const auto start = Clock::now();
    if (write(fd, block.data(), block.size()) < 0 || fdatasync(fd) != 0) break;
    ms.push_back(SecondsSince(start) * 1e3);
  }
  close(fd);
  std::sort(ms.begin(), ms.end());
  return ms;
}

}  // namespace

int main(int argc, char** argv) {
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const FmaKernel kernel = BestKernel();
  const std::string dir = argc > 1 ? argv[1] : ".";
  std::printf("machine: %d cores, %s\n", cores, kernel.name);
  std::printf("machine: FMA float32 %.1f GFLOP/s on one core, %.1f on all\n", FmaGflops(kernel, 1),
              FmaGflops(kernel, cores));
  std::printf("machine: memory (triad) %.1f GB/s on one core, %.1f on all\n", TriadGbPerS(1),
              TriadGbPerS(cores));
  for (const bool append : {true, false}) {
    const std::vector<double> ms = DurableWrites(dir, append);
    if (ms.empty()) {
      std::fprintf(stderr, "machine_limits: %s cannot be written\n", dir.c_str());
      return EXIT_FAILURE;
    }
    std::printf("machine: 4 KiB durable, %s: p50 %.2f ms, p99 %.2f ms in %s\n",
                append ? "appended" : "in place", ms[ms.size() / 2], ms[ms.size() * 99 / 100],
                dir.c_str());
  }
  return EXIT_SUCCESS;
}
