#include "client/cli.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/config/keys.h"

namespace vlm::client {
namespace {

constexpr char kFooter[] =
    "Examples:\n"
    "  vlmctl submit configs/demo.yaml          train here, or on the configured coordinator\n"
    "  vlmctl study best                        the best trial of the newest study\n"
    "  vlmctl --addr gpu1:7747 study list       talk to a coordinator elsewhere\n"
    "\n"
    "Where the coordinator is: --addr, else VLMCTL_ADDR, else the context (VLMCTL_CONTEXT, "
    "`vlmctl\n"
    "context use`), else the local one of `vlmctl up`. Studies are named by name, id or a unique\n"
    "prefix; trials by STUDY/NUMBER or id.\n"
    "Environment: VLMCTL_ADDR, VLMCTL_CONTEXT, VLMCTL_CONFIG (context file), VLMCTL_OUTPUT,\n"
    "VLMCTL_CACERT, VLMCTL_CERT, VLMCTL_KEY, VLMCTL_TOKEN_FILE, NO_COLOR.\n"
    "Exit codes: 0 done, 1 failed, 2 usage or invalid configuration, 3 not found, 4 conflict or "
    "wrong\n"
    "state, 5 denied, 6 coordinator unreachable, 7 the study waited for ended badly, 124 timeout, "
    "130\n"
    "interrupted.";

const CLI::App* FindCommand(const CLI::App& app, const std::string& name) {
  for (const CLI::App* sub : app.get_subcommands({})) {
    if (sub->get_name() == name) return sub;
  }
  return nullptr;
}

std::vector<std::string> CommandNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* sub : app.get_subcommands({})) names.push_back(sub->get_name());
  return names;
}

// Spellings of the flags of a command and of those above it.
const CLI::Option* FindFlag(const CLI::App* app, const std::string& word,
                            std::vector<std::string>* names) {
  for (; app != nullptr; app = app->get_parent()) {
    for (const CLI::Option* option : app->get_options({})) {
      for (const std::string& name : option->get_lnames()) {
        names->push_back("--" + name);
        if ("--" + name == word) return option;
      }
      for (const std::string& name : option->get_snames()) {
        if (absl::StartsWith(word, "-" + name) && !absl::StartsWith(word, "--")) return option;
      }
    }
  }
  return nullptr;
}

}  // namespace

std::string SuggestFor(const CLI::App& root, const std::vector<std::string>& args) {
  const CLI::App* app = &root;
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i] == "--") return "";
    if (args[i].size() > 1 && args[i][0] == '-') {
      const std::string word = args[i].substr(0, args[i].find('='));
      std::vector<std::string> names;
      const CLI::Option* flag = FindFlag(app, word, &names);
      if (flag == nullptr) {
        const std::string near = config::Nearest(word, names);
        return near.empty() ? absl::StrCat("unknown flag ", word)
                            : absl::StrCat("unknown flag ", word, ": did you mean ", near, "?");
      }
      const bool takes_value = flag->get_items_expected_max() > 0;
      if (takes_value && word.size() == args[i].size() && (word[1] == '-' || word.size() == 2)) ++i;
      continue;
    }
    const std::vector<std::string> names = CommandNames(*app);
    if (names.empty()) continue;  // An argument of the command.
    if (const CLI::App* next = FindCommand(*app, args[i]); next != nullptr) {
      app = next;
      continue;
    }
    const std::string near = config::Nearest(args[i], names);
    const std::string prefix =
        app == &root ? "vlmctl " : absl::StrCat("vlmctl ", app->get_name(), " ");
    return absl::StrCat("unknown command \"", args[i], "\"",
                        near.empty() ? absl::StrCat("; see `", prefix, "--help`")
                                     : absl::StrCat(": did you mean `", prefix, near, "`?"));
  }
  return "";
}

CLI::Option* AddRepeated(CLI::App* command, const std::string& name,
                         std::vector<std::string>* values, const std::string& about) {
  return command->add_option(name, *values, about)
      ->take_all()
      ->expected(1)
      ->allow_extra_args(false);
}

Cli::Cli() : root_("Trains vision-language models and searches their hyper-parameters.", "vlmctl") {
  root_.fallthrough();
  root_.require_subcommand(0, 1);
  root_.footer(kFooter);
  root_.get_formatter()->column_width(34);
  root_.set_help_flag("-h,--help", "Show this help");
  root_.add_option("--addr", globals_.addr, "Coordinator: HOST:PORT or unix:PATH");
  root_.add_option("--context", globals_.context, "Context of the context file");
  root_.add_option("-o,--output", globals_.output, "table, wide, json, yaml, csv or name")
      ->envname("VLMCTL_OUTPUT");
  root_.add_option("--timeout", globals_.timeout, "Give up after this long: 30s, 5m, or seconds");
  root_.add_flag("--no-color", globals_.no_color, "No colours (also NO_COLOR)");
  root_.set_version_flag("--version", "vlmctl " VLM_VERSION, "Show the version");
  AddSubmitCommands(*this);
  AddStudyCommands(*this);
  AddTrialCommands(*this);
  AddStatusCommand(*this);
  AddWorkerCommands(*this);
  AddAdminCommands(*this);
  AddProfileCommands(*this);
  AddPlotCommands(*this);
  AddCheckpointCommands(*this);
  AddLocalCommands(*this);
  AddDataCommands(*this);
  AddContextCommands(*this);
  AddMiscCommands(*this);
}

CLI::App* Cli::AddNode(CLI::App* parent, const std::string& name, const std::string& about,
                       const std::string& example) {
  CLI::App* node = parent->add_subcommand(name, about);
  node->require_subcommand(0);
  std::string footer;
  if (!example.empty()) absl::StrAppend(&footer, "Example:\n  ", example, "\n\n");
  absl::StrAppend(&footer,
                  "Flags of every command: --addr, --context, -o, --timeout, --no-color; see "
                  "`vlmctl --help`.");
  node->footer(footer);
  return node;
}

CLI::App* Cli::AddGroup(const std::string& name, const std::string& about) {
  CLI::App* group = AddNode(&root_, name, about, absl::StrCat("vlmctl ", name, " --help"));
  group->require_subcommand(0, 1);
  return group;
}

int Cli::Run(std::vector<std::string> args, const Streams& streams) {
  const std::vector<std::string> words = args;
  try {
    std::reverse(args.begin(), args.end());  // CLI11 takes them from the back.
    root_.parse(std::move(args));
  } catch (const CLI::Success& e) {
    root_.exit(e, streams.out, streams.err);
    return kDone;
  } catch (const CLI::ParseError& e) {
    const std::string hint = SuggestFor(root_, words);
    streams.err << "vlmctl: " << Sanitize(hint.empty() ? e.what() : hint) << "\n";
    return kUsage;
  }
  if (action_ == nullptr) {
    streams.err << root_.help() << "\n";  // Of the chosen group, if there is one.
    return kUsage;
  }
  return Execute(streams);
}

int Cli::Execute(const Streams& streams) {
  Result result = kFailed;
  auto session = Session::Open(globals_, streams);
  if (session.ok()) {
    result = action_(**session);
  } else {
    result = session.status();
  }
  streams.out.flush();
  if (result.ok() && !streams.out) {
    streams.err << "vlmctl: error: cannot write the output\n";
    return kFailed;
  }
  if (result.ok()) return *result;
  streams.err << "vlmctl: error: " << SanitizeLines(result.status().message()) << "\n";
  return ExitCodeOf(result.status().code());
}

}  // namespace vlm::client
