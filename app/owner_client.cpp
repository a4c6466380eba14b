#include "app/owner_client.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <deque>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include <poll.h>

#include "app/channel.h"
#include "app/owner_socket.h"
#include "app/wake.h"
#include "core/log.h"
#include "core/mutex.h"

namespace quiver::app {
namespace {

using Clock = std::chrono::steady_clock;

/// How often a waiting call looks whether its caller has cancelled it.
constexpr std::chrono::milliseconds kCancelLook{20};
/// Progress that a slow listener has not taken; the oldest goes.
constexpr std::size_t kProgressKept = 64;

/// A call that waits for its reply.
struct Pending {
  CondVar news;
  std::optional<wire::Reply> reply;
  std::deque<wire::Progress> progress;
};

/// Waits until `fd` is readable. False: out of time.
bool wait_readable(int fd, Clock::time_point until) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0) return false;
    pollfd entry{fd, POLLIN, 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
    if (ready > 0) return true;
  }
}

Result<wire::Message> first_message(Channel& channel, Clock::time_point until) {
  while (true) {
    if (!wait_readable(channel.fd(), until)) {
      return Error{ErrorCode::DeadlineExceeded, "it does not answer; it may be stopped"};
    }
    QV_TRY(const bool is_open, channel.receive());
    auto message = channel.next(wire::kHelloBytesMax);
    if (!message.ok()) return Error{ErrorCode::FailedPrecondition, message.error().message};
    if (*message) return std::move(**message);
    if (!is_open) return Error{ErrorCode::Unavailable, "it is closing"};
  }
}

}  // namespace

class OwnerClient::State {
 public:
  State(std::unique_ptr<Channel> channel, pid_t pid, const OwnerClientOptions& options,
        OwnerClientEvents events)
      : options_(options),
        events_(std::move(events)),
        owner_pid_(pid),
        channel_(std::move(channel)),
        thread_([this] { run(); }) {}

  ~State() {
    is_stopping_ = true;
    wake_.signal();
    thread_.join();
  }

  std::optional<Result<Json>> invoke(const CallContext& call, std::string_view operation,
                                     const Json& arguments);
  bool is_lost() const {
    const MutexLock lock(mutex_);
    return is_lost_;
  }
  pid_t owner_pid() const { return owner_pid_; }

 private:
  enum class News { Reply, Lost, Progress, Nothing };

  void run();
  bool take_in();
  void deliver(wire::Message message);
  void tell(const wire::Changed& changed);
  void lose();
  void send(const wire::Message& message);
  void post(std::string frame);
  std::optional<Result<Json>> await(const CallContext& call, Pending& pending);
  News wait_for_news(Pending& pending, Clock::time_point until, wire::Progress& progress);
  /// True once the owner has been silent for too long, counted from `since` at the earliest.
  bool is_silent(Clock::time_point since);

  const OwnerClientOptions options_;
  const OwnerClientEvents events_;
  const pid_t owner_pid_;
  const Wake wake_;
  std::unique_ptr<Channel> channel_;
  std::atomic<bool> is_stopping_ = false;

  mutable Mutex mutex_;
  std::map<std::uint64_t, Pending*> calls_ QV_GUARDED_BY(mutex_);
  std::uint64_t next_call_ QV_GUARDED_BY(mutex_) = 1;
  bool is_lost_ QV_GUARDED_BY(mutex_) = false;
  Clock::time_point heard_ QV_GUARDED_BY(mutex_) = Clock::now();
  Clock::time_point pinged_ QV_GUARDED_BY(mutex_) = Clock::now();

  std::thread thread_;
};

void OwnerClient::State::run() {
  while (!is_stopping_) {
    const bool must_write = channel_->has_unsent();
    std::vector<pollfd> set{
        {wake_.fd(), POLLIN, 0},
        {channel_->fd(), static_cast<short>(must_write ? POLLIN | POLLOUT : POLLIN), 0}};
    if (::poll(set.data(), set.size(), -1) < 0) {
      if (errno == EINTR) continue;
      break;
    }
    if (set[0].revents != 0) wake_.clear();
    if (set[1].revents == 0) continue;
    if (!channel_->flush().ok() || !take_in()) break;
  }
  lose();
}

bool OwnerClient::State::take_in() {
  const auto received = channel_->receive();
  while (received.ok()) {
    auto message = channel_->next(wire::kFrameBytesMax);
    if (!message.ok()) {
      QV_LOG_WARN("owner_lost pid={} reason=\"{}\"", owner_pid_, message.error().message);
      return false;
    }
    if (!*message) break;
    deliver(std::move(**message));
  }
  return received.ok() && *received;
}

void OwnerClient::State::deliver(wire::Message message) {
  if (const auto* changed = std::get_if<wire::Changed>(&message)) return tell(*changed);
  const MutexLock lock(mutex_);
  heard_ = Clock::now();
  if (auto* reply = std::get_if<wire::Reply>(&message)) {
    // Absent: the call was given up.
    const auto call = calls_.find(reply->n);
    if (call == calls_.end() || call->second->reply) return;
    call->second->reply = std::move(*reply);
    call->second->news.notify_all();
  } else if (auto* progress = std::get_if<wire::Progress>(&message)) {
    const auto call = calls_.find(progress->n);
    if (call == calls_.end()) return;
    auto& kept = call->second->progress;
    if (kept.size() == kProgressKept) kept.pop_front();
    kept.push_back(std::move(*progress));
    call->second->news.notify_all();
  }
}

void OwnerClient::State::tell(const wire::Changed& changed) {
  {
    const MutexLock lock(mutex_);
    heard_ = Clock::now();
  }
  for (const auto& change : changed.changes) {
    if (events_.changed) events_.changed(change);
  }
}

void OwnerClient::State::lose() {
  {
    const MutexLock lock(mutex_);
    is_lost_ = true;
    for (const auto& [n, pending] : calls_) pending->news.notify_all();
  }
  if (events_.lost && !is_stopping_) events_.lost();
}

void OwnerClient::State::post(std::string frame) {
  const auto kept = channel_->send(std::move(frame));
  // A broken channel shows up as readable in run(), which then tells all calls.
  if (!kept.ok() || *kept) wake_.signal();
}

void OwnerClient::State::send(const wire::Message& message) {
  auto frame = wire::encode(message);
  if (frame.ok()) post(std::move(*frame));
}

std::optional<Result<Json>> OwnerClient::State::invoke(const CallContext& call,
                                                       std::string_view operation,
                                                       const Json& arguments) {
  wire::Invoke head;
  head.operation = operation;
  head.request_id = call.request_id;
  head.wants_progress = static_cast<bool>(call.progress);
  if (call.deadline) {
    head.timeout_ms =
        std::chrono::ceil<std::chrono::milliseconds>(*call.deadline - Clock::now()).count();
  }
  Pending pending;
  {
    const MutexLock lock(mutex_);
    if (is_lost_) return std::nullopt;
    head.n = next_call_++;
  }
  auto frame = wire::encode_invoke(head, arguments);
  if (!frame.ok()) return Result<Json>(frame.error());
  {
    const MutexLock lock(mutex_);
    if (is_lost_) return std::nullopt;
    calls_.emplace(head.n, &pending);
  }
  post(std::move(*frame));
  auto outcome = await(call, pending);
  bool is_answered = false;
  {
    const MutexLock lock(mutex_);
    calls_.erase(head.n);
    is_answered = pending.reply.has_value() || is_lost_;
  }
  if (!is_answered) send(wire::Cancel{head.n});
  return outcome;
}

std::optional<Result<Json>> OwnerClient::State::await(const CallContext& call, Pending& pending) {
  const auto start = Clock::now();
  while (true) {
    const auto look = Clock::now() + kCancelLook;
    const auto until = call.deadline ? std::min(*call.deadline, look) : look;
    wire::Progress progress;
    switch (wait_for_news(pending, until, progress)) {
      case News::Reply:
        if (pending.reply->is_closing) return std::nullopt;
        return std::move(pending.reply->outcome);
      case News::Lost: return std::nullopt;
      case News::Progress: call.progress(progress.done, progress.total, progress.message); break;
      case News::Nothing:
        if (const Status status = call.check(); !status.ok()) {
          return Result<Json>(Error{status.error().code, status.error().message + " (process " +
                                                             std::to_string(owner_pid_) +
                                                             " owns the data)"});
        }
        if (is_silent(start)) {
          return Result<Json>(
              Error{ErrorCode::DeadlineExceeded,
                    "process " + std::to_string(owner_pid_) +
                        ", which owns the data, has stopped answering; resume or end it"});
        }
        break;
    }
  }
}

OwnerClient::State::News OwnerClient::State::wait_for_news(Pending& pending,
                                                           Clock::time_point until,
                                                           wire::Progress& progress) {
  const MutexLock lock(mutex_);
  while (true) {
    if (!pending.progress.empty()) {
      progress = std::move(pending.progress.front());
      pending.progress.pop_front();
      return News::Progress;
    }
    if (pending.reply) return News::Reply;
    if (is_lost_) return News::Lost;
    if (!pending.news.wait_until(mutex_, until)) return News::Nothing;
  }
}

bool OwnerClient::State::is_silent(Clock::time_point since) {
  const auto now = Clock::now();
  bool must_ping = false;
  {
    const MutexLock lock(mutex_);
    const auto quiet_since = std::max(since, heard_);
    if (now - quiet_since >= options_.silence) return true;
    must_ping = now - std::max(quiet_since, pinged_) >= options_.ping_after;
    if (must_ping) pinged_ = now;
  }
  if (must_ping) send(wire::Ping{});
  return false;
}

Result<std::unique_ptr<OwnerClient>> OwnerClient::connect(const std::string& path,
                                                          Clock::time_point until,
                                                          const OwnerClientOptions& options,
                                                          OwnerClientEvents events) {
  QV_TRY(Fd socket, connect_to_owner(path));
  auto channel = std::make_unique<Channel>(std::move(socket));
  QV_TRY(std::string hello, wire::encode(wire::Hello{wire::kProtocol, QV_VERSION, ::getpid()}));
  QV_CHECK(channel->send(std::move(hello)));
  const auto greeted = std::min(until, Clock::now() + options.hello);
  QV_TRY(const wire::Message message, first_message(*channel, greeted));
  if (const auto* refused = std::get_if<wire::Refused>(&message)) {
    return Error{ErrorCode::FailedPrecondition, refused->message};
  }
  const auto* welcome = std::get_if<wire::Hello>(&message);
  if (welcome == nullptr || welcome->protocol != wire::kProtocol) {
    return Error{ErrorCode::FailedPrecondition,
                 "socket " + path + ": not an owner of this version"};
  }
  return std::unique_ptr<OwnerClient>(new OwnerClient(std::make_unique<State>(
      std::move(channel), static_cast<pid_t>(welcome->pid), options, std::move(events))));
}

OwnerClient::OwnerClient(std::unique_ptr<State> state) : state_(std::move(state)) {}

OwnerClient::~OwnerClient() = default;

std::optional<Result<Json>> OwnerClient::invoke(const CallContext& call, std::string_view operation,
                                                const Json& arguments) {
  return state_->invoke(call, operation, arguments);
}

bool OwnerClient::is_lost() const {
  return state_->is_lost();
}

pid_t OwnerClient::owner_pid() const {
  return state_->owner_pid();
}

}  // namespace quiver::app
