// vlm-trainer: trains one configuration. Started by vlm-worker (one process per rank) or by hand.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "common/config/config.h"
#include "common/log.h"
#include "worker/trainer/link/agent_link.h"
#include "worker/trainer/loop/agent_mode.h"
#include "worker/trainer/loop/generate_mode.h"
#include "worker/trainer/loop/standalone.h"
#include "worker/trainer/model/memory.h"
#include "worker/trainer/model/parity.h"

namespace {

using vlm::trainer::CaptionRequest;
using vlm::trainer::StandaloneOptions;

constexpr int kUserError = 2;

struct Options {
  StandaloneOptions run;
  CaptionRequest caption;
  bool standalone = false;
  bool generate = false;
  std::string parity;
};

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "vlm-trainer: %s\n", std::string(status.message()).c_str());
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kDataLoss:
      return kUserError;
    default:
      return 1;
  }
}

int RunCaption(const CaptionRequest& request) {
  const absl::StatusOr<std::string> text = vlm::trainer::Caption(request);
  if (!text.ok()) return Fail(text.status());
  std::printf("%s\n", text->c_str());
  return 0;
}

int RunParityMode(const Options& options) {
  const std::ifstream file(options.run.config_path);
  if (!file) {
    return Fail(absl::NotFoundError(options.run.config_path + ": cannot be read"));
  }
  std::stringstream text;
  text << file.rdbuf();
  const auto loaded = vlm::config::Load(text.str(), options.run.config_path, options.run.overrides);
  for (const auto& issue : loaded.issues) {
    std::fprintf(stderr, "%s\n", vlm::config::FormatIssue(issue).c_str());
  }
  if (!loaded.ok()) return kUserError;
  const absl::Status done =
      vlm::trainer::RunParity(loaded.spec.train(), options.parity, options.run.out);
  return done.ok() ? 0 : Fail(done);
}

void AddOptions(CLI::App* app, Options* options) {
  app->set_version_flag("--version", std::string("vlm-trainer ") + VLM_VERSION);
  app->add_option("--config", options->run.config_path, "Configuration file (YAML)");
  app->add_flag("--standalone", options->standalone,
                "Train without a coordinator; one JSON object a step on stdout");
  app->add_option("--set", options->run.overrides, "KEY=VALUE that beats the file; repeatable")
      ->expected(1)
      ->take_all();
  app->add_option("--world-size", options->run.world_size, "Ranks (default: resources.world_size)")
      ->check(CLI::Range(1, 1024));
  app->add_option("--threads", options->run.threads,
                  "Threads of each rank (default: cores / ranks)")
      ->check(CLI::Range(1, 1024));
  app->add_option("--out", options->run.out,
                  "Folder of checkpoints and traces (--parity: the file to write)")
      ->capture_default_str();
  app->add_option("--resume", options->run.resume, "Checkpoint to go on from");
  app->add_option("--parity", options->parity,
                  "One forward and backward pass on this file's weights and batch");
  app->add_flag("--generate", options->generate, "Write a caption for --image");
  app->add_option("--ckpt", options->caption.checkpoint, "Checkpoint file");
  app->add_option("--image", options->caption.image, "Picture file (PNG, JPEG, WebP)");
  app->add_option("--prompt", options->caption.prompt, "Beginning of the caption");
  app->add_option("--max-new", options->caption.max_new, "Characters to add at most")
      ->check(CLI::Range(1, 999))
      ->capture_default_str();
  app->add_option("--temperature", options->caption.temperature, "0 = the most likely character")
      ->check(CLI::Range(0.0, 100.0));
  app->add_option("--top-k", options->caption.top_k, "Choose among the K most likely; 0 = all")
      ->check(CLI::NonNegativeNumber);
  app->add_option("--seed", options->caption.seed, "Of the choice at a temperature above 0");
}

int Usage(const char* message) {
  std::fprintf(stderr, "vlm-trainer: %s; see vlm-trainer --help\n", message);
  return kUserError;
}

}  // namespace

int main(int argc, char** argv) {
  // Kineto would write a line about each profile, and an error where there is no GPU.
  setenv("KINETO_LOG_LEVEL", "99", 0);
  vlm::InitLog("vlm-trainer");
  CLI::App app("Trains one configuration: under vlm-worker, or alone with --standalone");
  Options options;
  AddOptions(&app, &options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUserError;
  }
  vlm::trainer::TuneAllocator();
  if (options.generate) {
    if (options.caption.checkpoint.empty() || options.caption.image.empty()) {
      return Usage("--generate needs --ckpt and --image");
    }
    return RunCaption(options.caption);
  }
  if (options.standalone || !options.parity.empty()) {
    if (options.run.config_path.empty()) return Usage("--config is missing");
    return options.parity.empty() ? vlm::trainer::RunStandalone(options.run)
                                  : RunParityMode(options);
  }
  if (std::getenv(std::string(vlm::trainer::kTrainerFdVariable).c_str()) != nullptr) {
    return vlm::trainer::RunUnderAgent();
  }
  return Usage("--standalone, --generate or --parity is missing");
}
