#include "app/shared_executor.h"

#include <algorithm>
#include <string>
#include <system_error>
#include <utility>

#include "core/log.h"

namespace quiver::app {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPauseFirst{2};
constexpr std::chrono::milliseconds kPauseMax{50};
constexpr std::chrono::milliseconds kCancelLook{20};
/// Between two attempts to find an owner that nobody waits for.
constexpr std::chrono::milliseconds kKeeperPause{5000};

Error closed() {
  return {ErrorCode::Unavailable, "this process is shutting down"};
}

}  // namespace

SharedExecutor::SharedExecutor(std::filesystem::path data_dir, Environment environment,
                               ExecutorFactory factory, const SharingOptions& options)
    : data_dir_(std::move(data_dir)),
      environment_(std::move(environment)),
      factory_(std::move(factory)),
      options_(options) {}

SharedExecutor::~SharedExecutor() {
  close();
}

Result<Json> SharedExecutor::invoke(const CallContext& call, std::string_view operation,
                                    const Json& arguments) {
  CallContext named = call;
  if (named.request_id.empty()) named.request_id = RequestId::random();
  for (std::uint32_t lost = 0; lost <= options_.repeats; ++lost) {
    QV_TRY(const Attached place, attached(named));
    auto outcome = std::holds_alternative<Owner>(place)
                       ? std::get<Owner>(place)->invoke(named, operation, arguments)
                       : std::get<Client>(place)->invoke(named, operation, arguments);
    if (outcome) return std::move(*outcome);
    forget(place);
    QV_CHECK(named.check());
    QV_LOG_INFO("call_repeated operation={} request={}", operation, named.request_id.hex());
  }
  return Error{ErrorCode::Unavailable,
               "the process that owns the data went away " + std::to_string(options_.repeats + 1) +
                   " times during this call; it may be what brings it down"};
}

Result<SharedExecutor::Role> SharedExecutor::attach(const CallContext& call) {
  QV_TRY(const Attached place, attached(call));
  return std::holds_alternative<Owner>(place) ? Role::Owner : Role::Client;
}

Result<SharedExecutor::Role> SharedExecutor::open(const CallContext& call) {
  QV_TRY(const auto place, attached(call));
  const auto* const owner = std::get_if<Owner>(&place);
  if (owner == nullptr) return Role::Client;
  QV_CHECK((*owner)->open());
  return Role::Owner;
}

void SharedExecutor::forget(const Attached& place) {
  Attached lost;
  const MutexLock lock(mutex_);
  if (std::holds_alternative<Client>(place) && attached_ == place) std::swap(lost, attached_);
}

bool SharedExecutor::is_usable() const {
  if (std::holds_alternative<Owner>(attached_)) return true;
  const auto* client = std::get_if<Client>(&attached_);
  return client != nullptr && !(*client)->is_lost();
}

Result<SharedExecutor::Attached> SharedExecutor::attached(const CallContext& call) {
  Attached lost;
  {
    const MutexLock lock(mutex_);
    while (!is_closed_ && !is_usable() && is_attaching_) {
      QV_CHECK(call.check());
      changed_.wait_until(mutex_, Clock::now() + kCancelLook);
    }
    if (is_closed_) return closed();
    if (is_usable()) return attached_;
    is_attaching_ = true;
    // Ended outside of the lock: its thread has to be joined.
    std::swap(lost, attached_);
  }
  lost = {};
  auto place = find_place(call);
  Attached unwanted;
  const MutexLock lock(mutex_);
  is_attaching_ = false;
  changed_.notify_all();
  if (is_closed_) {
    if (place.ok()) unwanted = std::move(*place);
    return closed();
  }
  if (!place.ok()) return place;
  attached_ = *place;
  if (std::exchange(has_data_, true)) {
    feed_.publish({service::Change::Kind::CollectionsChanged, ""});
    feed_.publish({service::Change::Kind::PointsChanged, ""});
  }
  return place;
}

Result<SharedExecutor::Attached> SharedExecutor::find_place(const CallContext& call) {
  auto until = Clock::now() + options_.attach;
  if (call.deadline) until = std::min(until, *call.deadline);
  auto wait = kPauseFirst;
  while (true) {
    QV_CHECK(call.check());
    auto place = try_once(until);
    const bool is_final = place.ok() || place.error().code != ErrorCode::Unavailable;
    if (is_final || Clock::now() >= until) return place;
    QV_CHECK(pause(std::min(until, Clock::now() + wait)));
    wait = std::min(2 * wait, kPauseMax);
  }
}

Result<SharedExecutor::Attached> SharedExecutor::try_once(Clock::time_point until) {
  QV_TRY(auto lock, DataLock::try_acquire(data_dir_));
  if (lock) {
    QV_TRY(auto owner,
           DataOwner::start(std::move(*lock), data_dir_, environment_, factory_, options_.server,
                            [this](const service::Change& change) { feed_.publish(change); }));
    return Attached(Owner(std::move(owner)));
  }
  const auto holder = DataLock::read_holder(data_dir_);
  const std::string who = "data directory " + data_dir_.string() + " is owned by process " +
                          (holder && holder->pid > 0 ? std::to_string(holder->pid) : "(starting)");
  if (!holder || holder->socket.empty()) {
    return Error{ErrorCode::Unavailable, who + ", which does not listen yet"};
  }
  auto client =
      OwnerClient::connect(holder->socket, until, options_.client,
                           {[this](const service::Change& change) { feed_.publish(change); },
                            [this] {
                              const MutexLock waking(mutex_);
                              changed_.notify_all();
                            }});
  if (!client.ok()) return Error{client.error().code, who + ": " + client.error().message};
  QV_LOG_INFO("data_shared dir=\"{}\" owner={}", data_dir_.string(), (*client)->owner_pid());
  return Attached(Client(std::move(*client)));
}

service::ChangeSubscription SharedExecutor::subscribe(service::ChangeListener listener) {
  auto subscription = feed_.subscribe(std::move(listener));
  const MutexLock lock(mutex_);
  if (!keeper_.joinable() && !is_closed_) keeper_ = std::thread([this] { stay_attached(); });
  changed_.notify_all();
  return subscription;
}

void SharedExecutor::follow() {
  const MutexLock lock(mutex_);
  has_data_ = true;
  changed_.notify_all();
}

bool SharedExecutor::wait_until_lost() {
  const MutexLock lock(mutex_);
  while (!is_closed_ && (!has_data_ || is_usable() || !feed_.has_listeners())) {
    changed_.wait(mutex_);
  }
  return !is_closed_;
}

void SharedExecutor::stay_attached() {
  while (wait_until_lost()) {
    const auto place = attached({});
    if (place.ok()) continue;
    QV_LOG_WARN("data_unattached dir=\"{}\" problem=\"{}\"", data_dir_.string(),
                place.error().message);
    if (!pause(Clock::now() + kKeeperPause).ok()) return;
  }
}

Status SharedExecutor::pause(Clock::time_point until) {
  const MutexLock lock(mutex_);
  while (!is_closed_ && changed_.wait_until(mutex_, until)) {
  }
  if (is_closed_) return closed();
  return Done{};
}

void SharedExecutor::close() {
  Attached last;
  std::thread keeper;
  {
    const MutexLock lock(mutex_);
    is_closed_ = true;
    changed_.notify_all();
    while (is_attaching_) changed_.wait(mutex_);
    std::swap(last, attached_);
    keeper.swap(keeper_);
  }
  if (keeper.joinable()) keeper.join();
  if (auto* owner = std::get_if<Owner>(&last)) (*owner)->close();
  feed_.stop();
}

}  // namespace quiver::app
