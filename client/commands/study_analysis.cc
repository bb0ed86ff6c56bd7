// study importance.
#include "client/commands/study_analysis.h"

#include "absl/strings/str_cat.h"

namespace vlm::client {
namespace {

struct ImportanceArgs {
  std::string study;
  int objective = -1;
  double target = 0;  // 0: not given.
  double region = 0;
  std::string evaluator;
};

Result Importance(Session& session, const ImportanceArgs& args) {
  v1::GetImportanceRequest request;
  request.set_study(args.study);
  if (args.objective >= 0) request.set_objective(args.objective);
  request.set_target_quantile(args.target);
  request.set_region_quantile(args.region);
  request.set_evaluator(EvaluatorOf(args.evaluator));
  ASSIGN_OR_RETURN(const auto response, session.Call(&ControlStub::GetImportance, request));
  using I = v1::GetImportanceResponse::Importance;
  const std::vector<Field<I>> fields = {
      {{"name", "PARAMETER"}, [](const I& i) { return i.name(); }, {}},
      {{"importance", "IMPORTANCE"},
       [](const I& i) { return JsonNumber(i.value()); },
       [](const I& i) { return HumanNumber(i.value()); }}};
  session.Print(MakeRecords(
      fields, std::vector<I>(response.importances().begin(), response.importances().end()),
      [](const I& i) { return i.name(); }));
  if (response.importances().empty()) session.Note("the trials of this study have no parameters");
  return kDone;
}

}  // namespace

void AddEvaluator(CLI::App* command, std::string* evaluator) {
  command
      ->add_option("--evaluator", *evaluator,
                   "ped-anova: for reaching the best trials; fanova: for the value [ped-anova]")
      ->check(CLI::IsMember({"ped-anova", "fanova"}));
}

v1::GetImportanceRequest::Evaluator EvaluatorOf(const std::string& name) {
  return name == "fanova" ? v1::GetImportanceRequest::EVALUATOR_FANOVA
                          : v1::GetImportanceRequest::EVALUATOR_PED_ANOVA;
}

void AddStudyAnalysis(Cli& cli, CLI::App* group) {
  ImportanceArgs* args = nullptr;
  CLI::App* command = cli.Add<ImportanceArgs>(
      group, "importance", "How much each parameter mattered for reaching the best trials",
      "vlmctl study importance demo -o json", Importance, &args);
  command->add_option("STUDY", args->study, "Name, id or unique prefix [the active or newest one]");
  command
      ->add_option("--objective", args->objective,
                   "One objective, from 0 [with several: reaching the Pareto front]")
      ->check(CLI::NonNegativeNumber);
  AddEvaluator(command, &args->evaluator);
  command
      ->add_option("--target-quantile", args->target, "Share of the best trials to explain [0.1]")
      ->check(CLI::PositiveNumber);
  command
      ->add_option("--region-quantile", args->region,
                   "Share of the trials that they are compared with [1]")
      ->check(CLI::PositiveNumber);
}

}  // namespace vlm::client
