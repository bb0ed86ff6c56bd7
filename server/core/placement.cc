// Where a gang fits: all of its ranks or none.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/core/core.h"

namespace vlm::core {
namespace {

struct Room {
  const WorkerRecord* worker;
  std::vector<int32_t> slots;
};

const char* KindName(v1::SlotKind kind) { return kind == v1::SLOT_KIND_GPU ? "GPU" : "CPU"; }

// In the order in which they are tried.
std::vector<v1::SlotKind> KindsOf(const v1::TrainConfig& train) {
  std::vector<v1::SlotKind> kinds;
  const v1::DeviceKind device = train.resources().device();
  if (device != v1::DEVICE_KIND_CPU && train.cuda_enabled()) kinds.push_back(v1::SLOT_KIND_GPU);
  if (device != v1::DEVICE_KIND_CUDA) kinds.push_back(v1::SLOT_KIND_CPU);
  return kinds;
}

// Numbers of ranks that a trial may have, the most first.
std::vector<int> SizesOf(const v1::ResourcesConfig& resources) {
  std::vector<int> sizes(resources.world_sizes().rbegin(), resources.world_sizes().rend());
  if (sizes.empty()) sizes.push_back(std::max(1, resources.world_size()));
  return sizes;
}

std::string Needs(const v1::ResourcesConfig& resources) {
  const std::vector<int> sizes = SizesOf(resources);
  return sizes.size() == 1 ? absl::StrCat(sizes[0])
                           : absl::StrCat(sizes.back(), " to ", sizes.front());
}

// One worker that is just large enough beats several; of several the largest go first.
void SortForGang(std::vector<Room>& rooms, size_t world) {
  std::stable_sort(rooms.begin(), rooms.end(), [world](const Room& a, const Room& b) {
    const bool fits_a = a.slots.size() >= world;
    const bool fits_b = b.slots.size() >= world;
    if (fits_a != fits_b) return fits_a;
    return fits_a ? a.slots.size() < b.slots.size() : a.slots.size() > b.slots.size();
  });
}

// Nothing: it does not fit.
std::vector<NodeRecord> Fit(std::vector<Room> rooms, int world, int max_nodes) {
  SortForGang(rooms, static_cast<size_t>(world));
  if (max_nodes > 0 && rooms.size() > static_cast<size_t>(max_nodes)) {
    rooms.resize(static_cast<size_t>(max_nodes));
  }
  std::vector<NodeRecord> nodes;
  int rank = 0;
  for (const Room& room : rooms) {
    if (rank == world) break;
    NodeRecord& node = nodes.emplace_back();
    node.worker_id = room.worker->worker.worker_id();
    for (int32_t slot : room.slots) {
      if (rank == world) break;
      node.ranks.push_back(rank++);
      node.slots.push_back(slot);
    }
  }
  if (rank < world) nodes.clear();
  return nodes;
}

// `whole`: as if nothing ran.
std::vector<Room> RoomsOf(const State& state, v1::SlotKind kind, int per_node, const Placement& how,
                          bool whole) {
  std::vector<Room> rooms;
  for (const auto& [id, worker] : state.workers) {
    const bool in_service =
        worker.worker.state() == v1::WORKER_STATE_ATTACHED && !worker.worker.cordoned();
    if (worker.session == 0 || (!in_service && !how.out_of_service)) continue;
    if (how.avoided.contains(id)) continue;
    Room room{&worker, {}};
    for (const v1::Slot& slot : worker.worker.slots()) {
      if (slot.kind() != kind) continue;
      if (per_node > 0 && static_cast<int>(room.slots.size()) >= per_node) break;
      if (whole || slot.attempt_id() == 0 || how.leaving.contains(slot.attempt_id())) {
        room.slots.push_back(slot.index());
      }
    }
    if (!room.slots.empty()) rooms.push_back(std::move(room));
  }
  return rooms;
}

struct Total {
  size_t slots = 0;
  size_t largest = 0;  // Of one worker.
};

Total TotalOf(const std::vector<Room>& rooms) {
  Total total;
  for (const Room& room : rooms) {
    total.slots += room.slots.size();
    total.largest = std::max(total.largest, room.slots.size());
  }
  return total;
}

}  // namespace

// Empty: it does not fit.
std::vector<NodeRecord> Core::Place(const v1::TrainConfig& train, const Placement& how) const {
  const v1::ResourcesConfig& need = train.resources();
  for (int size : SizesOf(need)) {
    for (v1::SlotKind kind : KindsOf(train)) {
      auto nodes =
          Fit(RoomsOf(state_, kind, need.slots_per_node(), how, false), size, need.max_nodes());
      if (!nodes.empty()) return nodes;
    }
  }
  return {};
}

// One sentence for people: what is needed, what there is.
std::string Core::WhyNoRoom(const v1::TrainConfig& train, const Placement& how) const {
  const v1::ResourcesConfig& need = train.resources();
  int attached = 0;
  int cordoned = 0;
  for (const auto& [id, worker] : state_.workers) {
    if (worker.worker.state() != v1::WORKER_STATE_ATTACHED) continue;
    ++attached;
    cordoned += worker.worker.cordoned() ? 1 : 0;
  }
  if (attached == 0) return "no worker is attached";
  if (attached == cordoned) return "every attached worker is cordoned";
  std::string why;
  for (v1::SlotKind kind : KindsOf(train)) {
    const Total free = TotalOf(RoomsOf(state_, kind, need.slots_per_node(), how, false));
    const size_t existing = TotalOf(RoomsOf(state_, kind, 0, how, true)).slots;
    if (existing == 0 && !why.empty()) continue;
    const std::string name = KindName(kind);
    if (existing == 0) {
      why = absl::StrCat("waits for slots: no worker has a ", name, " slot");
    } else if (need.max_nodes() == 1) {
      why = absl::StrCat("waits for slots: needs ", Needs(need),
                         " of one worker, the most free are ", free.largest);
    } else {
      why = absl::StrCat("waits for slots: needs ", Needs(need), ", ", free.slots, " of ", existing,
                         " are free");
      if (need.max_nodes() > 0) absl::StrAppend(&why, " on at most ", need.max_nodes(), " workers");
    }
  }
  return why;
}

// Whether it could run if nothing else did.
bool Core::FitsAtAll(const v1::TrainConfig& train, const Placement& how) const {
  const v1::ResourcesConfig& need = train.resources();
  for (v1::SlotKind kind : KindsOf(train)) {
    auto rooms = RoomsOf(state_, kind, need.slots_per_node(), how, true);
    if (!Fit(std::move(rooms), SizesOf(need).back(), need.max_nodes()).empty()) return true;
  }
  return false;
}

// Workers on which the trial has failed for their faults too often, or a log policy says so; unless
// no other could take it.
Placement Core::PlacementOf(const StudyRecord& study, const TrialRecord& trial) const {
  Placement how;
  const v1::RetryConfig& retry = study.spec.retry();
  std::map<std::string, int> faults;
  for (int64_t attempt_id : trial.attempt_ids) {
    const v1::Attempt& attempt = state_.attempts.at(attempt_id)->attempt;
    const std::string& worker = attempt.failed_worker_id();
    if (worker.empty()) continue;
    const v1::LogPolicy* policy = PolicyOf(study, attempt);
    if (policy != nullptr && policy->action() == v1::LogPolicy::ACTION_EXCLUDE_WORKER) {
      how.avoided.insert(worker);
    }
    if (attempt.failure_class() != v1::FAILURE_CLASS_INFRA) continue;
    if (++faults[worker] >= retry.exclude_after() && retry.exclude_after() > 0) {
      how.avoided.insert(worker);
    }
  }
  if (!how.avoided.empty() && !FitsAtAll(study.spec.train(), how)) how.avoided.clear();
  return how;
}

// Refuses what the attached workers could never run, even with every slot free.
absl::Status Core::CheckPlaceable(const v1::StudySpec& spec) const {
  const v1::ResourcesConfig& need = spec.train().resources();
  bool attached = false;
  for (const auto& [id, worker] : state_.workers) attached = attached || worker.session != 0;
  Placement how;
  how.out_of_service = true;  // They may come back.
  if (!attached || FitsAtAll(spec.train(), how)) return absl::OkStatus();
  size_t slots = 0;
  size_t largest = 0;
  for (v1::SlotKind kind : KindsOf(spec.train())) {
    const Total here = TotalOf(RoomsOf(state_, kind, need.slots_per_node(), how, true));
    slots = std::max(slots, here.slots);
    largest = std::max(largest, here.largest);
  }
  if (need.device() == v1::DEVICE_KIND_CUDA && need.max_nodes() == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("resources.device is cuda with world_size ", Needs(need),
                     ", but the attached workers have ", slots,
                     " usable GPUs; add a GPU worker or set resources.device: cpu"));
  }
  if (need.max_nodes() > 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("resources needs ", Needs(need), " slots on at most ", need.max_nodes(),
                     " worker(s), the largest attached one has ", largest,
                     " usable; start larger workers, lower world_size or raise max_nodes"));
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "resources.world_size is ", Needs(need), ", but the attached workers have ", slots,
      " usable slots of one kind in all; start workers with more slots or lower world_size"));
}

}  // namespace vlm::core
