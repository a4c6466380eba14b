#include "thrift/connection_pool.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

namespace quiver::thrift {
namespace {

/// How often one who waits looks whether the caller has gone away.
constexpr std::chrono::milliseconds kCancelPoll{20};

}  // namespace

ConnectionPool::ConnectionPool(std::shared_ptr<const Dialer> dialer, Purpose purpose,
                               std::size_t connections_max, std::chrono::milliseconds idle_time)
    : dialer_(std::move(dialer)),
      purpose_(purpose),
      connections_max_(connections_max),
      idle_time_(idle_time) {
  // Giving back must not fail.
  idle_.reserve(connections_max);
}

ConnectionPool::Lease::~Lease() {
  if (connection_) pool_->give_back(std::move(connection_), keep_);
}

bool ConnectionPool::is_good(const Connection& connection, TimePoint now) const {
  return now - connection.used_at() < idle_time_;
}

std::unique_ptr<Connection> ConnectionPool::take_idle() {
  while (true) {
    std::unique_ptr<Connection> connection;
    {
      const MutexLock lock(mutex_);
      if (idle_.empty()) return nullptr;
      connection = std::move(idle_.back());
      idle_.pop_back();
    }
    if (is_good(*connection, std::chrono::steady_clock::now()) && connection->stream().is_quiet()) {
      return connection;
    }
    give_back(std::move(connection), false);
  }
}

Result<ConnectionPool::Lease> ConnectionPool::acquire(TimePoint until, const CancelToken& cancel) {
  while (true) {
    if (auto connection = take_idle()) return Lease(*this, std::move(connection));
    const MutexLock lock(mutex_);
    if (!idle_.empty()) continue;
    if (open_ < connections_max_) {
      ++open_;
      break;
    }
    const auto now = std::chrono::steady_clock::now();
    if (now >= until || cancel.cancelled()) {
      return Error{ErrorCode::DeadlineExceeded, "all " + std::to_string(connections_max_) +
                                                    " connections to " + dialer_->peer().host +
                                                    ":" + std::to_string(dialer_->peer().port) +
                                                    " were busy until the call was out of time"};
    }
    freed_.wait_until(mutex_, std::min(until, now + kCancelPoll));
  }
  auto connection = dialer_->dial(purpose_, until, cancel);
  if (connection.ok()) return Lease(*this, std::move(connection).value());
  give_back(nullptr, false);
  return std::move(connection).error();
}

void ConnectionPool::give_back(std::unique_ptr<Connection> connection, bool keep) {
  if (keep) connection->set_used_at(std::chrono::steady_clock::now());
  // Closed without the lock.
  if (!keep) connection.reset();
  const MutexLock lock(mutex_);
  if (keep) {
    idle_.push_back(std::move(connection));
  } else {
    --open_;
  }
  freed_.notify_one();
}

std::size_t ConnectionPool::close_idle(TimePoint now) {
  std::vector<std::unique_ptr<Connection>> old;
  const MutexLock lock(mutex_);
  // Those used longest ago are in front.
  const auto fresh =
      std::find_if(idle_.begin(), idle_.end(), [&](const auto& one) { return is_good(*one, now); });
  std::move(idle_.begin(), fresh, std::back_inserter(old));
  idle_.erase(idle_.begin(), fresh);
  open_ -= old.size();
  return open_;
}

}  // namespace quiver::thrift
