#include "app/data_owner.h"

#include <utility>

#include "core/log.h"

namespace quiver::app {
namespace {

constexpr std::chrono::seconds kWaitWarning{5};

}  // namespace

Result<std::unique_ptr<DataOwner>> DataOwner::start(
    DataLock lock, const std::filesystem::path& data_dir, const Environment& environment,
    ExecutorFactory factory, const OwnerServerOptions& options, service::ChangeListener on_change) {
  QV_TRY(OwnerSocket socket, OwnerSocket::listen(data_dir, environment));
  const std::string path = socket.path();
  std::unique_ptr<DataOwner> owner(new DataOwner(std::move(lock), std::move(factory)));
  owner->told_ = owner->executor_.subscribe(std::move(on_change));
  owner->server_ = std::make_unique<OwnerServer>(std::move(socket), owner->executor_, options);
  QV_CHECK(owner->lock_->publish(path));
  QV_LOG_INFO("data_owned dir=\"{}\" socket=\"{}\"", data_dir.string(), path);
  return owner;
}

DataOwner::~DataOwner() {
  close();
}

std::optional<Result<Json>> DataOwner::invoke(const CallContext& call, std::string_view operation,
                                              const Json& arguments) {
  if (!enter()) return std::nullopt;
  struct Leave {
    DataOwner& owner;
    ~Leave() { owner.leave(); }
  } const at_end{*this};
  return executor_.invoke(call, operation, arguments);
}

Status DataOwner::open() {
  if (!enter()) return Error{ErrorCode::Unavailable, "the server is stopping"};
  Status opened = executor_.open();
  leave();
  return opened;
}

bool DataOwner::enter() {
  const MutexLock lock(mutex_);
  if (is_closing_) return false;
  ++calls_;
  return true;
}

void DataOwner::leave() {
  const MutexLock lock(mutex_);
  if (--calls_ == 0) left_.notify_all();
}

void DataOwner::wait_for_calls() {
  auto warn_at = std::chrono::steady_clock::now() + kWaitWarning;
  const MutexLock lock(mutex_);
  is_closing_ = true;
  while (calls_ > 0) {
    if (left_.wait_until(mutex_, warn_at)) continue;
    QV_LOG_WARN("data_close_waits calls={}", calls_);
    warn_at += kWaitWarning;
  }
}

void DataOwner::close() {
  if (!lock_) return;
  if (server_) server_->stop();
  wait_for_calls();
  told_.reset();
  executor_.close();
  // Last: from here on another process may open the data.
  lock_.reset();
}

}  // namespace quiver::app
