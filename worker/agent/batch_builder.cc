#include "worker/agent/batch_builder.h"

#include <algorithm>
#include <utility>

namespace vlm::agent {
namespace {

constexpr absl::Duration kLongestWait = absl::Milliseconds(100);
constexpr size_t kLargeBytes = 256 << 10;

void JoinSeries(v1::Series&& series, v1::Report& into) {
  for (v1::Series& known : *into.mutable_series()) {
    if (known.name() != series.name()) continue;
    known.mutable_points()->MergeFrom(series.points());
    return;
  }
  *into.add_series() = std::move(series);
}

}  // namespace

void BatchBuilder::Add(v1::Report report, absl::Duration now) {
  if (!since_.has_value()) since_ = now;
  pending_.set_last_step(std::max(pending_.last_step(), report.last_step()));
  if (report.total_steps() > 0) pending_.set_total_steps(report.total_steps());
  if (report.skipped_rows() > 0) pending_.set_skipped_rows(report.skipped_rows());
  if (report.cut_captions() > 0) pending_.set_cut_captions(report.cut_captions());
  for (v1::Series& series : *report.mutable_series()) JoinSeries(std::move(series), pending_);
  pending_.mutable_validations()->MergeFrom(report.validations());
  pending_.mutable_phases()->MergeFrom(report.phases());
  pending_.mutable_profiles()->MergeFrom(report.profiles());
  pending_.mutable_checkpoints()->MergeFrom(report.checkpoints());
}

void BatchBuilder::AddLines(std::vector<v1::LogLine> lines, absl::Duration now) {
  if (lines.empty()) return;
  if (!since_.has_value()) since_ = now;
  for (v1::LogLine& line : lines) *pending_.add_log_lines() = std::move(line);
}

bool BatchBuilder::Due(absl::Duration now) const {
  return since_.has_value() && (pending_.validations_size() > 0 || now - *since_ >= kLongestWait ||
                                pending_.ByteSizeLong() >= kLargeBytes);
}

v1::Report BatchBuilder::Take() {
  v1::Report taken = std::exchange(pending_, v1::Report());
  since_.reset();
  taken.set_rank(rank_);
  return taken;
}

}  // namespace vlm::agent
