#include "cluster/coordination/etcd_lease.h"

#include <algorithm>
#include <utility>

#include "cluster/coordination/etcd_json.h"
#include "core/log.h"

namespace quiver::cluster {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPauseAfterFailure{200};

}  // namespace

EtcdLease::EtcdLease(EtcdGateway& gateway, LeaseId id, std::chrono::seconds ttl, Time valid_until,
                     LeaseLost on_lost)
    : gateway_(gateway),
      id_(id),
      ttl_(ttl),
      on_lost_(std::move(on_lost)),
      valid_until_(valid_until) {
  thread_ = std::thread([this] { run(); });
}

EtcdLease::~EtcdLease() {
  stop();
}

EtcdLease::Time EtcdLease::valid_until() const {
  const MutexLock lock(mutex_);
  return valid_until_;
}

bool EtcdLease::wait_until(Time when, CallContext& call) {
  const MutexLock lock(mutex_);
  while (!stopped_ && steady_clock::now() < when) stopping_.wait_until(mutex_, when);
  if (stopped_) return false;
  under_way_ = CancelToken::make();
  call.cancel = under_way_;
  // Not beyond the end of the lease, so that its loss is told when it happens.
  call.deadline = valid_until_;
  return true;
}

EtcdLease::Renewed EtcdLease::renew(const CallContext& call) {
  const Time sent = steady_clock::now();
  const auto reply = gateway_.call(call, "/v3/lease/keepalive", etcd::lease_request(id_),
                                   EtcdGateway::Repeat::Safe);
  if (reply.state == EtcdReply::State::Refused && reply.error.code == ErrorCode::NotFound) {
    return Renewed::Gone;
  }
  if (reply.state != EtcdReply::State::Done) return Renewed::NotNow;
  const auto kept = etcd::parse_keepalive(reply.body);
  if (!kept.ok()) return Renewed::NotNow;
  if (kept->ttl.count() == 0) return Renewed::Gone;
  const MutexLock lock(mutex_);
  // Counted from before it was sent: etcd may have counted from any time since.
  valid_until_ = sent + kept->ttl;
  return Renewed::Yes;
}

void EtcdLease::run() {
  CallContext call;
  Time next = steady_clock::now() + ttl_ / 3;
  while (wait_until(std::min(next, valid_until()), call)) {
    const Renewed renewed = steady_clock::now() < *call.deadline ? renew(call) : Renewed::NotNow;
    const Time now = steady_clock::now();
    next =
        now + (renewed == Renewed::Yes ? std::chrono::milliseconds(ttl_) / 3 : kPauseAfterFailure);
    if (renewed == Renewed::Yes || (renewed == Renewed::NotNow && now < valid_until())) continue;
    {
      const MutexLock lock(mutex_);
      if (stopped_) return;
      valid_until_ = std::min(valid_until_, now);
    }
    QV_LOG_WARN("lease_lost id={} gone={}", static_cast<std::uint64_t>(id_),
                renewed == Renewed::Gone);
    if (on_lost_) on_lost_();
    return;
  }
}

void EtcdLease::stop() {
  std::thread thread;
  CancelToken under_way;
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
    valid_until_ = std::min(valid_until_, steady_clock::now());
    stopping_.notify_all();
    under_way = under_way_;
    thread = std::move(thread_);
  }
  under_way.cancel();
  if (thread.joinable()) thread.join();
}

Status EtcdLease::revoke(const CallContext& call) {
  stop();
  const auto reply =
      gateway_.call(call, "/v3/lease/revoke", etcd::lease_request(id_), EtcdGateway::Repeat::Safe);
  if (reply.state == EtcdReply::State::Done || reply.error.code == ErrorCode::NotFound) {
    return Done{};
  }
  return reply.error;
}

}  // namespace quiver::cluster
