#include "server/search/param_kind.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "common/mutex.h"

namespace vlm::search {
namespace {

struct Pool {
  Mutex mutex;
  absl::flat_hash_map<std::string, std::unique_ptr<ParamKind>> kinds ABSL_GUARDED_BY(mutex);
};

Pool& ThePool() {
  static Pool& pool = *new Pool;  // Never destroyed: views may outlive static objects.
  return pool;
}

}  // namespace

const ParamKind* InternKind(const std::string& name, const v1::Distribution& distribution) {
  const std::string key =
      absl::StrCat(name, absl::string_view("\0", 1), distribution.SerializeAsString());
  Pool& pool = ThePool();
  MutexLock lock(pool.mutex);
  std::unique_ptr<ParamKind>& kind = pool.kinds[key];
  if (kind == nullptr) kind = std::make_unique<ParamKind>(ParamKind{name, distribution});
  return kind.get();
}

const KindList* KindList::Empty() {
  static const KindList& empty = *new KindList;
  return &empty;
}

const KindList* KindList::With(const ParamKind* kind) const {
  Pool& pool = ThePool();
  MutexLock lock(pool.mutex);
  const KindList*& longer = longer_[kind];
  if (longer == nullptr) {
    auto* list = new KindList;  // Interned: kept for ever.
    list->kinds_ = kinds_;
    list->kinds_.push_back(kind);
    longer = list;
  }
  return longer;
}

}  // namespace vlm::search
