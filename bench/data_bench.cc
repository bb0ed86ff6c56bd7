// The data part of a trial's start and of a step: opening a set of 600 pictures for the first time
// and from its cache, taking a batch, and preparing one large picture as `generate` does.
// Ends with 1 when opening from the cache takes longer than the figure.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/status.h"
#include "insight/shapes/scene.h"
#include "insight/shapes/shapes.h"
#include "tests/support/temp_dir.h"
#include "worker/trainer/data/batches.h"
#include "worker/trainer/data/dataset.h"
#include "worker/trainer/data/picture.h"

namespace vlm::bench {
namespace {

using data::BatchLoader;
using data::Dataset;

constexpr int64_t kPictures = 600;
constexpr double kCachedOpenMs = 20;

double Ms(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Median over `rounds` calls; the first error ends it.
absl::StatusOr<double> MedianMs(int rounds, const std::function<absl::Status()>& work) {
  std::vector<double> ms;
  for (int i = 0; i < rounds; ++i) {
    absl::Status status;
    ms.push_back(Ms([&] { status = work(); }));
    RETURN_IF_ERROR(status);
  }
  return Median(std::move(ms));
}

absl::StatusOr<bool> Opening(const v1::TrainConfig& config, const data::OpenOptions& options) {
  ASSIGN_OR_RETURN(const double first,
                   MedianMs(1, [&] { return Dataset::Open(config, options).status(); }));
  ASSIGN_OR_RETURN(const double cached,
                   MedianMs(21, [&] { return Dataset::Open(config, options).status(); }));
  std::printf(
      "data: open %d pictures of 96x96, first time %.1f ms, from the cache %.2f ms "
      "(at most %.0f ms)\n",
      static_cast<int>(kPictures), first, cached, kCachedOpenMs);
  return cached <= kCachedOpenMs;
}

absl::Status Batches(const Dataset& dataset) {
  ASSIGN_OR_RETURN(auto loader, BatchLoader::Make(dataset, {.batch_size = 16, .seed = 1}));
  ASSIGN_OR_RETURN(const double ms, MedianMs(2001, [&]() -> absl::Status {
                     ASSIGN_OR_RETURN(data::Batch batch, loader->Next());
                     loader->Recycle(std::move(batch));
                     return absl::OkStatus();
                   }));
  std::printf("data: batch of 16 pictures of 96x96 on the calling thread %.1f us\n", ms * 1e3);
  return absl::OkStatus();
}

absl::Status OnePicture() {
  ASSIGN_OR_RETURN(const std::string png, insight::RenderPng(insight::MakeScene(1, 1), 1024));
  ASSIGN_OR_RETURN(const double ms,
                   MedianMs(21, [&] { return data::PrepareBytes(png, 96).status(); }));
  std::printf("data: PNG of 1024x1024 decoded and resized to 96x96 %.1f ms\n", ms);
  return absl::OkStatus();
}

absl::StatusOr<bool> Run(const std::string& dir) {
  RETURN_IF_ERROR(insight::WriteShapes({.out = dir, .n = kPictures, .seed = 1, .image_size = 96}));
  v1::TrainConfig config;
  config.set_input_path(dir + "/captions.csv");
  config.set_img_size(96);
  config.mutable_data()->set_repeat(1);
  config.mutable_data()->set_train_fraction(0.9);
  config.mutable_data()->set_max_pixels(data::kDefaultMaxPixels);
  data::OpenOptions options;
  options.cache_dir = dir + "/cache";
  ASSIGN_OR_RETURN(const bool met, Opening(config, options));
  ASSIGN_OR_RETURN(const auto dataset, Dataset::Open(config, options));
  RETURN_IF_ERROR(Batches(*dataset));
  RETURN_IF_ERROR(OnePicture());
  return met;
}

}  // namespace
}  // namespace vlm::bench

int main() {
  const vlm::testing::TempDir dir;
  const absl::StatusOr<bool> met = vlm::bench::Run(dir.path());
  if (!met.ok()) {
    std::fprintf(stderr, "data_bench: %s\n", std::string(met.status().message()).c_str());
    return EXIT_FAILURE;
  }
  return *met ? EXIT_SUCCESS : EXIT_FAILURE;
}
