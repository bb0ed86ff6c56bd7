// study edit: budget and search space of a study, also while it runs.
#include "client/commands/study_edit.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "client/resources.h"
#include "common/ids.h"

namespace vlm::client {
namespace {

struct EditArgs {
  std::string study;
  int64_t n_trials = -1;
  std::string timeout;
  int parallelism = -1;
  std::optional<int> priority;
  std::optional<double> weight;
  std::vector<std::string> ranges;
};

Result Edit(Session& session, const EditArgs& args) {
  v1::UpdateStudyRequest request;
  request.set_request_id(NewUuid());
  request.set_study(args.study);
  if (args.n_trials >= 0) request.set_n_trials(args.n_trials);
  if (!args.timeout.empty()) {
    ASSIGN_OR_RETURN(const absl::Duration timeout, ParseDurationText(args.timeout));
    request.set_timeout_s(absl::ToDoubleSeconds(timeout));
  }
  if (args.parallelism >= 0) request.set_parallelism(args.parallelism);
  if (args.priority) request.set_priority(*args.priority);
  if (args.weight) request.set_weight(*args.weight);
  for (const std::string& range : args.ranges) request.add_search_space(range);
  if (!request.has_n_trials() && !request.has_timeout_s() && !request.has_parallelism() &&
      !request.has_priority() && !request.has_weight() && args.ranges.empty()) {
    return absl::InvalidArgumentError(
        "nothing to change; give --n-trials, --time-limit, --parallelism, --priority, --weight or "
        "--range");
  }
  ASSIGN_OR_RETURN(const auto response, session.Mutate(&ControlStub::UpdateStudy, request));
  session.Note(absl::StrCat("study ", response.study().name(), " was changed"));
  if (IsEnd(response.study().state())) {
    session.Note(absl::StrCat("it is ", StateText(response.study().state()),
                              "; `vlmctl study resume ", response.study().name(),
                              "` lets it go on"));
  }
  Records records = StudyRecords({response.study()});
  records.single = true;
  session.Print(records);
  return kDone;
}

}  // namespace

void AddStudyEdit(Cli& cli, CLI::App* group) {
  EditArgs* args = nullptr;
  CLI::App* command = cli.Add<EditArgs>(
      group, "edit", "Change budget or search space of a study, also while it runs",
      "vlmctl study edit demo --n-trials 40 --parallelism 4", Edit, &args);
  command->add_option("STUDY", args->study, "Name, id or unique prefix")->required();
  command->add_option("--n-trials", args->n_trials, "Trials in all, those that exist included")
      ->check(CLI::PositiveNumber);
  command->add_option("--time-limit", args->timeout,
                      "Of the whole study, such as 90m or 7200; 0 for none");
  command
      ->add_option("--parallelism", args->parallelism,
                   "Trials at once; 0 for as many as there are slots")
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--priority", args->priority,
                   "Slots go to higher ones first, and are taken from lower ones at a checkpoint")
      ->check(CLI::Range(-100, 100));
  command
      ->add_option("--weight", args->weight,
                   "Share of the slots among studies of the same priority")
      ->check(CLI::PositiveNumber);
  AddRepeated(command, "--range", &args->ranges,
              "KEY=RANGE as below study.search_space: draw from this range from now on, such as "
              "'learning_rate={type: float, low: 1e-5, high: 1e-3, log: true}'; may be repeated");
}

}  // namespace vlm::client
