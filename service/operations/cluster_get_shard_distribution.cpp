#include "service/operations/cluster_get_shard_distribution.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "service/items.h"
#include "service/steer.h"

namespace quiver::service {
namespace {

ClusterShard shown_shard(const cluster::ShardReport& report,
                         const std::map<std::string, std::string>& names) {
  const auto& state = report.state;
  ClusterShard out{report.collection, raw(report.shard), raw(state.term), {}};
  for (const auto& [copy, place] : state.copies) {
    ClusterShardCopy one;
    const auto name = names.find(place.node.text);
    one.node = name == names.end() ? place.node.text : name->second;
    const bool filling = place.state == cluster::CopyState::New;
    one.state = filling ? "filling" : copy == state.primary ? "primary" : "copy";
    one.in_sync = std::binary_search(state.in_sync.begin(), state.in_sync.end(), copy);
    out.copies.push_back(std::move(one));
  }
  return out;
}

/// Shards that nothing can be done about, as far as they fit.
void add_unresolved(const std::vector<cluster::Unresolved>& unresolved, TokenBudget& budget,
                    ClusterGetShardDistributionResponse& response) {
  for (const auto& shard : unresolved) {
    ClusterUnresolved one{shard.collection, raw(shard.shard), shard.why};
    if (!budget.admit(compact(encode(one)).size())) return;
    response.unresolved.push_back(std::move(one));
  }
}

std::string cursor_bound(const ClusterGetShardDistributionRequest& request) {
  return CursorBound("cluster_get_shard_distribution")
      .add(request.collection.value_or(""))
      .add(request.node_id.value_or(""))
      .str();
}

/// By name of the collection, then by number.
using Position = std::pair<std::string, std::uint32_t>;

Position position_of(const cluster::ShardReport& shard) {
  return {shard.collection, raw(shard.shard)};
}

/// The last shard of the page before; nothing without a cursor.
Result<std::optional<Position>> page_start(const ClusterGetShardDistributionRequest& request) {
  if (!request.cursor) return std::optional<Position>();
  QV_TRY(const auto text, open_cursor(cursor_bound(request), *request.cursor));
  const auto slash = text.rfind('/');
  Position out;
  const auto* const end = text.data() + text.size();
  if (slash != std::string::npos) {
    out.first = text.substr(0, slash);
    const auto read = std::from_chars(text.data() + slash + 1, end, out.second);
    if (read.ec == std::errc() && read.ptr == end) return std::optional(std::move(out));
  }
  return Error{ErrorCode::InvalidArgument, "cursor: it is of no page of this answer"};
}

/// As many shards as fit, behind `start`, and how to go on.
void add_shards(const ClusterGetShardDistributionRequest& request,
                const cluster::ShardDistribution& found, const std::optional<Position>& start,
                TokenBudget& budget, ClusterGetShardDistributionResponse& response) {
  std::map<std::string, std::string> names;
  for (const auto& one : found.nodes.nodes) names.emplace(one.node.text, one.label);
  const cluster::ShardReport* last = nullptr;
  bool full = false;
  for (const auto& shard : found.shards) {
    if (full || (start && position_of(shard) <= *start)) continue;
    auto one = shown_shard(shard, names);
    // One at least, so that every page leads on.
    full = !budget.admit(compact(encode(one)).size()) && !response.shards.empty();
    if (full) continue;
    response.shards.push_back(std::move(one));
    last = &shard;
  }
  if (!full || last == nullptr) return;
  response.next_cursor =
      make_cursor(cursor_bound(request), last->collection + '/' + std::to_string(raw(last->shard)));
  response.advice = "showing " + grouped(response.shards.size()) + " of " +
                    grouped(found.shards.size()) + " shards: go on with cursor";
}

}  // namespace

Result<ClusterGetShardDistributionResponse> cluster_get_shard_distribution(
    const CallContext& call, Engine& engine, const ClusterGetShardDistributionRequest& request) {
  QV_TRY(auto* const admin, admin_of(engine));
  QV_TRY(const auto start, page_start(request));
  QV_TRY(const auto found, admin->shard_distribution(call, {request.collection.value_or(""),
                                                            request.node_id.value_or("")}));
  ClusterGetShardDistributionResponse response;
  response.epoch = found.nodes.epoch;
  response.copies_missing = found.nodes.copies_missing;
  response.max_over_mean = found.nodes.max_over_mean;
  TokenBudget budget(reply_tokens(engine));
  for (const auto& node : found.nodes.nodes) {
    if (start) break;
    response.nodes.push_back({node.node.text, node.label, std::string(cluster::name(node.state)),
                              node.up, node.copies, node.primaries, node.copies_target});
    static_cast<void>(budget.admit(compact(encode(response.nodes.back())).size()));
  }
  response.unresolved_count = found.unresolved_count;
  if (!start) add_unresolved(found.unresolved, budget, response);
  add_shards(request, found, start, budget, response);
  return response;
}

Operation cluster_get_shard_distribution_operation() {
  return operation(
      About{"cluster_get_shard_distribution", "Show shards",
            "Which node holds which shard, and how even that is.", Toolset::Cluster, Access::Read,
            Effects{false, true}, Route{"GET", "/v1/cluster/shard-distribution"}},
      &cluster_get_shard_distribution);
}

}  // namespace quiver::service
