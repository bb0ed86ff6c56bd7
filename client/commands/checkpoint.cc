// ckpt list, ckpt pull, generate.
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "client/cli.h"
#include "client/download.h"
#include "client/local/process.h"
#include "client/resources.h"

namespace vlm::client {
namespace {

struct ListArgs {
  std::string trial;
};

Result List(Session& session, const ListArgs& args) {
  v1::ListCheckpointsRequest request;
  request.set_trial(args.trial);
  ASSIGN_OR_RETURN(const auto response, session.Call(&ControlStub::ListCheckpoints, request));
  session.Print(CheckpointRecords({response.checkpoints().begin(), response.checkpoints().end()}));
  return kDone;
}

struct PullArgs {
  std::string checkpoint;
  std::string out;
};

Result Pull(Session& session, const PullArgs& args) {
  ASSIGN_OR_RETURN(const std::string id, ResolveCheckpoint(session, args.checkpoint));
  std::string path = args.out.empty() ? absl::StrCat(id, ".safetensors") : args.out;
  std::error_code error;
  if (std::filesystem::is_directory(path, error))
    path = absl::StrCat(path, "/", id, ".safetensors");
  ASSIGN_OR_RETURN(const v1::Checkpoint checkpoint, Download(session, id, path));
  session.Note(absl::StrCat(id, " (step ", checkpoint.step(), ", ",
                            HumanBytes(checkpoint.size_bytes()), ") has its hash and is in ",
                            path));
  session.out() << path << "\n";
  return kDone;
}

struct GenerateArgs {
  std::string checkpoint;
  std::string image;
  std::string prompt;
  int max_new = 0;
  int top_k = -1;
  double temperature = -1;
  int64_t seed = -1;
};

// Replaces this program by the trainer; returns only if that fails.
Result Generate(Session& session, const GenerateArgs& args) {
  ASSIGN_OR_RETURN(const std::string trainer, FindProgram("vlm-trainer"));
  std::error_code error;
  std::string file = args.checkpoint;
  if (!std::filesystem::is_regular_file(file, error)) {
    if (!IsCheckpointId(file) && (file.find(".safetensors") != std::string::npos)) {
      return absl::InvalidArgumentError(absl::StrCat("there is no file ", file));
    }
    ASSIGN_OR_RETURN(const std::string id, ResolveCheckpoint(session, file));
    ASSIGN_OR_RETURN(file, CachedCheckpoint(session, id));
  }
  std::vector<std::string> argv = {trainer,   "--generate", "--ckpt",   file,
                                   "--image", args.image,   "--prompt", args.prompt};
  if (args.max_new > 0) argv.insert(argv.end(), {"--max-new", absl::StrCat(args.max_new)});
  if (args.top_k >= 0) argv.insert(argv.end(), {"--top-k", absl::StrCat(args.top_k)});
  if (args.temperature >= 0) {
    argv.insert(argv.end(), {"--temperature", absl::StrCat(args.temperature)});
  }
  if (args.seed >= 0) argv.insert(argv.end(), {"--seed", absl::StrCat(args.seed)});
  std::vector<char*> raw;
  for (std::string& arg : argv) raw.push_back(arg.data());
  raw.push_back(nullptr);
  session.out() << std::flush;
  execv(trainer.c_str(), raw.data());
  return absl::InternalError(absl::StrCat("cannot start ", trainer, ": ", std::strerror(errno)));
}

}  // namespace

void AddCheckpointCommands(Cli& cli) {
  CLI::App* group = cli.AddGroup("ckpt", "Checkpoints: list and fetch");
  ListArgs* list = nullptr;
  CLI::App* command = cli.Add<ListArgs>(group, "list", "List a trial's checkpoints, newest first",
                                        "vlmctl ckpt list demo/3", List, &list);
  command->add_option("TRIAL", list->trial, "STUDY/NUMBER or trial id")->required();
  PullArgs* pull = nullptr;
  command = cli.Add<PullArgs>(group, "pull", "Fetch a checkpoint and verify its hash",
                              "vlmctl ckpt pull demo/3 --out best.safetensors", Pull, &pull);
  command
      ->add_option("CHECKPOINT", pull->checkpoint, "Checkpoint id, or a trial for its newest one")
      ->required();
  command->add_option("--out", pull->out, "File or folder [CHECKPOINT.safetensors here]");
  GenerateArgs* generate = nullptr;
  command = cli.Add<GenerateArgs>(
      &cli.root(), "generate", "Caption a picture with a checkpoint",
      "vlmctl generate --ckpt demo/3 --image cat.png --prompt \"a small\"", Generate, &generate);
  command
      ->add_option("--ckpt", generate->checkpoint,
                   "A .safetensors file, a checkpoint id, or a trial for its newest one")
      ->required();
  command->add_option("--image", generate->image, "Picture file")
      ->required()
      ->check(CLI::ExistingFile);
  command->add_option("--prompt", generate->prompt, "Text that the caption starts with [none]");
  command->add_option("--max-new", generate->max_new, "Characters to add at most")
      ->check(CLI::Range(1, 999));
  command->add_option("--top-k", generate->top_k, "Choose among the K likeliest; 0 = all")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--temperature", generate->temperature, "0: always the likeliest character")
      ->check(CLI::Range(0.0, 100.0));
  command->add_option("--seed", generate->seed, "Of the draws")->check(CLI::NonNegativeNumber);
}

}  // namespace vlm::client
