// The vlm-trainer program on pictures made for it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "insight/shapes/shapes.h"
#include "tests/support/process.h"

namespace vlm::trainer::testing {

class StandaloneTest : public ::testing::Test {
 protected:
  using Process = vlm::testing::Process;

  StandaloneTest() {
    insight::ShapesOptions shapes;
    shapes.out = dir_ / "shapes";
    shapes.n = 20;
    shapes.image_size = 16;
    EXPECT_TRUE(insight::WriteShapes(shapes).ok());
    std::ofstream(dir_ / "config.yaml")
        << "input_path: shapes/captions.csv\nprecision_mode: fp32\ncuda_enabled: false\n"
           "n_embd: 16\nimage_embed_dim: 16\nn_layer: 1\nnum_blks: 1\nnum_head: 2\nimg_size: 16\n"
           "patch_size: 8\nbatch_size: 4\nval_batch_size: 2\nmax_iters: 6\neval_interval: 3\n"
           "eval_iters: 2\nlearning_rate: 0.003\nnum_workers: 0\ndropout: 0\nemb_dropout: 0\n"
           "blk_dropout: 0\n";
  }

  std::unique_ptr<Process> Start(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(),
                     {vlm::testing::Binary("vlm-trainer"), "--config", dir_ / "config.yaml",
                      "--standalone", "--out", dir_ / "out", "--threads", "1"});
    return Run(arguments);
  }
  std::unique_ptr<Process> Run(const std::vector<std::string>& argv) {
    auto process = Process::Start(argv, {{"VLM_CACHE_DIR", dir_ / "cache"}});
    EXPECT_TRUE(process.ok()) << process.status();
    return *std::move(process);
  }
  // Every line of stdout, which must be JSON objects.
  static std::vector<nlohmann::json> Lines(const Process& process) {
    std::vector<nlohmann::json> lines;
    std::istringstream text(process.Stdout());
    for (std::string line; std::getline(text, line);) {
      lines.push_back(nlohmann::json::parse(line));
    }
    return lines;
  }
  static std::vector<double> Losses(const Process& process) {
    std::vector<double> losses;
    for (const nlohmann::json& line : Lines(process)) losses.push_back(line.at("loss"));
    return losses;
  }

  const vlm::testing::TempDir dir_;
};

}  // namespace vlm::trainer::testing
