#include "client/best.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/exit_codes.h"
#include "client/resources.h"
#include "common/config/config.h"

namespace vlm::client {
namespace {

// For people: the trial and the commands that go on from it.
std::string BestText(const v1::Study& study, const v1::Trial& trial) {
  const std::string name = Sanitize(study.name());
  std::string out = absl::StrCat("Trial        ", name, "/", trial.number(), "\n");
  for (int i = 0; i < trial.values_size(); ++i) {
    absl::StrAppend(&out, "Value        ", HumanNumber(trial.values(i)), " (",
                    i < study.metrics_size() ? Sanitize(study.metrics(i))
                    : study.metric().empty() ? "objective"
                                             : Sanitize(study.metric()),
                    ")\n");
  }
  for (const v1::Param& param : trial.params()) {
    absl::StrAppend(&out, &param == &trial.params(0) ? "Parameters   " : "             ",
                    Sanitize(param.name()), " = ", Sanitize(ParamText(param.value())), "\n");
  }
  if (trial.has_checkpoint()) {
    const v1::Checkpoint& ckpt = trial.checkpoint();
    const std::string id = Sanitize(ckpt.checkpoint_id());
    absl::StrAppend(&out, "Checkpoint   ", id, " (step ", ckpt.step(), ", ",
                    HumanBytes(ckpt.size_bytes()), ", ", Sanitize(ckpt.uri()), ")\n");
    absl::StrAppend(&out, "Use it       vlmctl generate --ckpt ", id,
                    " --image IMAGE --prompt a\n             vlmctl ckpt pull ", id, "\n");
  } else {
    absl::StrAppend(&out, "Checkpoint   none was registered\n");
  }
  absl::StrAppend(&out, "Train again  vlmctl study best ", name,
                  " --params-only -o yaml | vlmctl submit -\n");
  return out;
}

absl::StatusOr<int> PrintParams(Session& session, const v1::Study& study, const v1::Trial& trial) {
  if (session.format() == Format::kYaml) {
    v1::GetStudyRequest request;
    request.set_study(study.name());
    ASSIGN_OR_RETURN(const auto found, session.Call(&ControlStub::GetStudy, request));
    ASSIGN_OR_RETURN(const v1::StudySpec spec, SpecOf(found.spec(), trial));
    session.out() << "# Trial " << Sanitize(study.name()) << "/" << trial.number()
                  << " as a configuration of its own.\n"
                  << config::ToYaml(spec);
    return kDone;
  }
  std::vector<Field<v1::Param>> fields = {
      {{"name", "PARAMETER"}, [](const v1::Param& p) { return p.name(); }, {}},
      {{"value", "VALUE"},
       [](const v1::Param& p) { return ParamJson(p.value()); },
       [](const v1::Param& p) { return ParamText(p.value()); }}};
  if (session.format() == Format::kJson) {
    Json object = Json::object();
    for (const v1::Param& p : trial.params()) object[p.name()] = ParamJson(p.value());
    session.out() << DumpJson(object, true) << "\n";
    return kDone;
  }
  session.Print(MakeRecords(fields,
                            std::vector<v1::Param>(trial.params().begin(), trial.params().end()),
                            [](const v1::Param& p) { return p.name(); }));
  return kDone;
}

}  // namespace

absl::StatusOr<v1::StudySpec> SpecOf(const v1::StudySpec& study, const v1::Trial& trial) {
  v1::StudySpec spec = study;
  RETURN_IF_ERROR(config::ApplyParams(trial.params(), spec.mutable_train()));
  spec.set_hyperparameter_tuning(false);
  spec.clear_search_space();
  spec.clear_enqueue();
  spec.clear_seed_from();
  spec.clear_name();
  return spec;
}

absl::StatusOr<int> PrintBest(Session& session, const BestOptions& options) {
  v1::BestTrialsRequest request;
  request.set_study(options.study);
  request.set_count(std::max(1, options.count));
  ASSIGN_OR_RETURN(const auto best, session.Call(&ControlStub::BestTrials, request));
  const v1::Study& study = best.study();
  const bool several = study.directions_size() > 1;
  if (options.pareto && !several) {
    return absl::InvalidArgumentError(absl::StrCat(
        "study ", study.name(), " has one objective and no front; leave --pareto out"));
  }
  if (options.count > 0 && several) {
    return absl::InvalidArgumentError(
        absl::StrCat("study ", study.name(), " has ", study.directions_size(),
                     " objectives and no order of its trials; use --pareto instead of -n"));
  }
  if (best.trials().empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("study ", study.name(), " has no complete trial yet"));
  }
  if (options.params_only) {
    if (best.trials_size() > 1 && several) {
      return absl::InvalidArgumentError(
          absl::StrCat("the front has ", best.trials_size(),
                       " trials; choose one with `vlmctl "
                       "trial get`, or see `vlmctl study best --pareto -o json`"));
    }
    return PrintParams(session, study, best.trials(0));
  }
  if (!session.structured() && best.trials_size() == 1) {
    session.out() << BestText(study, best.trials(0));
    return kDone;
  }
  Records records = TrialRecords(study.name(), {best.trials().begin(), best.trials().end()});
  records.single = best.trials_size() == 1 && options.count <= 1 && !several;
  session.Print(records);
  return kDone;
}

}  // namespace vlm::client
