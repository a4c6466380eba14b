#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cluster/view/records.h"
#include "core/ids.h"

/// The keys of the coordination store. All that is no part of the map lies below other prefixes.
namespace quiver::cluster::keys {

inline constexpr std::string_view kCluster = "meta/cluster";
inline constexpr std::string_view kNodes = "nodes/";
inline constexpr std::string_view kAlive = "alive/";
inline constexpr std::string_view kSlots = "meta/slots";
/// Put with every removal of a key of the map, so that removals, too, raise the epoch.
inline constexpr std::string_view kEpoch = "meta/epoch";
/// Where the map came from, if it was ever restored from a server's disk.
inline constexpr std::string_view kLineage = "meta/lineage";
inline constexpr std::string_view kSpecs = "colls/";
inline constexpr std::string_view kNames = "names/";
inline constexpr std::string_view kShards = "shards/";
/// Collections that are being made: their copies may be there already.
inline constexpr std::string_view kCreating = "creating/";
/// Collections that are deleted and whose files may still be there.
inline constexpr std::string_view kDropping = "dropping/";
/// Answers of deletions, by request id, for clients that repeat one.
inline constexpr std::string_view kDropped = "dropped/";

/// Moves of shards, each carried out by the server that it leads to.
inline constexpr std::string_view kMoves = "moves/";
/// What people asked for that takes a while, and its moves.
inline constexpr std::string_view kOperations = "ops/";
/// Put by everybody who begins moves: of two who decide on them at the same time one conflicts.
inline constexpr std::string_view kMovesTurn = "ctl/moves";
/// A key for each server that nobody else writes: a transaction that puts it proves that what it
/// compares holds now, which no read does.
inline constexpr std::string_view kProofs = "proofs/";
/// That people accepted the loss of writes: kept for ever.
inline constexpr std::string_view kForcePromotions = "audit/force_promote/";
/// Shards that nothing can be done about, as the server that leads last saw it: for people.
inline constexpr std::string_view kUnresolved = "ctl/unresolved";
/// The server that looks after operations: a hint, so that others need not.
inline constexpr std::string_view kLeader = "ctl/leader";

inline std::string join(std::string_view prefix, std::string_view rest) {
  return std::string(prefix).append(rest);
}
inline std::string node(const NodeId& id) {
  return join(kNodes, id.text);
}
inline std::string alive(const NodeId& id) {
  return join(kAlive, id.text);
}
inline std::string spec(std::string_view collection_id) {
  return join(kSpecs, collection_id);
}
inline std::string name(std::string_view collection_name) {
  return join(kNames, collection_name);
}
inline std::string shard(std::string_view collection_id, ShardId number) {
  return join(kShards, collection_id) + '/' + std::to_string(raw(number));
}

inline std::string move(std::string_view id) {
  return join(kMoves, id);
}
inline std::string operation(std::string_view id) {
  return join(kOperations, id);
}
inline std::string force_promotion(std::string_view id) {
  return join(kForcePromotions, id);
}
inline std::string proof(const NodeId& id) {
  return join(kProofs, id.text);
}

/// A key of kShards, taken apart.
struct ShardKey {
  std::string collection;
  ShardId number{0};
};
/// Nothing if shard() does not make this key.
std::optional<ShardKey> parse_shard(std::string_view key);

}  // namespace quiver::cluster::keys
