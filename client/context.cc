#include "client/context.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status.h"
#include "yaml-cpp/yaml.h"

namespace vlm::client {
namespace {

std::string Env(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

struct Setting {
  const char* name;
  std::string Target::*field;
  const char* env;
};
constexpr Setting kSettings[] = {{"addr", &Target::addr, nullptr},
                                 {"cacert", &Target::cacert, "VLMCTL_CACERT"},
                                 {"cert", &Target::cert, "VLMCTL_CERT"},
                                 {"key", &Target::key, "VLMCTL_KEY"},
                                 {"token_file", &Target::token_file, "VLMCTL_TOKEN_FILE"}};

absl::Status At(const std::string& path, const YAML::Node& node, absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat(path, ":", node.Mark().line + 1, ": ", message));
}

absl::Status ReadContext(const std::string& path, const YAML::Node& node, Target* target) {
  if (!node.IsMap()) return At(path, node, "a context is a map with addr");
  for (const auto& item : node) {
    const auto key = item.first.as<std::string>();
    bool known = false;
    for (const Setting& setting : kSettings) {
      if (key != setting.name) continue;
      known = true;
      target->*setting.field = item.second.as<std::string>();
    }
    if (!known) {
      return At(
          path, item.first,
          absl::StrCat("unknown key \"", key, "\"; known: addr, cacert, cert, key, token_file"));
    }
  }
  if (target->addr.empty()) return At(path, node, "the context has no addr");
  return absl::OkStatus();
}

absl::Status ReadFile(const YAML::Node& root, ContextFile* out) {
  if (root.IsNull()) return absl::OkStatus();
  if (!root.IsMap()) return At(out->path, root, "the file is a map with current and contexts");
  for (const auto& item : root) {
    const auto key = item.first.as<std::string>();
    if (key == "current") {
      out->current = item.second.as<std::string>();
    } else if (key == "contexts" && item.second.IsMap()) {
      for (const auto& entry : item.second) {
        const auto name = entry.first.as<std::string>();
        RETURN_IF_ERROR(ReadContext(out->path, entry.second, &out->contexts[name]));
        out->contexts[name].source = absl::StrCat("context ", name);
      }
    } else {
      return At(out->path, item.first,
                absl::StrCat("unknown key \"", key, "\"; known: current, contexts (a map)"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string ContextPath() {
  if (const std::string path = Env("VLMCTL_CONFIG"); !path.empty()) return path;
  if (const std::string base = Env("XDG_CONFIG_HOME"); !base.empty()) {
    return absl::StrCat(base, "/vlmctl/config.yaml");
  }
  return absl::StrCat(Env("HOME"), "/.config/vlmctl/config.yaml");
}

absl::StatusOr<ContextFile> LoadContexts(const std::string& path) {
  ContextFile out;
  out.path = path;
  if (!std::filesystem::exists(path)) return out;
  try {
    RETURN_IF_ERROR(ReadFile(YAML::LoadFile(path), &out));
  } catch (const YAML::Exception& e) {
    return absl::InvalidArgumentError(absl::StrCat(path, ":", e.mark.line + 1, ": ", e.msg));
  }
  return out;
}

absl::Status SaveContexts(const ContextFile& contexts) {
  YAML::Emitter yaml;
  yaml << YAML::BeginMap << YAML::Key << "current" << YAML::Value << YAML::DoubleQuoted
       << contexts.current << YAML::Key << "contexts" << YAML::Value << YAML::BeginMap;
  for (const auto& [name, target] : contexts.contexts) {
    yaml << YAML::Key << YAML::DoubleQuoted << name << YAML::Value << YAML::BeginMap;
    for (const Setting& setting : kSettings) {
      if ((target.*setting.field).empty()) continue;
      yaml << YAML::Key << setting.name << YAML::Value << YAML::DoubleQuoted
           << target.*setting.field;
    }
    yaml << YAML::EndMap;
  }
  yaml << YAML::EndMap << YAML::EndMap;
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(contexts.path).parent_path(), error);
  const std::string aside = absl::StrCat(contexts.path, ".", getpid());
  const mode_t mask = umask(0077);
  std::ofstream file(aside, std::ios::trunc);
  file << yaml.c_str() << "\n";
  file.close();
  umask(mask);
  if (!file) return absl::PermissionDeniedError(absl::StrCat("cannot write ", contexts.path));
  std::filesystem::rename(aside, contexts.path, error);
  if (error) {
    return absl::PermissionDeniedError(
        absl::StrCat("cannot write ", contexts.path, ": ", error.message()));
  }
  return absl::OkStatus();
}

absl::StatusOr<Target> ConfiguredTarget(const std::string& addr_flag,
                                        const std::string& context_flag) {
  Target target;
  if (!addr_flag.empty()) {
    target.addr = addr_flag;
    target.source = "--addr";
  } else if (const std::string addr = Env("VLMCTL_ADDR"); !addr.empty()) {
    target.addr = addr;
    target.source = "VLMCTL_ADDR";
  } else {
    ASSIGN_OR_RETURN(const ContextFile file, LoadContexts(ContextPath()));
    std::string name = context_flag.empty() ? Env("VLMCTL_CONTEXT") : context_flag;
    if (name.empty()) name = file.current;
    if (!name.empty()) {
      const auto found = file.contexts.find(name);
      if (found == file.contexts.end()) {
        return absl::NotFoundError(absl::StrCat("no context \"", name, "\" in ", file.path,
                                                "; see `vlmctl context list`"));
      }
      target = found->second;
    }
  }
  for (const Setting& setting : kSettings) {
    if (setting.env == nullptr) continue;
    if (const std::string value = Env(setting.env); !value.empty()) target.*setting.field = value;
  }
  return target;
}

}  // namespace vlm::client
