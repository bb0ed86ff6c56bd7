// The command tree: each group file adds its commands here; Run parses, finds the chosen one, runs
// it, and turns its result into an exit code.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "client/exit_codes.h"
#include "client/session.h"

namespace vlm::client {

// A command's result: an exit code, or an error that the table of exit codes maps.
using Result = absl::StatusOr<int>;

// Of a command without flags of its own.
struct NoArgs {};

class Cli {
 public:
  Cli();
  CLI::App& root() { return root_; }

  // A command whose flags are bound to the members of an Args object; `run` gets the filled object.
  // Every command has an example; Add's caller binds flags through the returned object.
  template <typename Args>
  CLI::App* Add(CLI::App* parent, const std::string& name, const std::string& about,
                const std::string& example, Result (*run)(Session&, const Args&), Args** args) {
    auto owned = std::make_shared<Args>();
    *args = owned.get();
    CLI::App* command = AddNode(parent, name, about, example);
    command->callback([this, owned, run] {
      action_ = [owned, run](Session& session) { return run(session, *owned); };
    });
    return command;
  }
  // A node that only holds commands ("study").
  CLI::App* AddGroup(const std::string& name, const std::string& about);

  // Whole life of the program after main's set-up.
  int Run(std::vector<std::string> args, const Streams& streams);

 private:
  CLI::App* AddNode(CLI::App* parent, const std::string& name, const std::string& about,
                    const std::string& example);
  int Execute(const Streams& streams);

  CLI::App root_;
  Globals globals_;
  std::function<Result(Session&)> action_;
};

// "did you mean ..." for a command line that does not parse, or nothing. Walks the words as the
// parser does.
std::string SuggestFor(const CLI::App& root, const std::vector<std::string>& args);

// A flag that may be repeated and takes one word each time, never the positional after it.
CLI::Option* AddRepeated(CLI::App* command, const std::string& name,
                         std::vector<std::string>* values, const std::string& about);

// The groups.
void AddSubmitCommands(Cli& cli);
void AddStudyCommands(Cli& cli);
void AddTrialCommands(Cli& cli);
void AddStatusCommand(Cli& cli);
void AddWorkerCommands(Cli& cli);
void AddAdminCommands(Cli& cli);       // admin backup, admin fsck
void AddLocalCommands(Cli& cli);       // up, down
void AddCheckpointCommands(Cli& cli);  // ckpt, generate
void AddProfileCommands(Cli& cli);
void AddPlotCommands(Cli& cli);
void AddDataCommands(Cli& cli);
void AddContextCommands(Cli& cli);
void AddMiscCommands(Cli& cli);  // version, completion

}  // namespace vlm::client
