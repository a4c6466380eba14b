#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>
#include <thread>
#include <variant>

#include "app/config.h"
#include "app/data_owner.h"
#include "app/owner_client.h"
#include "core/mutex.h"
#include "service/change_feed.h"
#include "service/executor.h"

namespace quiver::app {

struct SharingOptions {
  /// How long a call looks for an owner, or for the chance to become it.
  std::chrono::milliseconds attach{15'000};
  /// Owners that one call may outlive: a call that brings down one after the other must end.
  std::uint32_t repeats = 3;
  OwnerServerOptions server;
  OwnerClientOptions client;
};

/// Carries out operations on a data directory that several processes use at the same time.
///
/// The first process that comes owns the directory and opens the data; the others send it their
/// calls. When it goes, however it goes, the next call of a survivor makes that one the owner. A
/// call that was under way is repeated with the same request id, so a write takes effect once.
///
///   unattached --lock free--> owner          (closed by close() only)
///       ^  \------lock held--> client --connection lost--> unattached
///
/// Touches no file before the first call, attach() or follow().
///
/// Subscribers are told what calls of any process have changed, on a thread of its own. That begins
/// with the first call, attach() or follow(), for before it nobody wants to know. From then on, as
/// long as there are subscribers, the next owner is looked for as soon as one goes, and then
/// anything counts as changed.
///
/// Threads: any.
class SharedExecutor final : public service::Executor {
 public:
  SharedExecutor(std::filesystem::path data_dir, Environment environment, ExecutorFactory factory,
                 const SharingOptions& options);
  /// As close().
  ~SharedExecutor() override;

  /// Errors: beside those of the operation, FailedPrecondition if the directory cannot be used,
  /// Unavailable if another process owns it and cannot be reached, DeadlineExceeded.
  Result<Json> invoke(const CallContext& call, std::string_view operation,
                      const Json& arguments) override;

  service::ChangeSubscription subscribe(service::ChangeListener listener) override;
  void follow() override;

  enum class Role { Owner, Client };
  /// Becomes one or the other now instead of at the first call. Errors: as invoke().
  Result<Role> attach(const CallContext& call);

  /// attach(), and an owner opens the data now. Errors: as attach(), and those of the factory.
  Result<Role> open(const CallContext& call);

  /// Refuses further calls; an owner finishes those under way and gives up the directory.
  void close();

 private:
  using Owner = std::shared_ptr<DataOwner>;
  using Client = std::shared_ptr<OwnerClient>;
  using Attached = std::variant<std::monostate, Owner, Client>;

  Result<Attached> attached(const CallContext& call);
  Result<Attached> find_place(const CallContext& call);
  Result<Attached> try_once(std::chrono::steady_clock::time_point until);
  Result<Attached> join_owner(std::chrono::steady_clock::time_point until) const;
  void forget(const Attached& place);
  bool wait_until_lost();
  void stay_attached();
  Status pause(std::chrono::steady_clock::time_point until);
  bool is_usable() const QV_REQUIRES(mutex_);

  const std::filesystem::path data_dir_;
  const Environment environment_;
  const ExecutorFactory factory_;
  const SharingOptions options_;

  mutable Mutex mutex_;
  CondVar changed_;
  Attached attached_ QV_GUARDED_BY(mutex_);
  bool is_attaching_ QV_GUARDED_BY(mutex_) = false;
  bool is_closed_ QV_GUARDED_BY(mutex_) = false;
  /// Was attached once, or should be for those who follow().
  bool has_data_ QV_GUARDED_BY(mutex_) = false;
  service::ChangeFeed feed_;
  /// Runs stay_attached(); started by the first subscriber.
  std::thread keeper_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::app
