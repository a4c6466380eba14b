#include "cluster/member_service.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <thread>
#include <utility>

#include <unistd.h>

#include "cluster/roster.h"
#include "cluster/version_gate.h"
#include "thrift/limits.h"

namespace quiver::cluster {
namespace {

constexpr std::chrono::milliseconds kCallBackTime{3'000};

/// Averaged over a minute, for each processor.
double load_now() {
  std::array<double, 1> load{};
  if (::getloadavg(load.data(), 1) != 1) return 0.0;
  return load[0] / std::max(1U, std::thread::hardware_concurrency());
}

/// Resident.
std::uint64_t memory_now() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  if (!(file >> total >> resident)) return 0;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

bool is_removed(const ClusterView& view, const NodeId& id) {
  const auto* const node = view.find_node(id);
  return node != nullptr && node->record.state == NodeState::Removed;
}

Status check_member_in(const ClusterView& view, const NodeId& self) {
  if (!is_removed(view, self)) return Done{};
  return Error{ErrorCode::FailedPrecondition,
               "this server (" + view.find_node(self)->record.label + ", " + self.text +
                   ") was removed from the cluster and serves no more; to add it again as a new "
                   "one, start it with an empty data directory"};
}

}  // namespace

MemberService::MemberService(ViewSource& views, ShardHost& host,
                             const replication::CopyHost& replicated, Peers& peers,
                             thrift::NodeIdentity self, Facts facts)
    : views_(views),
      host_(host),
      replicated_(replicated),
      peers_(peers),
      self_(std::move(self)),
      facts_(std::move(facts)) {}

thrift::ReplyInfo MemberService::info() const {
  thrift::ReplyInfo out;
  out.epoch = views_.current()->epoch;
  return out;
}

std::string MemberService::own_state() const {
  const auto view = views_.current();
  const auto* const node = view->find_node({self_.id});
  return std::string(name(node == nullptr ? NodeState::Joining : node->record.state));
}

Status MemberService::admit(const std::string& caller) const {
  const auto view = views_.current();
  QV_CHECK(check_member_in(*view, {self_.id}));
  if (!is_removed(*view, {caller})) return Done{};
  return Error{ErrorCode::PermissionDenied, "server " + caller + " was removed from the cluster"};
}

Status MemberService::check_member() const {
  return check_member_in(*views_.current(), {self_.id});
}

Status MemberService::call_back(const CallContext& call, const ClusterView& view,
                                const thrift::JoinCall& request) const {
  const auto* const known = view.find_node({request.node.id});
  if (known != nullptr && known->record.rpc_address == request.rpc_address) return Done{};
  const auto refused = [&](const std::string& why) {
    return Error{ErrorCode::FailedPrecondition,
                 "it says that it is at " + request.rpc_address + ", but " + why +
                     "; its cluster.advertise_host must be what other servers reach it at"};
  };
  const auto client = peers_.client_at(request.rpc_address);
  if (!client.ok()) return refused(client.error().message);
  const auto now = std::chrono::steady_clock::now();
  CallContext greeting = call;
  greeting.deadline = now + kCallBackTime;
  // What is left is for the answer.
  if (call.deadline) {
    greeting.deadline = std::min(*greeting.deadline, now + (*call.deadline - now) / 4 * 3);
  }
  const auto who = (*client)->greet(greeting);
  QV_CHECK(call.check());
  if (!who.ok()) return refused("it is not reached there from here: " + who.error().message);
  if (who->id == request.node.id) return Done{};
  return refused("the server " + who->id + " answers there");
}

thrift::Reply<thrift::Welcome> MemberService::join(const thrift::NodeCall& call,
                                                   const thrift::JoinCall& request) const {
  const auto refuse = [this](Error error) {
    return thrift::Reply<thrift::Welcome>(Result<thrift::Welcome>(std::move(error)), info());
  };
  if (auto admitted = admit(request.node.id); !admitted.ok()) return refuse(admitted.error());
  if (auto fits = check_versions(self_.version, request.node.version); !fits.ok()) {
    return refuse(fits.error());
  }
  const auto view = views_.current();
  thrift::Welcome welcome{facts_.cluster_id, facts_.coordination, {}};
  for (const auto& [id, node] : view->nodes) {
    const auto& record = node.record;
    if (record.state == NodeState::Removed) continue;
    if (id.text != request.node.id && record.rpc_address == request.rpc_address) {
      return refuse(address_taken(record));
    }
    if (record.rpc_address.empty() || welcome.members.size() == thrift::kMembersMax) continue;
    welcome.members.push_back({id.text, record.rpc_address, std::string(name(record.state))});
  }
  if (auto reached = call_back(call.context, *view, request); !reached.ok()) {
    return refuse(reached.error());
  }
  return {Result<thrift::Welcome>(std::move(welcome)), info()};
}

thrift::Reply<thrift::HeartbeatEcho> MemberService::ping() const {
  return {Result<thrift::HeartbeatEcho>(thrift::HeartbeatEcho{self_, own_state()}), info()};
}

thrift::ShardStatus MemberService::status_of(const CollectionView& collection,
                                             ShardId shard) const {
  const auto& state = collection.shards[raw(shard)];
  thrift::ShardStatus out;
  out.collection = collection.spec.id;
  out.shard = shard;
  out.position.term = state.term;
  const auto is_known = known(collection, shard);
  out.state = is_known ? "active" : "unknown";
  if (!is_known) return out;
  const auto& stats = is_known->stats;
  out.counts = {stats.points, stats.unindexed, stats.disk_bytes};
  out.position = is_known->tail;
  return out;
}

std::optional<ShardHost::Known> MemberService::known(const CollectionView& collection,
                                                     ShardId shard) const {
  const storage::ShardPlace place{collection.spec.id, shard, collection.shards[raw(shard)].primary};
  if (collection.spec.replication_factor < 2) return host_.known(place);
  const auto replicated = replicated_.known(place);
  if (!replicated) return std::nullopt;
  return ShardHost::Known{replicated->stats, replicated->status.durable};
}

thrift::Reply<thrift::NodeStatus> MemberService::status(const thrift::NodeCall& call) const {
  thrift::NodeStatus out;
  out.node = self_;
  out.state = own_state();
  out.uptime = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - facts_.started);
  out.load = load_now();
  out.memory_bytes = memory_now();
  std::error_code unknown;
  const auto space = std::filesystem::space(facts_.data_dir, unknown);
  if (!unknown) {
    out.disk_bytes_total = space.capacity;
    out.disk_bytes_free = space.available;
  }
  const auto view = views_.current();
  for (const auto& [unused, collection] : view->collections) {
    for (std::uint32_t i = 0; i < collection->shards.size(); ++i) {
      const NodeId* const owner = collection->shards[i].primary_node();
      if (owner == nullptr || owner->text != self_.id) continue;
      if (auto in_time = call.context.check(); !in_time.ok()) {
        return {Result<thrift::NodeStatus>(in_time.error()), info()};
      }
      if (out.shards.size() == thrift::kMembersMax) break;
      out.shards.push_back(status_of(*collection, ShardId{i}));
    }
  }
  return {Result<thrift::NodeStatus>(std::move(out)), info()};
}

}  // namespace quiver::cluster
