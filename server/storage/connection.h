// One SQLite connection with cached statements, and the mapping of its errors.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "SQLiteCpp/SQLiteCpp.h"
#include "absl/status/status.h"

namespace vlm::storage {

class Connection {
 public:
  // Throws SQLite::Exception; callers run inside Guard.
  Connection(const std::string& path, bool writable);
  // A cached statement, reset and with bindings cleared.
  SQLite::Statement& Prepare(const std::string& sql);
  void Execute(const std::string& sql) { database_.exec(sql); }
  SQLite::Database& database() { return database_; }

 private:
  SQLite::Database database_;
  std::map<std::string, std::unique_ptr<SQLite::Statement>> statements_;
};

// Runs `body` and turns what it throws into a status that names `what`.
absl::Status Guard(const std::string& what, const std::function<void()>& body);

}  // namespace vlm::storage
