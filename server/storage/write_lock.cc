#include "server/storage/write_lock.h"

#include <fcntl.h>
#include <unistd.h>

namespace vlm::storage {
namespace {

constexpr int kWriteLock = 0;  // WAL_WRITE_LOCK
// Every process that has the shared memory open holds a shared lock on this byte (os_unix.c).
constexpr off_t kDeadManSwitch = 128;

}  // namespace

WriteLock::~WriteLock() {
  // Not before the connections are closed: this drops all locks of the process on the file.
  if (shm_fd_ >= 0) close(shm_fd_);
}

void WriteLock::Install(sqlite3* connection, const std::string& path) {
  sqlite3_file_control(connection, "main", SQLITE_FCNTL_FILE_POINTER, &file_);
  hook_.original = file_->pMethods;
  hook_.methods = *file_->pMethods;
  hook_.methods.xShmLock = &ShmLock;
  file_->pMethods = &hook_.methods;
  shm_fd_ = open((path + "-shm").c_str(), O_RDWR | O_CLOEXEC);
}

void WriteLock::LetGo() {
  hook_.keep = false;
  if (!hook_.kept) return;
  hook_.kept = false;
  hook_.original->xShmLock(file_, kWriteLock, 1, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
}

bool WriteLock::HasCompany() const {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = kDeadManSwitch;
  lock.l_len = 1;
  return shm_fd_ < 0 || fcntl(shm_fd_, F_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

int WriteLock::ShmLock(sqlite3_file* file, int offset, int n, int flags) {
  auto* hook = reinterpret_cast<Hook*>(const_cast<sqlite3_io_methods*>(file->pMethods));
  if (offset == kWriteLock && n == 1 && (flags & SQLITE_SHM_EXCLUSIVE) != 0) {
    if ((flags & SQLITE_SHM_LOCK) != 0 && hook->kept) return SQLITE_OK;
    if ((flags & SQLITE_SHM_UNLOCK) != 0 && hook->keep) {
      hook->kept = true;
      return SQLITE_OK;
    }
  }
  return hook->original->xShmLock(file, offset, n, flags);
}

}  // namespace vlm::storage
