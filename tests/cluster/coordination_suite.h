#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cluster/coordination/store.h"
#include "core/mutex.h"

namespace quiver::cluster {

/// What every CoordinationStore promises, in sections of the test case that calls it. `other` is a
/// second client of the same store, or the same one.
void keys_suite(CoordinationStore& store, CoordinationStore& other);
void bounds_suite(CoordinationStore& store);
void lease_suite(CoordinationStore& store, CoordinationStore& other);
void watch_suite(CoordinationStore& store, CoordinationStore& other);

/// Fails the test, with its reason, if it is an error.
TxnOutcome outcome(const Result<TxnResult>& result);

/// A prefix that no section has used.
std::string fresh_prefix();

/// A watch, and what a node would know by it.
class Observer {
 public:
  /// Knows nothing, and hears of what comes after `after`.
  Observer(CoordinationStore& store, const std::string& prefix, Revision after);
  ~Observer();

  /// Waits until what is known equals `expected`, or too long.
  bool knows(const std::map<std::string, std::string>& expected);
  std::vector<WatchBatch> batches();
  std::map<std::string, std::string> known();
  std::size_t relists();
  void stop() { watch_.reset(); }

 private:
  void take(const WatchBatch& batch);

  Mutex mutex_;
  CondVar changed_;
  std::map<std::string, std::string> known_ QV_GUARDED_BY(mutex_);
  std::vector<WatchBatch> batches_ QV_GUARDED_BY(mutex_);
  std::unique_ptr<Watch> watch_;
};

}  // namespace quiver::cluster
