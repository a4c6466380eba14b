#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/limits.h"
#include "service/cluster_words.h"
#include "service/cursor.h"
#include "service/operation.h"
#include "service/operations/cluster_rebalance.h"

namespace quiver::service {

struct ClusterGetShardDistributionRequest {
  std::optional<std::string> collection;
  std::optional<std::string> node_id;
  std::optional<std::string> cursor;

  static constexpr auto fields() {
    using R = ClusterGetShardDistributionRequest;
    return describe(field("collection", &R::collection).guarded(1, limits::kCollectionNameBytesMax),
                    field("node_id", &R::node_id, "Only shards on it").guarded(1, kClusterNameMax),
                    field("cursor", &R::cursor, kCursorDoc).guarded(1, kCursorBytesMax));
  }
};

struct ClusterNodeLoad {
  std::string id;
  std::string name;
  std::string state;
  bool up = false;
  std::uint64_t shards = 0;
  std::uint64_t primaries = 0;
  double target = 0.0;

  static constexpr auto fields() {
    using R = ClusterNodeLoad;
    return describe(field("id", &R::id), field("name", &R::name), field("state", &R::state),
                    field("up", &R::up), field("shards", &R::shards),
                    field("primaries", &R::primaries),
                    field("target", &R::target, "Shards that it should have"));
  }
};

struct ClusterShardCopy {
  std::string node;
  std::string state;
  bool in_sync = false;

  static constexpr auto fields() {
    using R = ClusterShardCopy;
    return describe(field("node", &R::node, "Name; the id of one that is gone"),
                    field("state", &R::state, "primary, copy; filling: it is new"),
                    field("in_sync", &R::in_sync, "Has all writes that were acknowledged"));
  }
};

struct ClusterShard {
  std::string collection;
  std::uint32_t shard = 0;
  std::uint64_t term = 0;
  std::vector<ClusterShardCopy> copies;

  static constexpr auto fields() {
    using R = ClusterShard;
    return describe(field("collection", &R::collection), field("shard", &R::shard),
                    field("term", &R::term, "Rises with each other primary"),
                    field("copies", &R::copies));
  }
};

struct ClusterGetShardDistributionResponse {
  std::uint64_t epoch = 0;
  std::vector<ClusterNodeLoad> nodes;
  std::vector<ClusterShard> shards;
  std::uint64_t copies_missing = 0;
  std::vector<ClusterUnresolved> unresolved;
  std::uint64_t unresolved_count = 0;
  double max_over_mean = 1.0;
  std::optional<std::string> next_cursor;
  std::optional<std::string> advice;

  static constexpr auto fields() {
    using R = ClusterGetShardDistributionResponse;
    return describe(field("epoch", &R::epoch), field("nodes", &R::nodes, "On the first page"),
                    field("shards", &R::shards), field("copies_missing", &R::copies_missing),
                    field("unresolved", &R::unresolved,
                          "On the first page: shards that nothing can be done about now"),
                    field("unresolved_count", &R::unresolved_count, "In the whole cluster"),
                    field("max_over_mean", &R::max_over_mean, "1: perfectly even"),
                    field("next_cursor", &R::next_cursor),
                    field("advice", &R::advice, "How to see the rest"));
  }
};

/// Which server has which shard. Errors: see ClusterAdmin::shard_distribution; NotFound for an
/// unknown node; InvalidArgument for a wrong cursor.
Result<ClusterGetShardDistributionResponse> cluster_get_shard_distribution(
    const CallContext& call, Engine& engine, const ClusterGetShardDistributionRequest& request);

Operation cluster_get_shard_distribution_operation();

}  // namespace quiver::service
