#pragma once

#include <atomic>
#include <chrono>
#include <thread>

#include "cluster/coordination/etcd_gateway.h"
#include "cluster/coordination/store.h"
#include "core/mutex.h"

namespace quiver::cluster {

/// A lease in etcd, kept alive by a thread of its own, three times in its time to live.
class EtcdLease final : public Lease {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// `gateway` must outlive it.
  EtcdLease(EtcdGateway& gateway, LeaseId id, std::chrono::seconds ttl, Time valid_until,
            LeaseLost on_lost);
  ~EtcdLease() override;

  LeaseId id() const override { return id_; }
  Time valid_until() const override;
  Status revoke(const CallContext& call) override;

 private:
  enum class Renewed : std::uint8_t { Yes, NotNow, Gone };

  void run();
  /// Waits until `when`; false if the lease is to be left alone. Sets the token of the next call.
  bool wait_until(Time when, CallContext& call);
  Renewed renew(const CallContext& call);
  void stop() QV_EXCLUDES(mutex_);

  EtcdGateway& gateway_;
  const LeaseId id_;
  const std::chrono::seconds ttl_;
  const LeaseLost on_lost_;
  mutable Mutex mutex_;
  CondVar stopping_;
  Time valid_until_ QV_GUARDED_BY(mutex_);
  bool stopped_ QV_GUARDED_BY(mutex_) = false;
  /// Of the keepalive under way.
  CancelToken under_way_ QV_GUARDED_BY(mutex_) = CancelToken::make();
  std::thread thread_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::cluster
