#include "server/core/packed_trial.h"

#include <cstring>
#include <utility>

namespace vlm::core {
namespace {

constexpr size_t kPieceBytes = size_t{1} << 20;

template <typename T>
void Put(std::string* out, T value) {  // All machines that we know are little-endian.
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

template <typename T>
void PutAll(std::string* out, absl::Span<const T> values) {
  out->append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

template <typename T>
bool Take(absl::string_view* in, T* value) {
  if (in->size() < sizeof(T)) return false;
  std::memcpy(value, in->data(), sizeof(T));
  in->remove_prefix(sizeof(T));
  return true;
}

template <typename T>
bool TakeAll(absl::string_view* in, size_t count, std::vector<T>* values) {
  if (in->size() < count * sizeof(T)) return false;
  values->resize(count);
  if (count > 0) std::memcpy(values->data(), in->data(), count * sizeof(T));
  in->remove_prefix(count * sizeof(T));
  return true;
}

struct Header {
  int64_t trial_id;
  int64_t study_id;
  int64_t number;
  uint32_t numbers_size;
  uint32_t rest_size;
  uint8_t state;
  uint8_t has_extras;
};

}  // namespace

std::string PackNumbers(absl::Span<const double> values, absl::Span<const uint32_t> slots,
                        absl::Span<const double> params) {
  std::string out;
  Put(&out, static_cast<uint16_t>(values.size()));
  Put(&out, static_cast<uint16_t>(params.size()));
  PutAll(&out, slots);
  PutAll(&out, params);
  PutAll(&out, values);
  return out;
}

bool UnpackNumbers(absl::string_view bytes, UnpackedNumbers* out) {
  uint16_t values = 0;
  uint16_t params = 0;
  return Take(&bytes, &values) && Take(&bytes, &params) && TakeAll(&bytes, params, &out->slots) &&
         TakeAll(&bytes, params, &out->params) && TakeAll(&bytes, values, &out->values) &&
         bytes.empty();
}

std::string PackRest(const v1::Trial& trial) {
  v1::Trial rest = trial;
  rest.clear_trial_id();
  rest.clear_study_id();
  rest.clear_number();
  rest.clear_state();
  rest.clear_values();
  rest.clear_params();
  rest.set_last_step(trial.last_step() + 1);
  return rest.SerializeAsString();
}

bool UnpackRest(absl::string_view bytes, v1::Trial* trial) {
  if (!trial->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return false;
  trial->set_last_step(trial->last_step() - 1);
  return true;
}

bool HasExtras(const v1::Trial& trial) {
  return !trial.intermediate_values().empty() || !trial.system_attributes().empty();
}

void PackedTrials::Add(const PackedTrial& trial) {
  if (pieces_.empty() || pieces_.back().size() > kPieceBytes - 1024) {
    pieces_.emplace_back().reserve(kPieceBytes);
  }
  std::string* piece = &pieces_.back();
  Put(piece,
      Header{trial.trial_id, trial.study_id, trial.number,
             static_cast<uint32_t>(trial.numbers.size()), static_cast<uint32_t>(trial.rest.size()),
             static_cast<uint8_t>(trial.state), static_cast<uint8_t>(trial.has_extras)});
  piece->append(trial.numbers.data(), trial.numbers.size());
  piece->append(trial.rest.data(), trial.rest.size());
  ++size_;
}

void PackedTrials::Drain(const std::function<void(const PackedTrial&)>& take) {
  for (std::string& kept : std::exchange(pieces_, {})) {
    const std::string piece = std::move(kept);  // Its memory goes at the end of the round.
    absl::string_view in = piece;
    Header header;
    while (Take(&in, &header)) {
      take({header.trial_id, header.study_id, header.number,
            static_cast<v1::TrialState>(header.state), header.has_extras != 0,
            in.substr(0, header.numbers_size), in.substr(header.numbers_size, header.rest_size)});
      in.remove_prefix(size_t{header.numbers_size} + header.rest_size);
    }
  }
  size_ = 0;
}

}  // namespace vlm::core
