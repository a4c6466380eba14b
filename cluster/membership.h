#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "cluster/coordination/store.h"
#include "cluster/peers.h"
#include "cluster/roster.h"
#include "cluster/view/records.h"
#include "core/clock.h"
#include "core/mutex.h"
#include "thrift/calls.h"

namespace quiver::cluster {

/// A number that no earlier start of this server had, if its clock does not go back.
std::uint64_t draw_incarnation(std::int64_t wall_ms);
/// AliveRecord::incarnation of a process that greets with this number.
std::string incarnation_text(std::uint64_t incarnation);

/// This server's entry in the coordination store, and its sign of life there.
///
///   joining ──activate()──> active        (draining and removed are decided by people)
///
/// The sign of life is put again whenever its lease was lost. Losing the store ends nothing.
///
/// Threads: any. One of its own.
class Membership {
 public:
  struct Parts {
    CoordinationStore& store;
    Peers& peers;
    const Clock& clock;
  };
  /// What `parts` names must outlive it. `self` without its state and time of joining: those are
  /// the store's. Other servers must reach this one at self.rpc_address from here on.
  Membership(const Parts& parts, NodeRecord self, std::uint64_t incarnation,
             std::chrono::seconds lease);
  /// Ends the renewals.
  ~Membership();
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;

  /// Founds the cluster if nobody has; else `expected_id` must be its id, unless empty. Asks the
  /// servers there are, shows that this one lives, and registers it. May be called again after a
  /// failure.
  ///
  /// Errors: as may_enter(); FailedPrecondition also if the store is of another cluster, another
  /// living process has this server's id, or the versions do not go together; PermissionDenied if
  /// a server does not let this one in; Unavailable, DeadlineExceeded if the store does not answer,
  /// or a former process of this server may still live: try again.
  Result<ClusterRecord> enter(const CallContext& call, const std::string& cluster_name,
                              const std::string& expected_id);
  /// From joining to active. Errors: those of CoordinationStore.
  Status activate(const CallContext& call);
  /// Takes the sign of life back.
  void leave(const CallContext& call);

  const NodeRecord& self() const noexcept { return self_; }

 private:
  Status ask_peers(const CallContext& call, const Roster& roster);
  /// Whether a server reaches this one at its address. Errors: FailedPrecondition if it does not.
  Status ask_welcome(const CallContext& call, thrift::NodeClient& other) const;
  Status show_life(const CallContext& call);
  /// Errors: FailedPrecondition if another process lives; Unavailable if that is not known.
  Status check_former(const CallContext& call, const Entry& sign);
  Status enroll(const CallContext& call);
  void keep_alive();
  /// Ends the renewals; the last lease, if there is one.
  std::shared_ptr<Lease> stop();

  const Parts parts_;
  const NodeRecord self_;
  const std::uint64_t incarnation_;
  const std::chrono::seconds ttl_;
  const std::int64_t started_at_ms_;

  Mutex mutex_;
  CondVar changed_;
  /// Shared with the lease's callback, which may outlive a try.
  std::shared_ptr<Lease> lease_ QV_GUARDED_BY(mutex_);
  std::uint64_t lease_number_ QV_GUARDED_BY(mutex_) = 0;
  bool lost_ QV_GUARDED_BY(mutex_) = false;
  bool stopping_ QV_GUARDED_BY(mutex_) = false;
  CancelToken under_way_ QV_GUARDED_BY(mutex_) = CancelToken::make();
  std::thread keeper_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::cluster
