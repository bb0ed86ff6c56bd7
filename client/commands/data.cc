// data shapes.
#include "absl/strings/str_cat.h"
#include "client/cli.h"
#include "insight/shapes/shapes.h"

namespace vlm::client {
namespace {

struct ShapesArgs {
  insight::ShapesOptions options;
};

Result Shapes(Session& session, const ShapesArgs& args) {
  insight::ShapesOptions options = args.options;
  if (session.ErrIsTerminal()) {
    options.progress = [&](int64_t done) {
      if (done % 50 != 0 && done != options.n) return;
      session.err() << "\r" << done << "/" << options.n << " pictures"
                    << (done == options.n ? "\n" : "") << std::flush;
    };
  }
  RETURN_IF_ERROR(insight::WriteShapes(options));
  session.Note(absl::StrCat("wrote ", options.n, " captioned pictures; use them with input_path: ",
                            options.out, "/captions.csv"));
  session.out() << options.out << "/captions.csv\n";
  return kDone;
}

}  // namespace

void AddDataCommands(Cli& cli) {
  CLI::App* group = cli.AddGroup("data", "Data sets made by vlmctl itself");
  ShapesArgs* args = nullptr;
  CLI::App* command =
      cli.Add<ShapesArgs>(group, "shapes", "Render captioned pictures of coloured shapes",
                          "vlmctl data shapes --out shapes --n 600 --seed 1", Shapes, &args);
  args->options.seed = 1;
  command->add_option("--out", args->options.out, "Folder; gets captions.csv and pictures/")
      ->required();
  command->add_option("--n", args->options.n, "How many pictures [600]")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000}));
  command->add_option("--seed", args->options.seed, "The same seed gives the same bytes [1]");
  command->add_option("--image-size", args->options.image_size, "Pixels per side [64]")
      ->check(CLI::Range(16, 1024));
}

}  // namespace vlm::client
