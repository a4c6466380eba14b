#include "cluster/membership.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "cluster/fan_out.h"
#include "cluster/founding.h"
#include "cluster/version_gate.h"
#include "cluster/view/keys.h"
#include "core/log.h"

namespace quiver::cluster {
namespace {

using std::chrono::steady_clock;

// Attempts at a change that others were quicker with each time.
constexpr int kAttempts = 20;
// For a server to say who it is: it does no work for that.
constexpr std::chrono::milliseconds kGreetTime{2'000};
// It greets this server in turn.
constexpr std::chrono::milliseconds kWelcomeTime{5'000};
constexpr std::size_t kGreetThreads = 8;
constexpr std::chrono::milliseconds kPauseAfterFailure{500};
constexpr std::chrono::seconds kRenewTime{10};

Error refused(std::string why) {
  return {ErrorCode::FailedPrecondition, std::move(why)};
}

Error disagreement() {
  return {ErrorCode::Unavailable, "the coordination store keeps changing; try again"};
}

CallContext within(const CallContext& call, std::chrono::milliseconds time) {
  CallContext out = call;
  const auto until = steady_clock::now() + time;
  out.deadline = call.deadline ? std::min(*call.deadline, until) : until;
  return out;
}

bool is_refusal(const Error& error) {
  return error.code == ErrorCode::PermissionDenied || error.code == ErrorCode::FailedPrecondition ||
         error.code == ErrorCode::InvalidArgument;
}

/// An Unavailable where the store says that a lease has gone: nobody is to blame for that.
Result<TxnResult> retryable(Result<TxnResult> result) {
  auto out = decided(std::move(result));
  if (!out.ok() && out.error().code == ErrorCode::FailedPrecondition) {
    return Error{ErrorCode::Unavailable, out.error().message};
  }
  return out;
}

}  // namespace

std::uint64_t draw_incarnation(std::int64_t wall_ms) {
  const auto drawn = RequestId::random().bytes;
  const auto low = static_cast<std::uint64_t>(drawn[0]) << 8U | drawn[1];
  return static_cast<std::uint64_t>(std::max<std::int64_t>(wall_ms, 1)) << 16U | low;
}

std::string incarnation_text(std::uint64_t incarnation) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out(32, '0');
  for (std::size_t i = out.size(); incarnation != 0; incarnation >>= 4U) {
    out[--i] = kDigits[incarnation & 15U];
  }
  return out;
}

Membership::Membership(const Parts& parts, NodeRecord self, std::uint64_t incarnation,
                       std::chrono::seconds lease)
    : parts_(parts),
      self_(std::move(self)),
      incarnation_(incarnation),
      ttl_(lease),
      started_at_ms_(parts.clock.wall_ms()) {}

Membership::~Membership() {
  stop();
}

std::shared_ptr<Lease> Membership::stop() {
  std::thread keeper;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    under_way_.cancel();
    changed_.notify_all();
    keeper = std::move(keeper_);
  }
  if (keeper.joinable()) keeper.join();
  const MutexLock lock(mutex_);
  return std::move(lease_);
}

Result<ClusterRecord> Membership::enter(const CallContext& call, const std::string& cluster_name,
                                        const std::string& expected_id) {
  QV_TRY(const auto cluster,
         found_cluster(call, parts_.store, parts_.clock, cluster_name, expected_id));
  QV_TRY(const auto roster, Roster::read(call, parts_.store));
  QV_CHECK(may_enter(roster, self_));
  QV_CHECK(ask_peers(call, roster));
  QV_CHECK(show_life(call));
  QV_CHECK(enroll(call));
  const MutexLock lock(mutex_);
  if (!keeper_.joinable() && !stopping_) keeper_ = std::thread([this] { keep_alive(); });
  return cluster;
}

Status Membership::ask_peers(const CallContext& call, const Roster& roster) {
  const auto seat_of_self = roster.nodes.find(self_.id);
  const bool is_known = seat_of_self != roster.nodes.end() &&
                        seat_of_self->second.record.rpc_address == self_.rpc_address;
  std::vector<const NodeRecord*> others;
  for (const auto& [id, seat] : roster.nodes) {
    if (id != self_.id && seat.record.state != NodeState::Removed &&
        !seat.record.rpc_address.empty()) {
      others.push_back(&seat.record);
    }
  }
  std::vector<Status> outcomes(others.size(), Status(Done{}));
  FanOut threads(kGreetThreads);
  threads.run(others.size(), [&](std::size_t i) {
    const auto& other = *others[i];
    outcomes[i] = [&]() -> Status {
      QV_TRY(const auto client, parts_.peers.client_at(other.rpc_address));
      QV_TRY(const auto who, client->greet(within(call, kGreetTime)));
      // Another one at its address is that one's problem.
      if (who.id != other.id.text) return Done{};
      QV_CHECK(check_versions(self_.version, who.version));
      return is_known ? Status(Done{}) : ask_welcome(call, *client);
    }();
  });
  for (std::size_t i = 0; i < others.size(); ++i) {
    if (outcomes[i].ok()) continue;
    const auto& error = outcomes[i].error();
    if (is_refusal(error)) {
      return Error{error.code, "server " + others[i]->label + " at " + others[i]->rpc_address +
                                   " and this one do not go together: " + error.message};
    }
    QV_LOG_INFO("peer_not_asked label={} error=\"{}\"", others[i]->label, error.message);
  }
  return Done{};
}

Status Membership::ask_welcome(const CallContext& call, thrift::NodeClient& other) const {
  thrift::NodeCall ask;
  ask.context = within(call, kWelcomeTime);
  ask.caller = self_.id.text;
  const auto reply = other.join(ask, {{self_.id.text, incarnation_, self_.version},
                                      self_.rpc_address,
                                      self_.http_address,
                                      self_.zone,
                                      self_.weight});
  // One that cannot tell now has nothing against it.
  if (reply.ok() || !is_refusal(reply.error())) return Done{};
  return reply.error();
}

Status Membership::check_former(const CallContext& call, const Entry& sign) {
  QV_TRY(const auto former, AliveRecord::from_json(Json::parse(sign.value, nullptr, false)));
  const std::string where = former.rpc_address;
  QV_TRY(const auto client, parts_.peers.client_at(where));
  const auto who = client->greet(within(call, kGreetTime));
  if (who.ok() && who->id == self_.id.text && who->incarnation != incarnation_) {
    return refused("another process is this server (" + self_.id.text + "), at " + where +
                   ": a data directory must not be copied to run a second server");
  }
  // This process answers there, or somebody else does: so the former one has gone.
  if (who.ok()) return Done{};
  if (where != self_.rpc_address && is_refusal(who.error())) return who.error();
  return Error{ErrorCode::Unavailable, "a former process of this server may still be running at " +
                                           where + "; waiting until its sign of life has run out"};
}

Status Membership::show_life(const CallContext& call) {
  const std::string key = keys::alive(self_.id);
  const AliveRecord mine{incarnation_text(incarnation_), started_at_ms_, self_.rpc_address};
  const std::string value = mine.to_json().dump();
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    QV_TRY(const auto there, parts_.store.get(call, key));
    const bool is_mine = there && there->value == value;
    if (there && !is_mine) QV_CHECK(check_former(call, *there));
    std::uint64_t number = 0;
    {
      const MutexLock lock(mutex_);
      number = ++lease_number_;
      lost_ = false;
    }
    QV_TRY(std::shared_ptr<Lease> lease, parts_.store.grant(call, ttl_, [this, number] {
      const MutexLock lock(mutex_);
      if (number != lease_number_) return;
      lost_ = true;
      changed_.notify_all();
    }));
    QV_TRY(const auto result,
           retryable(parts_.store.txn(call, {{key, there ? there->revision : Revision{0}}},
                                      {{key, value, lease->id()}})));
    if (result != TxnOutcome::Done) continue;
    const MutexLock lock(mutex_);
    // The earlier one is let go of behind the lock.
    lease_.swap(lease);
    return Done{};
  }
  return disagreement();
}

Status Membership::enroll(const CallContext& call) {
  auto record = self_;
  record.state = NodeState::Joining;
  record.joined_at_ms = parts_.clock.wall_ms();
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    QV_TRY(const auto roster, Roster::read(call, parts_.store));
    QV_CHECK(may_enter(roster, self_));
    QV_TRY(const auto change, registration(roster, record));
    if (!change.needed()) return Done{};
    QV_TRY(const auto result, parts_.store.txn(call, change.compares, change.puts));
    // Unknown and Conflict: the next look tells.
    if (result == TxnOutcome::Done) return Done{};
  }
  return disagreement();
}

Status Membership::activate(const CallContext& call) {
  const std::string key = keys::node(self_.id);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    QV_TRY(const auto entry, parts_.store.get(call, key));
    if (!entry) return Error{ErrorCode::Unavailable, "this server's record is gone"};
    QV_TRY(auto record, NodeRecord::from_json(Json::parse(entry->value, nullptr, false)));
    if (record.state != NodeState::Joining) return Done{};
    record.state = NodeState::Active;
    QV_TRY(const auto result,
           parts_.store.txn(call, {{key, entry->revision}}, {{key, record.to_json().dump()}}));
    if (result == TxnOutcome::Done) return Done{};
  }
  return disagreement();
}

void Membership::keep_alive() {
  std::string told;
  while (true) {
    CallContext call;
    {
      const MutexLock lock(mutex_);
      while (!lost_ && !stopping_) changed_.wait(mutex_);
      if (stopping_) return;
      under_way_ = CancelToken::make();
      call.cancel = under_way_;
    }
    const auto shown = show_life(within(call, kRenewTime));
    if (shown.ok()) {
      QV_LOG_INFO("sign_of_life_again label={}", self_.label);
      told.clear();
      continue;
    }
    if (told != shown.error().message) {
      told = shown.error().message;
      QV_LOG_WARN("sign_of_life_missing error=\"{}\" remedy=retried", told);
    }
    const auto next = steady_clock::now() + kPauseAfterFailure;
    const MutexLock lock(mutex_);
    lost_ = true;
    while (!stopping_ && steady_clock::now() < next) changed_.wait_until(mutex_, next);
  }
}

void Membership::leave(const CallContext& call) {
  const auto lease = stop();
  if (!lease) return;
  if (const auto revoked = lease->revoke(call); !revoked.ok()) {
    QV_LOG_DEBUG("sign_of_life_left error=\"{}\" remedy=runs_out", revoked.error().message);
  }
}

}  // namespace quiver::cluster
