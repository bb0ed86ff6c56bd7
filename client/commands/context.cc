// context list, use, set, current.
#include "absl/strings/str_cat.h"
#include "client/cli.h"

namespace vlm::client {
namespace {

Result List(Session& session, const NoArgs&) {
  ASSIGN_OR_RETURN(const ContextFile file, LoadContexts(ContextPath()));
  using Item = std::pair<std::string, Target>;
  const std::vector<Field<Item>> fields = {
      {{"current", "CURRENT"},
       [&](const Item& i) { return i.first == file.current; },
       [&](const Item& i) { return i.first == file.current ? "*" : " "; }},
      {{"name", "NAME"}, [](const Item& i) { return i.first; }, {}},
      {{"addr", "ADDRESS"}, [](const Item& i) { return i.second.addr; }, {}},
      {{"cacert", "CA", Show::kWide}, [](const Item& i) { return i.second.cacert; }, {}},
  };
  session.Print(MakeRecords(fields, std::vector<Item>(file.contexts.begin(), file.contexts.end()),
                            [](const Item& i) { return i.first; }));
  return kDone;
}

struct ContextArgs {
  std::string name;
  Target target;
};

Result Use(Session& session, const ContextArgs& args) {
  ASSIGN_OR_RETURN(ContextFile file, LoadContexts(ContextPath()));
  if (args.name != "local" && file.contexts.count(args.name) == 0) {
    return absl::NotFoundError(absl::StrCat("no context \"", args.name, "\" in ", file.path,
                                            "; make it with `vlmctl context set`"));
  }
  // "local" is what there is without any context.
  file.current = file.contexts.count(args.name) == 0 ? "" : args.name;
  RETURN_IF_ERROR(SaveContexts(file));
  session.Note(absl::StrCat("using context ", args.name));
  return kDone;
}

Result Set(Session& session, const ContextArgs& args) {
  ASSIGN_OR_RETURN(ContextFile file, LoadContexts(ContextPath()));
  file.contexts[args.name] = args.target;
  RETURN_IF_ERROR(SaveContexts(file));
  session.Note(absl::StrCat("context ", args.name, " is ", args.target.addr, " in ", file.path));
  return kDone;
}

Result Current(Session& session, const NoArgs&) {
  ASSIGN_OR_RETURN(const Target target, session.FindTarget());
  session.Note(absl::StrCat("from ", target.source));
  session.out() << Sanitize(target.addr) << "\n";
  return kDone;
}

}  // namespace

void AddContextCommands(Cli& cli) {
  CLI::App* group = cli.AddGroup("context", "Named coordinators in the context file");
  NoArgs* none = nullptr;
  cli.Add<NoArgs>(group, "list", "List contexts", "vlmctl context list", List, &none);
  ContextArgs* args = nullptr;
  CLI::App* command = cli.Add<ContextArgs>(group, "use", "Make a context the current one",
                                           "vlmctl context use lab", Use, &args);
  command->add_option("NAME", args->name, "Context, or local for the one of `vlmctl up`")
      ->required();
  command = cli.Add<ContextArgs>(group, "set", "Make or replace a context",
                                 "vlmctl context set lab gpu1:7747", Set, &args);
  command->add_option("NAME", args->name, "Name of the context")->required();
  command->add_option("ADDR", args->target.addr, "HOST:PORT or unix:PATH")->required();
  command->add_option("--cacert", args->target.cacert, "CA certificate; switches TLS on");
  command->add_option("--cert", args->target.cert, "Client certificate");
  command->add_option("--key", args->target.key, "Key of the client certificate");
  command->add_option("--token-file", args->target.token_file, "File with a bearer token");
  cli.Add<NoArgs>(group, "current", "Print the address that commands would use",
                  "vlmctl context current", Current, &none);
}

}  // namespace vlm::client
