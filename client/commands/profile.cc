// profile get.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/cli.h"
#include "google/protobuf/message.h"
#include "insight/profile_text.h"

namespace vlm::client {
namespace {

struct ProfileArgs {
  std::string trial;
  int rows = 15;
  bool windows = false;
};

// Sums the durations and counts of all windows; peaks are the highest.
v1::PhaseSummary Total(const google::protobuf::RepeatedPtrField<v1::PhaseSummary>& windows) {
  v1::PhaseSummary total = windows.Get(0);
  for (int i = 1; i < windows.size(); ++i) {
    const v1::PhaseSummary& w = windows.Get(i);
    const auto* reflection = total.GetReflection();
    const auto* type = total.GetDescriptor();
    for (int f = 0; f < type->field_count(); ++f) {
      const auto* field = type->field(f);
      if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_DOUBLE) continue;
      reflection->SetDouble(&total, field,
                            reflection->GetDouble(total, field) + reflection->GetDouble(w, field));
    }
    total.set_first_step(std::min(total.first_step(), w.first_step()));
    total.set_last_step(std::max(total.last_step(), w.last_step()));
    total.set_samples(total.samples() + w.samples());
    total.set_tokens(total.tokens() + w.tokens());
    total.set_peak_rss_bytes(std::max(total.peak_rss_bytes(), w.peak_rss_bytes()));
    total.set_peak_device_bytes(std::max(total.peak_device_bytes(), w.peak_device_bytes()));
  }
  return total;
}

void PrintData(Session& session, const v1::GetProfileResponse& response) {
  Json out = {{"phases", nullptr}, {"windows", Json::array()}, {"profiles", Json::array()}};
  if (!response.phases().empty()) out["phases"] = insight::PhaseJson(Total(response.phases()));
  for (const auto& window : response.phases()) {
    out["windows"].push_back(insight::PhaseJson(window));
  }
  for (const auto& profile : response.profiles()) {
    out["profiles"].push_back({{"attempt_id", profile.attempt_id()},
                               {"rank", profile.rank()},
                               {"first_step", profile.first_step()},
                               {"last_step", profile.last_step()},
                               {"trace_file", profile.trace_file()},
                               {"trace_bytes", profile.trace_bytes()},
                               {"event_count", profile.event_count()},
                               {"overhead_ms", JsonNumber(profile.overhead_ms())},
                               {"worker_id", profile.worker_id()},
                               {"phases", insight::PhaseJson(profile.phases())},
                               {"operators", insight::OperatorJson(profile)}});
  }
  session.out() << (session.format() == Format::kYaml ? DumpYaml(out) : DumpJson(out, true) + "\n");
}

void PrintText(Session& session, const ProfileArgs& args, const v1::GetProfileResponse& response) {
  if (!response.phases().empty()) {
    const v1::PhaseSummary total = Total(response.phases());
    session.out() << "Phases of steps " << total.first_step() << ".." << total.last_step()
                  << " (rank 0, " << response.phases_size() << " windows)\n"
                  << SanitizeLines(insight::PhaseTable(total));
  }
  for (const auto& window : response.phases()) {
    if (!args.windows) break;
    session.out() << "\nPhases of steps " << window.first_step() << ".." << window.last_step()
                  << "\n"
                  << SanitizeLines(insight::PhaseTable(window));
  }
  for (const auto& profile : response.profiles()) {
    session.out() << "\nOperators of steps " << profile.first_step() << ".." << profile.last_step()
                  << ", rank " << profile.rank() << "\n"
                  << SanitizeLines(insight::OperatorTable(profile, args.rows))
                  << "Trace: " << Sanitize(profile.trace_file()) << " ("
                  << HumanBytes(profile.trace_bytes()) << ", " << profile.event_count()
                  << " events, on worker " << Sanitize(profile.worker_id()) << ")\n";
  }
}

Result Get(Session& session, const ProfileArgs& args) {
  v1::GetProfileRequest request;
  request.set_trial(args.trial);
  ASSIGN_OR_RETURN(const auto response, session.Call(&ControlStub::GetProfile, request));
  if (response.profiles().empty()) {
    session.Note(absl::StrCat("trial ", args.trial,
                              " has no profiler window; set profiler.enabled: true to record one"));
  }
  if (response.profiles().empty() && response.phases().empty()) {
    return absl::NotFoundError(absl::StrCat("trial ", args.trial, " has no summaries yet"));
  }
  if (session.structured()) {
    PrintData(session, response);
  } else {
    PrintText(session, args, response);
  }
  return kDone;
}

}  // namespace

void AddProfileCommands(Cli& cli) {
  CLI::App* group = cli.AddGroup("profile", "Where the time of a trial's steps goes");
  ProfileArgs* args = nullptr;
  CLI::App* command =
      cli.Add<ProfileArgs>(group, "get", "Phase times and the profiler's top operators",
                           "vlmctl profile get demo/3 --rows 30", Get, &args);
  command->add_option("TRIAL", args->trial, "STUDY/NUMBER or trial id")->required();
  command->add_option("--rows", args->rows, "Operators to show; 0 = all [15]")
      ->check(CLI::Range(0, 1000));
  command->add_flag("--windows", args->windows, "Each window's phases too, not only their sum");
}

}  // namespace vlm::client
