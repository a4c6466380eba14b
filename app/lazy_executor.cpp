#include "app/lazy_executor.h"

#include <exception>
#include <string>
#include <utility>

namespace quiver::app {

Result<Json> LazyExecutor::invoke(const CallContext& call, std::string_view operation,
                                  const Json& arguments) {
  QV_TRY(service::Executor * executor, made());
  return executor->invoke(call, operation, arguments);
}

Status LazyExecutor::open() {
  QV_TRY(service::Executor * executor, made());
  static_cast<void>(executor);
  return Done{};
}

Result<service::Executor*> LazyExecutor::made() {
  {
    const MutexLock lock(mutex_);
    while (is_making_) settled_.wait(mutex_);
    if (executor_) return executor_.get();
    is_making_ = true;
  }
  auto fresh = make();
  const MutexLock lock(mutex_);
  is_making_ = false;
  settled_.notify_all();
  if (!fresh.ok()) return fresh.error();
  executor_ = std::move(*fresh);
  told_ = executor_->subscribe([this](const service::Change& change) { changes_.publish(change); });
  return executor_.get();
}

Result<std::unique_ptr<service::Executor>> LazyExecutor::make() const {
  try {
    return factory_();
  } catch (const std::exception& problem) {
    return Error{ErrorCode::Internal, std::string("the data cannot be opened: ") + problem.what()};
  }
}

void LazyExecutor::close() {
  std::unique_ptr<service::Executor> last;
  service::ChangeSubscription told;
  const MutexLock lock(mutex_);
  last.swap(executor_);
  told = std::move(told_);
}

}  // namespace quiver::app
