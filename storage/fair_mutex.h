#pragma once

#include <pthread.h>

#include "core/mutex.h"

namespace quiver::storage {

/// A shared lock whose writer gets its turn under a steady stream of readers.
///
/// SharedMutex lets readers overtake a waiting writer, so that two overlapping searches after one
/// another keep it out for ever. Here a waiting writer holds back readers that come after it.
/// Not recursive, neither way.
class QV_TSA(capability("mutex")) FairMutex {
 public:
  FairMutex() {
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&lock_, &attributes);
    pthread_rwlockattr_destroy(&attributes);
  }
  ~FairMutex() { pthread_rwlock_destroy(&lock_); }
  FairMutex(const FairMutex&) = delete;
  FairMutex& operator=(const FairMutex&) = delete;

  void lock() QV_TSA(acquire_capability()) { pthread_rwlock_wrlock(&lock_); }
  void unlock() QV_TSA(release_capability()) { pthread_rwlock_unlock(&lock_); }
  void lock_shared() QV_TSA(acquire_shared_capability()) { pthread_rwlock_rdlock(&lock_); }
  void unlock_shared() QV_TSA(release_shared_capability()) { pthread_rwlock_unlock(&lock_); }

 private:
  pthread_rwlock_t lock_;
};

class QV_TSA(scoped_lockable) FairWriteLock {
 public:
  explicit FairWriteLock(FairMutex& m) QV_TSA(acquire_capability(m)) : m_(m) { m_.lock(); }
  ~FairWriteLock() QV_TSA(release_capability()) { m_.unlock(); }
  FairWriteLock(const FairWriteLock&) = delete;
  FairWriteLock& operator=(const FairWriteLock&) = delete;

 private:
  FairMutex& m_;
};

class QV_TSA(scoped_lockable) FairReadLock {
 public:
  explicit FairReadLock(FairMutex& m) QV_TSA(acquire_shared_capability(m)) : m_(m) {
    m_.lock_shared();
  }
  ~FairReadLock() QV_TSA(release_capability()) { m_.unlock_shared(); }
  FairReadLock(const FairReadLock&) = delete;
  FairReadLock& operator=(const FairReadLock&) = delete;

 private:
  FairMutex& m_;
};

}  // namespace quiver::storage
