#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>

#include "app/config.h"
#include "app/data_lock.h"
#include "app/lazy_executor.h"
#include "app/owner_server.h"
#include "core/mutex.h"

namespace quiver::app {

/// What the process that owns a data directory holds: the lock, the socket at which it serves the
/// others, and, from the first call on, the open data.
///
/// Threads: any.
class DataOwner {
 public:
  /// `on_change` is told on the threads of calls, of other processes too, and must not block.
  ///
  /// Errors: FailedPrecondition if there is no place to listen.
  static Result<std::unique_ptr<DataOwner>> start(DataLock lock,
                                                  const std::filesystem::path& data_dir,
                                                  const Environment& environment,
                                                  ExecutorFactory factory,
                                                  const OwnerServerOptions& options,
                                                  service::ChangeListener on_change);
  /// As close().
  ~DataOwner();
  DataOwner(const DataOwner&) = delete;
  DataOwner& operator=(const DataOwner&) = delete;

  /// nullopt: it is closing.
  std::optional<Result<Json>> invoke(const CallContext& call, std::string_view operation,
                                     const Json& arguments);

  /// Opens the data now instead of at the first call. Errors: those of the factory; Unavailable if
  /// it is closing.
  Status open();

  /// Finishes the calls of other processes and of this one, closes the data, and only then gives
  /// up the directory.
  void close();

 private:
  DataOwner(DataLock lock, ExecutorFactory factory)
      : lock_(std::move(lock)), executor_(std::move(factory)) {}

  bool enter();
  void leave();
  void wait_for_calls();

  std::optional<DataLock> lock_;
  LazyExecutor executor_;
  service::ChangeSubscription told_;
  std::unique_ptr<OwnerServer> server_;

  Mutex mutex_;
  CondVar left_;
  std::size_t calls_ QV_GUARDED_BY(mutex_) = 0;
  bool is_closing_ QV_GUARDED_BY(mutex_) = false;
};

}  // namespace quiver::app
