#include "app/owner_server.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/socket.h>

#include "app/channel.h"
#include "app/lanes.h"
#include "app/wake.h"
#include "core/log.h"
#include "core/mutex.h"
#include "service/change_feed.h"

namespace quiver::app {
namespace {

using Clock = std::chrono::steady_clock;

/// How long stop() lets slow readers take their last replies.
constexpr std::chrono::milliseconds kFlushTime{1000};
/// Beyond this a deadline is as good as none.
constexpr std::int64_t kTimeoutMsMax = std::int64_t{1000} * 3600 * 24 * 365;

struct Connection {
  Connection(std::uint64_t number, Fd socket) : id(number), channel(std::move(socket)) {}

  const std::uint64_t id;
  Channel channel;
  // Polling thread only.
  bool is_greeted = false;
  /// Untold for as long as the other side does not read.
  service::PendingChanges changes;
};
using ConnectionPtr = std::shared_ptr<Connection>;

}  // namespace

class OwnerServer::State {
 public:
  State(OwnerSocket socket, service::Executor& executor, const OwnerServerOptions& options)
      : executor_(executor),
        options_(options),
        socket_(std::move(socket)),
        lane_({"owner", options.threads, options.queue}),
        told_(executor.subscribe([this](const service::Change& change) { note(change); })),
        thread_([this] { run(); }) {}

  ~State() { stop(); }

  void stop() {
    if (!thread_.joinable()) return;
    // Who loses the owner looks at everything again.
    told_.reset();
    is_stopping_ = true;
    wake_.signal();
    drain();
    lane_.stop();
    is_finished_ = true;
    wake_.signal();
    thread_.join();
  }

 private:
  /// Connection and call number.
  using CallKey = std::pair<std::uint64_t, std::uint64_t>;
  enum class Entry { Entered, Closed, Twice };

  void run();
  bool has_unsent() const;
  std::vector<pollfd> poll_set() const;
  void accept_all();
  /// False: the connection is to be closed.
  bool serve(const ConnectionPtr& connection);
  bool handle(const ConnectionPtr& connection, wire::Message message);
  bool greet(const ConnectionPtr& connection, const wire::Hello& hello);
  bool take_on(const ConnectionPtr& connection, wire::Invoke invoke);
  void perform(const ConnectionPtr& connection, const wire::Invoke& invoke,
               const CallContext& call);
  Result<Json> guarded_invoke(const wire::Invoke& invoke, const CallContext& call);
  bool send(const ConnectionPtr& connection, const wire::Message& message);
  Entry enter(const CallKey& key, const CancelToken& cancel);
  void leave(const CallKey& key);
  void cancel(const CallKey& key);
  void cancel_all_of(std::uint64_t connection_id);
  void drain();
  void note(const service::Change& change);
  void tell_changes();
  int poll_timeout_ms();

  service::Executor& executor_;
  const OwnerServerOptions options_;
  const Wake wake_;
  std::atomic<bool> is_stopping_ = false;
  std::atomic<bool> is_finished_ = false;

  // Polling thread only.
  std::optional<OwnerSocket> socket_;
  std::vector<ConnectionPtr> connections_;
  std::uint64_t next_connection_ = 1;
  Clock::time_point quiet_until_ = Clock::now();

  Mutex changes_mutex_;
  service::PendingChanges changes_ QV_GUARDED_BY(changes_mutex_);

  Mutex mutex_;
  CondVar call_ended_;
  bool is_closed_ QV_GUARDED_BY(mutex_) = false;
  std::map<CallKey, CancelToken> calls_ QV_GUARDED_BY(mutex_);

  Lane lane_;
  service::ChangeSubscription told_;
  std::thread thread_;
};

void OwnerServer::State::run() {
  std::optional<Clock::time_point> flush_until;
  while (true) {
    if (is_stopping_) socket_.reset();
    if (is_finished_) {
      if (!flush_until) flush_until = Clock::now() + kFlushTime;
      if (!has_unsent() || Clock::now() >= *flush_until) return;
    }
    std::vector<pollfd> set = poll_set();
    if (::poll(set.data(), set.size(), poll_timeout_ms()) < 0 && errno != EINTR) {
      QV_LOG_ERROR("owner_poll_failed problem=\"{}\"", std::strerror(errno));
      return;
    }
    if (set[0].revents != 0) wake_.clear();
    const std::size_t first = socket_ ? 2 : 1;
    // Connections that are accepted below come after those of `set`.
    const std::size_t polled = connections_.size();
    if (socket_ && set[1].revents != 0) accept_all();
    for (std::size_t i = 0; i < polled; ++i) {
      if (set[first + i].revents == 0) continue;
      if (serve(connections_[i])) continue;
      cancel_all_of(connections_[i]->id);
      connections_[i].reset();
    }
    std::erase(connections_, nullptr);
    tell_changes();
  }
}

int OwnerServer::State::poll_timeout_ms() {
  if (is_finished_) return 10;
  const MutexLock lock(changes_mutex_);
  if (changes_.empty()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(quiet_until_ - Clock::now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

void OwnerServer::State::note(const service::Change& change) {
  const MutexLock lock(changes_mutex_);
  const bool is_first = changes_.empty();
  changes_.add(change);
  if (is_first) wake_.signal();
}

void OwnerServer::State::tell_changes() {
  std::vector<service::Change> fresh;
  if (Clock::now() >= quiet_until_) {
    const MutexLock lock(changes_mutex_);
    fresh = changes_.take();
  }
  if (!fresh.empty()) quiet_until_ = Clock::now() + service::kChangeInterval;
  for (const auto& connection : connections_) {
    if (!connection->is_greeted) continue;
    for (const auto& change : fresh) connection->changes.add(change);
    if (connection->changes.empty() || connection->channel.has_unsent()) continue;
    send(connection, wire::Changed{connection->changes.take()});
  }
}

bool OwnerServer::State::has_unsent() const {
  return std::any_of(connections_.begin(), connections_.end(),
                     [](const ConnectionPtr& c) { return c->channel.has_unsent(); });
}

std::vector<pollfd> OwnerServer::State::poll_set() const {
  std::vector<pollfd> set{{wake_.fd(), POLLIN, 0}};
  if (socket_) set.push_back({socket_->fd(), POLLIN, 0});
  for (const auto& connection : connections_) {
    const bool must_write = connection->channel.has_unsent();
    set.push_back(
        {connection->channel.fd(), static_cast<short>(must_write ? POLLIN | POLLOUT : POLLIN), 0});
  }
  return set;
}

void OwnerServer::State::accept_all() {
  while (true) {
    Fd peer(::accept4(socket_->fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!peer.valid()) {
      // The connection stays in the queue and poll() reports it at once: do not spin.
      if (errno == EMFILE || errno == ENFILE) ::poll(nullptr, 0, 10);
      return;
    }
    if (!is_trusted_peer(peer.get())) {
      QV_LOG_WARN("owner_refused reason=other_user");
      continue;
    }
    auto connection = std::make_shared<Connection>(next_connection_++, std::move(peer));
    if (connections_.size() >= options_.connections) {
      send(connection, wire::Refused{"the owner of the data already serves " +
                                     std::to_string(options_.connections) + " processes"});
      continue;
    }
    connections_.push_back(std::move(connection));
  }
}

bool OwnerServer::State::serve(const ConnectionPtr& connection) {
  const auto received = connection->channel.receive();
  if (!received.ok()) return false;
  while (true) {
    auto message = connection->channel.next(connection->is_greeted ? wire::kFrameBytesMax
                                                                   : wire::kHelloBytesMax);
    if (!message.ok()) {
      QV_LOG_WARN("owner_connection_closed reason=\"{}\"", message.error().message);
      return false;
    }
    if (!*message) break;
    if (!handle(connection, std::move(**message))) return false;
  }
  return *received && connection->channel.flush().ok();
}

bool OwnerServer::State::handle(const ConnectionPtr& connection, wire::Message message) {
  if (!connection->is_greeted) {
    const auto* hello = std::get_if<wire::Hello>(&message);
    return hello != nullptr && greet(connection, *hello);
  }
  if (auto* invoke = std::get_if<wire::Invoke>(&message)) {
    return take_on(connection, std::move(*invoke));
  }
  if (const auto* wanted = std::get_if<wire::Cancel>(&message)) {
    cancel({connection->id, wanted->n});
    return true;
  }
  if (std::holds_alternative<wire::Ping>(message)) return send(connection, wire::Pong{});
  QV_LOG_WARN("owner_connection_closed reason=\"a message that only owners send\"");
  return false;
}

bool OwnerServer::State::greet(const ConnectionPtr& connection, const wire::Hello& hello) {
  if (hello.protocol != wire::kProtocol) {
    send(connection,
         wire::Refused{"the data is owned by process " + std::to_string(::getpid()) +
                       ", which runs Quiver " QV_VERSION " and speaks protocol " +
                       std::to_string(wire::kProtocol) + "; this is Quiver " + hello.version +
                       " with protocol " + std::to_string(hello.protocol) +
                       "; stop the other process or use the same version"});
    return false;
  }
  connection->is_greeted = true;
  return send(connection, wire::Hello{wire::kProtocol, QV_VERSION, ::getpid()});
}

bool OwnerServer::State::take_on(const ConnectionPtr& connection, wire::Invoke invoke) {
  const CallKey key{connection->id, invoke.n};
  auto shared = std::make_shared<const wire::Invoke>(std::move(invoke));
  CallContext call;
  call.cancel = CancelToken::make();
  call.request_id = shared->request_id;
  if (shared->timeout_ms) {
    const auto timeout = std::clamp<std::int64_t>(*shared->timeout_ms, 0, kTimeoutMsMax);
    call.deadline = Clock::now() + std::chrono::milliseconds(timeout);
  }
  if (shared->wants_progress) {
    call.progress = [this, connection, n = shared->n](std::uint64_t done, std::uint64_t total,
                                                      const std::string& message) {
      send(connection, wire::Progress{n, done, total, message});
    };
  }
  switch (enter(key, call.cancel)) {
    case Entry::Closed: return send(connection, wire::Reply{shared->n, true, Json()});
    case Entry::Twice:
      QV_LOG_WARN("owner_connection_closed reason=\"call number {} used twice\"", shared->n);
      return false;
    case Entry::Entered: break;
  }
  const Status taken =
      lane_.submit([this, connection, shared, call] { perform(connection, *shared, call); });
  if (taken.ok()) return true;
  leave(key);
  return send(connection, wire::Reply{shared->n, false, taken.error()});
}

Result<Json> OwnerServer::State::guarded_invoke(const wire::Invoke& invoke,
                                                const CallContext& call) {
  try {
    return executor_.invoke(call, invoke.operation, invoke.arguments);
  } catch (const std::exception& problem) {
    QV_LOG_ERROR("call_threw operation={} problem=\"{}\"", invoke.operation, problem.what());
    return Error{ErrorCode::Internal, std::string("the operation failed: ") + problem.what()};
  }
}

void OwnerServer::State::perform(const ConnectionPtr& connection, const wire::Invoke& invoke,
                                 const CallContext& call) {
  send(connection, wire::Reply{invoke.n, false, guarded_invoke(invoke, call)});
  leave({connection->id, invoke.n});
}

OwnerServer::State::Entry OwnerServer::State::enter(const CallKey& key, const CancelToken& cancel) {
  const MutexLock lock(mutex_);
  if (is_closed_) return Entry::Closed;
  return calls_.emplace(key, cancel).second ? Entry::Entered : Entry::Twice;
}

void OwnerServer::State::leave(const CallKey& key) {
  const MutexLock lock(mutex_);
  calls_.erase(key);
  call_ended_.notify_all();
}

bool OwnerServer::State::send(const ConnectionPtr& connection, const wire::Message& message) {
  auto frame = wire::encode(message);
  if (!frame.ok()) {
    const auto* reply = std::get_if<wire::Reply>(&message);
    if (reply == nullptr) return true;
    frame = wire::encode(wire::Reply{reply->n, false, frame.error()});
    if (!frame.ok()) return false;
  }
  const auto kept = connection->channel.send(std::move(*frame));
  if (!kept.ok()) return false;
  if (*kept) wake_.signal();
  return true;
}

void OwnerServer::State::cancel(const CallKey& key) {
  const MutexLock lock(mutex_);
  const auto found = calls_.find(key);
  if (found != calls_.end()) found->second.cancel();
}

void OwnerServer::State::cancel_all_of(std::uint64_t connection_id) {
  const MutexLock lock(mutex_);
  for (auto call = calls_.lower_bound({connection_id, 0});
       call != calls_.end() && call->first.first == connection_id; ++call) {
    call->second.cancel();
  }
}

void OwnerServer::State::drain() {
  const auto until = Clock::now() + options_.drain;
  const MutexLock lock(mutex_);
  is_closed_ = true;
  while (!calls_.empty() && call_ended_.wait_until(mutex_, until)) {
  }
  if (calls_.empty()) return;
  QV_LOG_WARN("owner_drain_cancels calls={}", calls_.size());
  for (const auto& [key, token] : calls_) token.cancel();
  while (!calls_.empty()) call_ended_.wait(mutex_);
}

OwnerServer::OwnerServer(OwnerSocket socket, service::Executor& executor,
                         const OwnerServerOptions& options)
    : state_(std::make_unique<State>(std::move(socket), executor, options)) {}

OwnerServer::~OwnerServer() = default;

void OwnerServer::stop() {
  state_->stop();
}

}  // namespace quiver::app
