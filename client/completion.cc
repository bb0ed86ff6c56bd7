#include "client/completion.h"

#include <functional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace vlm::client {
namespace {

std::vector<std::string> Flags(const CLI::App& app) {
  std::vector<std::string> out;
  for (const CLI::Option* option : app.get_options({})) {
    for (const std::string& name : option->get_snames()) out.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) out.push_back("--" + name);
  }
  return out;
}

// Calls `visit` with "vlmctl study list" and so on, the root included.
void Walk(const CLI::App& app, const std::string& path,
          const std::function<void(const std::string&, const CLI::App&)>& visit) {
  visit(path, app);
  for (const CLI::App* sub : app.get_subcommands({})) {
    Walk(*sub, absl::StrCat(path, " ", sub->get_name()), visit);
  }
}

std::string BashCases(const CLI::App& root) {
  std::string cases;
  Walk(root, "vlmctl", [&](const std::string& path, const CLI::App& app) {
    std::vector<std::string> words;
    for (const CLI::App* sub : app.get_subcommands({})) words.push_back(sub->get_name());
    const std::vector<std::string> flags = Flags(app);
    absl::StrAppend(&cases, "    \"", path, "\") commands=\"", absl::StrJoin(words, " "),
                    "\"; flags=\"", absl::StrJoin(flags, " "), "\" ;;\n");
  });
  return cases;
}

// The path is made of the words that are commands; flags and their values are no part of it.
std::string Bash(const CLI::App& root) {
  return absl::StrCat(R"(# bash completion of vlmctl: source <(vlmctl completion bash)
_vlmctl() {
  local path="vlmctl" commands="" flags="" word i
  _vlmctl_words "$path"
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${COMP_WORDS[i]}"
    if [[ " $commands " == *" $word "* ]]; then
      path="$path $word"
      _vlmctl_words "$path"
    fi
  done
  local current="${COMP_WORDS[COMP_CWORD]}"
  case "${COMP_WORDS[COMP_CWORD-1]}" in
    -o|--output) COMPREPLY=($(compgen -W "table wide json yaml csv name" -- "$current")); return ;;
  esac
  if [[ "$current" == -* ]]; then
    COMPREPLY=($(compgen -W "$flags )",
                      absl::StrJoin(Flags(root), " "), R"(" -- "$current"))
  elif [[ -n "$commands" ]]; then
    COMPREPLY=($(compgen -W "$commands" -- "$current"))
  else
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}
_vlmctl_words() {
  case "$1" in
)",
                      BashCases(root), R"(  esac
}
complete -o filenames -F _vlmctl vlmctl
)");
}

std::string Zsh(const CLI::App& root) {
  return absl::StrCat(
      "#compdef vlmctl\n# zsh completion of vlmctl: source <(vlmctl completion zsh)\n",
      "autoload -U +X bashcompinit && bashcompinit\n", Bash(root));
}

std::string Quoted(const std::string& text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"'", "\\'"}}), "'");
}

std::string Fish(const CLI::App& root) {
  std::string out = "# fish completion of vlmctl: vlmctl completion fish | source\n";
  Walk(root, "", [&](const std::string& path, const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::App* sub : app.get_subcommands({})) names.push_back(sub->get_name());
    // A condition per node: its words were typed and none of its own commands yet.
    std::string condition = "__fish_use_subcommand";
    if (!path.empty()) {
      condition = absl::StrCat(
          "__fish_seen_subcommand_from ",
          absl::StrReplaceAll(path.substr(1), {{" ", "; and __fish_seen_subcommand_from "}}));
      if (!names.empty()) {
        absl::StrAppend(&condition, "; and not __fish_seen_subcommand_from ",
                        absl::StrJoin(names, " "));
      }
    }
    for (const CLI::App* sub : app.get_subcommands({})) {
      absl::StrAppend(&out, "complete -c vlmctl -f -n ", Quoted(condition), " -a ", sub->get_name(),
                      " -d ", Quoted(sub->get_description()), "\n");
    }
    for (const CLI::Option* option : app.get_options({})) {
      if (option->get_lnames().empty()) continue;
      absl::StrAppend(&out, "complete -c vlmctl",
                      path.empty() ? "" : absl::StrCat(" -n ", Quoted(condition)));
      for (const std::string& name : option->get_snames()) absl::StrAppend(&out, " -s ", name);
      for (const std::string& name : option->get_lnames()) absl::StrAppend(&out, " -l ", name);
      if (option->get_items_expected_max() > 0) absl::StrAppend(&out, " -r");
      absl::StrAppend(&out, " -d ", Quoted(option->get_description()), "\n");
    }
  });
  return out;
}

}  // namespace

absl::StatusOr<std::string> CompletionScript(const CLI::App& root, const std::string& shell) {
  if (shell == "bash") return Bash(root);
  if (shell == "zsh") return Zsh(root);
  if (shell == "fish") return Fish(root);
  return absl::InvalidArgumentError(
      absl::StrCat("no completion for \"", shell, "\"; there are bash, zsh and fish"));
}

}  // namespace vlm::client
