#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

#include "core/call_context.h"
#include "core/mutex.h"
#include "core/result.h"
#include "thrift/connection.h"

namespace quiver::thrift {

/// The connections to one peer for one purpose: a bounded number, kept between calls.
///
/// Threads: any.
class ConnectionPool {
 public:
  using TimePoint = Connection::TimePoint;

  ConnectionPool(std::shared_ptr<const Dialer> dialer, Purpose purpose, std::size_t connections_max,
                 std::chrono::milliseconds idle_time);

  /// One call's hold on a connection. Gives it back if keep() was called, else closes it.
  class Lease {
   public:
    Lease(ConnectionPool& pool, std::unique_ptr<Connection> connection)
        : pool_(&pool), connection_(std::move(connection)) {}
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();

    Connection* operator->() const noexcept { return connection_.get(); }
    void keep() noexcept { keep_ = true; }

   private:
    ConnectionPool* pool_;
    std::unique_ptr<Connection> connection_;
    bool keep_ = false;
  };

  /// The connection that was used last and is still good, else a new one, else the first that is
  /// given back.
  ///
  /// Errors: those of Dialer::dial(); DeadlineExceeded if none was free until `until`.
  Result<Lease> acquire(TimePoint until, const CancelToken& cancel);
  /// Closes those that were idle for the idle time; how many remain, idle or not.
  std::size_t close_idle(TimePoint now);

 private:
  bool is_good(const Connection& connection, TimePoint now) const;
  void give_back(std::unique_ptr<Connection> connection, bool keep);
  std::unique_ptr<Connection> take_idle() QV_EXCLUDES(mutex_);

  const std::shared_ptr<const Dialer> dialer_;
  const Purpose purpose_;
  const std::size_t connections_max_;
  const std::chrono::milliseconds idle_time_;
  mutable Mutex mutex_;
  CondVar freed_;
  /// Used last at the back.
  std::vector<std::unique_ptr<Connection>> idle_ QV_GUARDED_BY(mutex_);
  std::size_t open_ QV_GUARDED_BY(mutex_) = 0;
};

}  // namespace quiver::thrift
