// status.
#include "absl/strings/str_cat.h"
#include "client/cli.h"
#include "client/resources.h"

namespace vlm::client {
namespace {

Result Status(Session& session, const NoArgs&) {
  ASSIGN_OR_RETURN(const auto s, session.Call(&ControlStub::GetStatus, v1::GetStatusRequest()));
  ASSIGN_OR_RETURN(const Target target, session.FindTarget());
  using S = v1::GetStatusResponse;
  const std::vector<Field<S>> fields = {
      {{"addr", "Coordinator"},
       [&](const S&) { return target.addr; },
       [&](const S&) { return absl::StrCat(target.addr, " (", target.source, ")"); }},
      {{"version", "Version"}, [](const S& r) { return r.version(); }, {}},
      {{"pid", "Process"}, [](const S& r) { return r.pid(); }, {}},
      {{"start_time", "Up for"},
       [](const S& r) { return JsonTime(r.start_time()); },
       [](const S& r) { return HumanDuration(absl::Now() - ToTime(r.start_time())); }},
      {{"data_dir", "Data"}, [](const S& r) { return r.data_dir(); }, {}},
      {{"database_bytes", "Study file"},
       [](const S& r) { return r.database_bytes(); },
       [](const S& r) { return HumanBytes(r.database_bytes()); }},
      {{"rss_bytes", "Memory"},
       [](const S& r) { return r.rss_bytes(); },
       [](const S& r) { return HumanBytes(r.rss_bytes()); }},
      {{"studies", "Studies"},
       [](const S& r) { return r.studies(); },
       [](const S& r) { return absl::StrCat(r.studies(), ", ", r.active_studies(), " active"); }},
      {{"active_studies", "Active studies", Show::kDataOnly},
       [](const S& r) { return r.active_studies(); },
       {}},
      {{"workers", "Workers"}, [](const S& r) { return r.workers(); }, {}},
      {{"slots", "Slots"},
       [](const S& r) { return r.slots(); },
       [](const S& r) { return absl::StrCat(r.slots(), ", ", r.free_slots(), " free"); }},
      {{"free_slots", "Free slots", Show::kDataOnly},
       [](const S& r) { return r.free_slots(); },
       {}},
      {{"http_address", "HTTP"},
       [](const S& r) { return r.http_address().empty() ? Json(nullptr) : Json(r.http_address()); },
       {}},
  };
  Records records = MakeRecords(fields, std::vector<S>{s}, [&](const S&) { return target.addr; });
  records.single = true;
  session.Print(records);
  return kDone;
}

}  // namespace

void AddStatusCommand(Cli& cli) {
  NoArgs* none = nullptr;
  cli.Add<NoArgs>(&cli.root(), "status", "What the coordinator is doing, on one screen",
                  "vlmctl status -o json", Status, &none);
}

}  // namespace vlm::client
