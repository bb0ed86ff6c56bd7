// A store on a fresh file, and plain SQL beside it.
#pragma once

#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "SQLiteCpp/SQLiteCpp.h"
#include "gtest/gtest.h"
#include "server/storage/store.h"
#include "tests/storage/samples.h"
#include "tests/support/temp_dir.h"

namespace vlm::storage {

class StoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<Store> Open() {
    auto store = Store::Open(path_);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }
  // `packed`: finished trials as the heart takes them, not in snapshot.trials.
  core::Snapshot OpenAndLoad(bool packed = false) {
    auto snapshot = Open()->Load(!packed);
    EXPECT_TRUE(snapshot.ok()) << snapshot.status();
    return snapshot.ok() ? *std::move(snapshot) : core::Snapshot();
  }
  absl::Status Commit(Store& store, const core::Batch& batch) { return store.Commit({&batch}); }
  int64_t Count(const std::string& sql) {
    SQLite::Database db(path_);
    return db.execAndGet(sql).getInt64();
  }
  std::string Text(const std::string& sql) {
    SQLite::Database db(path_);
    return db.execAndGet(sql).getString();
  }
  void Execute(const std::string& sql) {
    SQLite::Database db(path_, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    db.exec(sql);
  }
  std::string Bytes() {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  const testing::TempDir folder_;
  const std::string path_ = folder_ / "study.db";
};

}  // namespace vlm::storage
