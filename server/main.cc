// vlm-coordinator: holds the studies, picks configurations, hands trials to workers.
#include <sys/stat.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "CLI/CLI.hpp"
#include "common/log.h"
#include "server/coordinator.h"
#include "server/storage/check.h"
#include "yaml-cpp/yaml.h"

namespace {

// Keys of the file are the flags' names. A flag beats the file.
bool ReadConfig(const std::string& path, vlm::server::CoordinatorOptions* options,
                std::string* log_level) {
  try {
    const YAML::Node root = YAML::LoadFile(path);
    for (const auto& item : root) {
      const std::string key = item.first.as<std::string>();
      if (key == "data") {
        if (options->data_dir.empty()) options->data_dir = item.second.as<std::string>();
      } else if (key == "listen") {
        if (!options->listen.empty()) continue;
        if (item.second.IsScalar()) options->listen = {item.second.as<std::string>()};
        if (item.second.IsSequence()) options->listen = item.second.as<std::vector<std::string>>();
      } else if (key == "http") {
        if (options->http.empty()) options->http = item.second.as<std::string>();
      } else if (key == "insecure") {
        options->insecure |= item.second.as<bool>();
      } else if (key == "keep_deleted_days") {
        const int days = item.second.as<int>();
        if (days < 0) throw YAML::Exception(item.second.Mark(), "keep_deleted_days is negative");
        if (!options->keep_deleted_days) options->keep_deleted_days = days;
      } else if (key == "log_level") {
        if (log_level->empty()) *log_level = item.second.as<std::string>();
      } else {
        std::fprintf(stderr,
                     "vlm-coordinator: %s:%d: unknown key \"%s\"; known: data, listen, "
                     "http, insecure, keep_deleted_days, log_level\n",
                     path.c_str(), item.first.Mark().line + 1, key.c_str());
        return false;
      }
    }
  } catch (const std::exception& e) {
    std::fprintf(stderr, "vlm-coordinator: %s: %s\n", path.c_str(), e.what());
    return false;
  }
  return true;
}

// For a directory that no coordinator serves. 0: nothing is damaged.
int CheckOffline(const std::string& data_dir) {
  bool damage = false;
  vlm::storage::CheckSink sink;
  sink.finding = [&](const vlm::storage::Finding& finding) {
    damage = damage || finding.damage;
    std::printf("%s: %s %s\n", finding.damage ? "damage" : "note", finding.subject.c_str(),
                finding.message.c_str());
  };
  sink.progress = [](int64_t) { return true; };
  const absl::Status checked = vlm::storage::CheckDataDir(data_dir, true, sink);
  if (!checked.ok()) {
    std::fprintf(stderr, "vlm-coordinator: %s\n", std::string(checked.message()).c_str());
    return EXIT_FAILURE;
  }
  if (!damage) std::printf("no damage was found in %s\n", data_dir.c_str());
  return damage ? EXIT_FAILURE : EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Holds studies in SQLite, picks each trial's configuration, hands trials to workers.");
  vlm::server::CoordinatorOptions options;
  std::string config;
  std::string log_level;
  app.add_option("--data", options.data_dir, "Directory of study.db and checkpoints");
  app.add_option("--listen", options.listen,
                 "HOST:PORT (port 0: any) or unix:PATH; may be repeated [127.0.0.1:7747]");
  app.add_option("--http", options.http, "HOST:PORT for /healthz and /metrics");
  app.add_flag("--insecure", options.insecure,
               "Serve without authentication on addresses other machines can reach");
  app.add_option("--keep-deleted-days", options.keep_deleted_days,
                 "Days until a deleted study is removed for ever [7]")
      ->check(CLI::Range(0, 36500));
  app.add_option("--config", config,
                 "YAML file with the keys data, listen, http, insecure, keep_deleted_days");
  bool check = false;
  app.add_flag("--check", check, "Read everything in --data, name what is damaged, and end");
  app.add_option("--log-level", log_level, "debug, info, warning or error");
  app.set_version_flag("--version", "vlm-coordinator 0.1.0");
  CLI11_PARSE(app, argc, argv);
  if (!config.empty() && !ReadConfig(config, &options, &log_level)) return 2;
  if (options.data_dir.empty()) {
    std::fprintf(stderr, "vlm-coordinator: --data DIR is needed: where studies are kept\n");
    return 2;
  }
  if (check) return CheckOffline(options.data_dir);
  if (options.listen.empty()) options.listen = {"127.0.0.1:7747"};
  vlm::InitLog("vlm-coordinator", log_level.empty() ? "info" : log_level);
  umask(0077);  // Studies and checkpoints are their owner's.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // Before any thread, so that all inherit it.
  std::signal(SIGPIPE, SIG_IGN);
  auto coordinator = vlm::server::Coordinator::Start(options);
  if (!coordinator.ok()) {
    std::fprintf(stderr, "vlm-coordinator: %s\n",
                 std::string(coordinator.status().message()).c_str());
    return EXIT_FAILURE;
  }
  for (const std::string& address : (*coordinator)->addresses()) {
    std::printf("listening on %s\n", address.c_str());
  }
  if (!(*coordinator)->http_address().empty()) {
    std::printf("http on %s\n", (*coordinator)->http_address().c_str());
  }
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  VLM_LOG_INFO("draining", {{"signal", signal}});
  coordinator->reset();
  VLM_LOG_INFO("stopped; every answered request is on disk");
  return EXIT_SUCCESS;
}
