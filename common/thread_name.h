// Names in top -H, gdb and perf.
#pragma once

#include <pthread.h>

namespace vlm {

// Of the calling thread; Linux keeps 15 characters.
inline void NameThread(const char* name) { pthread_setname_np(pthread_self(), name); }

}  // namespace vlm
