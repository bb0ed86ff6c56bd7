#include "worker/agent/options.h"

#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <filesystem>

#include "CLI/CLI.hpp"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/status.h"
#include "worker/agent/rendezvous.h"
#include "yaml-cpp/yaml.h"

#ifndef VLM_VERSION
#define VLM_VERSION "0.1.0"
#endif

namespace vlm::agent {
namespace {

// Keys of the file are the flags' names with underscores. What flags and environment gave stays.
absl::Status ApplyFile(const std::string& path, CLI::App& app) {
  try {
    for (const auto& item : YAML::LoadFile(path)) {
      const std::string key = item.first.as<std::string>();
      CLI::Option* option = app.get_option_no_throw("--" + absl::StrReplaceAll(key, {{"_", "-"}}));
      if (option == nullptr || key == "config" || key == "help" || key == "version") {
        std::vector<std::string> known;
        for (const CLI::Option* o : app.get_options()) {
          const std::string name = o->get_lnames().empty() ? "" : o->get_lnames().front();
          if (name.empty() || name == "help" || name == "version" || name == "config") continue;
          known.push_back(absl::StrReplaceAll(name, {{"-", "_"}}));
        }
        return absl::InvalidArgumentError(absl::StrCat(path, ":", item.first.Mark().line + 1,
                                                       ": unknown key \"", key,
                                                       "\"; known: ", absl::StrJoin(known, ", ")));
      }
      if (option->count() > 0 || item.second.IsNull()) continue;
      option->add_result(item.second.as<std::string>());
      option->run_callback();
    }
  } catch (const YAML::Exception& e) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", e.what()));
  } catch (const CLI::Error& e) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", e.what()));
  }
  return absl::OkStatus();
}

void AddOptions(CLI::App& app, AgentOptions& o) {
  const auto env = [](CLI::Option* option) {
    const std::string name = option->get_lnames().front();
    option->envname("VLM_WORKER_" + absl::AsciiStrToUpper(absl::StrReplaceAll(name, {{"-", "_"}})));
    return option;
  };
  env(app.add_option("--coordinator", o.coordinator, "HOST:PORT or unix:PATH"));
  env(app.add_option("--name", o.name, "Name for people [host name]"));
  env(app.add_option("--address", o.address,
                     "Host or IP where other workers reach this one [found out]"));
  env(app.add_option("--work-dir", o.work_dir,
                     "Identity, spool and attempts [$XDG_STATE_HOME/vlmctl/worker]"));
  env(app.add_option("--trainer", o.trainer, "Trainer program [vlm-trainer beside this one]"));
  env(app.add_option("--device", o.device, "auto, cpu or cuda [auto]"));
  env(app.add_option("--slots", o.slots, "Slots [one a GPU, or cores / threads per slot]"))
      ->check(CLI::Range(1, 1024));
  env(app.add_option("--threads-per-slot", o.threads_per_slot, "Compute threads of a rank [1]"))
      ->check(CLI::Range(1, 1024));
  env(app.add_option("--warm", o.warm, "Trainers kept loaded and idle [one a slot]"))
      ->check(CLI::Range(0, 1024));
  env(app.add_flag("--insecure", o.insecure,
                   "Talk without authentication to a coordinator on another machine"));
  env(app.add_option("--drain-grace-s", o.drain_grace_s,
                     "Seconds that trainers get to write a checkpoint at SIGTERM [30]"))
      ->check(CLI::Range(0.0, 86400.0));
  env(app.add_option("--spool-mb", o.spool_mb, "Bound of one attempt's spool in MiB [64]"))
      ->check(CLI::Range(1, 1 << 20));
  env(app.add_option("--keep-attempts", o.keep_attempts, "Folders of ended attempts kept [20]"))
      ->check(CLI::Range(0, 1'000'000));
  env(app.add_option("--keep-mb", o.keep_mb, "Their bound together in MiB [4096]"))
      ->check(CLI::Range(0, 1 << 30));
  env(app.add_option("--log-level", o.log_level, "debug, info, warning or error [info]"))
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
}

}  // namespace

absl::StatusOr<AgentOptions> ReadOptions(int argc, char** argv) {
  CLI::App app("Attaches to a coordinator and trains what it grants on this machine's slots.");
  AgentOptions options;
  std::string config;
  AddOptions(app, options);
  app.add_option("--config", config, "YAML file; its keys are these flags' names")
      ->envname("VLM_WORKER_CONFIG");
  app.set_version_flag("--version", "vlm-worker " VLM_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) {
      app.exit(e);
      return absl::CancelledError("asked for help");
    }
    return absl::InvalidArgumentError(absl::StrCat(e.what(), "; see vlm-worker --help"));
  }
  if (!config.empty()) RETURN_IF_ERROR(ApplyFile(config, app));
  return options;
}

namespace {

std::string StateDir() {
  if (const char* xdg = std::getenv("XDG_STATE_HOME"); xdg != nullptr && *xdg == '/') return xdg;
  const char* home = std::getenv("HOME");
  return absl::StrCat(home == nullptr ? "/tmp" : home, "/.local/state");
}

bool IsLocal(const std::string& coordinator) {
  if (absl::StartsWith(coordinator, "unix:")) return true;
  const std::string host = coordinator.substr(0, coordinator.rfind(':'));
  return host == "localhost" || host == "[::1]" || absl::StartsWith(host, "127.");
}

}  // namespace

absl::Status CompleteOptions(AgentOptions* options) {
  if (options->coordinator.empty()) {
    return absl::InvalidArgumentError("--coordinator HOST:PORT is needed: whom to work for");
  }
  if (!absl::StrContains(options->coordinator, ":")) {
    return absl::InvalidArgumentError(absl::StrCat("coordinator \"", options->coordinator,
                                                   "\" is neither HOST:PORT nor unix:PATH"));
  }
  if (!IsLocal(options->coordinator) && !options->insecure) {
    return absl::InvalidArgumentError(
        absl::StrCat(options->coordinator,
                     " is another machine and would be talked to without authentication; say "
                     "--insecure if the network is trusted"));
  }
  if (options->name.empty()) {
    char host[HOST_NAME_MAX + 1] = {};
    options->name = gethostname(host, HOST_NAME_MAX) == 0 ? host : "worker";
  }
  if (options->address.empty()) options->address = GuessAddress(options->coordinator);
  if (options->work_dir.empty()) options->work_dir = StateDir() + "/vlmctl/worker";
  if (options->trainer.empty()) {
    std::error_code error;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    options->trainer = (self.parent_path() / "vlm-trainer").string();
  }
  return absl::OkStatus();
}

}  // namespace vlm::agent
