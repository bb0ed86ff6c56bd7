// Keeps SQLite's write lock between transactions. SQLite gives it back with each commit; then
// another program could take ids and numbers that we have given out in memory but not stored yet.
// While the lock is kept, what is in memory is the whole truth about the file, however many commits
// it takes.
//
// How: the write lock of a WAL file is byte 0 of the locks of its shared memory (SQLite's "WAL-mode
// file format", section 2.3). The hook on xShmLock does not pass an unlock of it on while it is to
// be kept, nor the lock that follows. Readers are not concerned; a process that dies loses the
// lock.
#pragma once

#include <sqlite3.h>

#include <string>

namespace vlm::storage {

// Of one connection; use from one thread at a time. Must outlive the connection.
class WriteLock {
 public:
  WriteLock() = default;
  ~WriteLock();
  WriteLock(const WriteLock&) = delete;
  WriteLock& operator=(const WriteLock&) = delete;

  // The connection's main file is open, in WAL mode, and has been read.
  void Install(sqlite3* connection, const std::string& path);
  // From the end of the transaction that is open, or of the next one.
  void Keep() { hook_.keep = true; }
  // Outside a transaction.
  void LetGo();
  // Whether another process has the file open. True when that cannot be known.
  bool HasCompany() const;

 private:
  struct Hook {
    sqlite3_io_methods methods;  // First: SQLite's pointer to it is a pointer to the hook.
    const sqlite3_io_methods* original;
    bool keep;
    bool kept;
  };
  static int ShmLock(sqlite3_file* file, int offset, int n, int flags);

  Hook hook_{};
  sqlite3_file* file_ = nullptr;
  int shm_fd_ = -1;
};

}  // namespace vlm::storage
