#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "core/mutex.h"
#include "service/executor.h"

namespace quiver::app {

/// Makes what carries out operations here: opens the data, or says why it cannot.
using ExecutorFactory = std::function<Result<std::unique_ptr<service::Executor>>()>;

/// An executor that is made at its first call; if that fails, at the next one.
///
/// Threads: any.
class LazyExecutor final : public service::Executor {
 public:
  explicit LazyExecutor(ExecutorFactory factory) : factory_(std::move(factory)) {}

  Result<Json> invoke(const CallContext& call, std::string_view operation,
                      const Json& arguments) override;
  /// Of whatever is made, now or later.
  service::ChangeSubscription subscribe(service::ChangeListener listener) override {
    return changes_.subscribe(std::move(listener));
  }
  /// Makes it now instead of at the first call. Errors: the factory's.
  Status open();
  /// Ends what was made. No call may be running.
  void close();

 private:
  Result<service::Executor*> made();
  Result<std::unique_ptr<service::Executor>> make() const;

  const ExecutorFactory factory_;
  service::ChangeHub changes_;
  Mutex mutex_;
  CondVar settled_;
  bool is_making_ QV_GUARDED_BY(mutex_) = false;
  std::unique_ptr<service::Executor> executor_ QV_GUARDED_BY(mutex_);
  service::ChangeSubscription told_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::app
