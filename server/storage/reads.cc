#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "common/status.h"
#include "server/storage/blocks.h"
#include "server/storage/parts.h"
#include "vlm/v1/trainer.pb.h"

namespace vlm::storage {

absl::StatusOr<std::vector<v1::Series>> Store::ReadSeries(int64_t trial_id,
                                                          const std::vector<std::string>& names,
                                                          int64_t from_step) {
  // Per name: attempt, then points. A newer attempt replaces older points from its first step on.
  std::map<std::string, std::map<int64_t, std::vector<v1::Point>>> found;
  const std::set<std::string> wanted(names.begin(), names.end());
  MutexLock lock(parts_->read_mutex);
  Connection& reader = *parts_->reader;
  RETURN_IF_ERROR(Guard(parts_->path, [&] {
    SQLite::Statement& s = reader.Prepare(
        "SELECT attempt, data FROM vlm_metric_blocks WHERE trial_id = ? ORDER BY block_id");
    s.bind(1, trial_id);
    while (s.executeStep()) {
      v1::Report block;
      Unpack(s.getColumn(1).getString(), &block);
      for (const v1::Series& series : block.series()) {
        if (!wanted.empty() && wanted.count(series.name()) == 0) continue;
        auto& points = found[series.name()][s.getColumn(0).getInt64()];
        points.insert(points.end(), series.points().begin(), series.points().end());
      }
    }
    s.reset();
  }));
  std::vector<v1::Series> out;
  for (auto& [name, attempts] : found) {
    v1::Series& series = out.emplace_back();
    series.set_name(name);
    std::vector<v1::Point> kept;
    for (auto& [attempt, points] : attempts) {
      if (points.empty()) continue;
      const int64_t first = points.front().step();
      while (!kept.empty() && kept.back().step() >= first) kept.pop_back();
      kept.insert(kept.end(), points.begin(), points.end());
    }
    for (v1::Point& point : kept) {
      if (point.step() >= from_step) *series.add_points() = std::move(point);
    }
  }
  return out;
}

absl::StatusOr<std::vector<v1::LogLine>> Store::ReadLogs(int64_t trial_id, int64_t after_sequence,
                                                         int tail, size_t limit) {
  std::vector<v1::LogLine> out;
  MutexLock lock(parts_->read_mutex);
  Connection& reader = *parts_->reader;
  RETURN_IF_ERROR(Guard(parts_->path, [&] {
    int64_t after = after_sequence;
    if (tail > 0) {
      SQLite::Statement& last =
          reader.Prepare("SELECT max(last_sequence) FROM vlm_logs WHERE trial_id = ?");
      last.bind(1, trial_id);
      if (last.executeStep()) after = std::max(after, last.getColumn(0).getInt64() - tail);
      last.reset();
    }
    SQLite::Statement& s = reader.Prepare(
        "SELECT data FROM vlm_logs WHERE trial_id = ? AND last_sequence > ? "
        "ORDER BY first_sequence");
    s.bind(1, trial_id);
    s.bind(2, after);
    while (s.executeStep()) {
      v1::TailLogsResponse block;
      Unpack(s.getColumn(0).getString(), &block);
      for (v1::LogLine& line : *block.mutable_lines()) {
        if (line.sequence() > after) out.push_back(std::move(line));
      }
      if (out.size() >= limit) break;
    }
    s.reset();
  }));
  return out;
}

absl::StatusOr<v1::GetProfileResponse> Store::ReadProfiles(int64_t trial_id) {
  v1::GetProfileResponse out;
  MutexLock lock(parts_->read_mutex);
  Connection& reader = *parts_->reader;
  RETURN_IF_ERROR(Guard(parts_->path, [&] {
    SQLite::Statement& s =
        reader.Prepare("SELECT data FROM vlm_profiles WHERE trial_id = ? ORDER BY profile_id");
    s.bind(1, trial_id);
    while (s.executeStep()) {
      v1::GetProfileResponse block;
      Unpack(s.getColumn(0).getString(), &block);
      out.MergeFrom(block);
    }
    s.reset();
  }));
  return out;
}

absl::StatusOr<std::vector<v1::Event>> Store::ReadEvents(int count) {
  std::vector<v1::Event> out;
  MutexLock lock(parts_->read_mutex);
  Connection& reader = *parts_->reader;
  RETURN_IF_ERROR(Guard(parts_->path, [&] {
    SQLite::Statement& s =
        reader.Prepare("SELECT body FROM vlm_events ORDER BY sequence DESC LIMIT ?");
    s.bind(1, count);
    while (s.executeStep()) {
      const SQLite::Column body = s.getColumn(0);
      if (!out.emplace_back().ParseFromArray(body.getBlob(), body.getBytes())) {
        throw std::runtime_error("an event is damaged");
      }
    }
    s.reset();
  }));
  std::reverse(out.begin(), out.end());
  return out;
}

}  // namespace vlm::storage
