#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "cluster/view/records.h"
#include "core/ids.h"
#include "core/result.h"

namespace quiver::cluster {

/// The list with `node` in the first empty place, or behind all others if none is empty.
/// Errors: InvalidArgument if `node` is empty; AlreadyExists if it has a place.
Result<SlotList> with_slot(SlotList slots, const NodeId& node);

/// The list with the place of `node` empty: the places of the others stay as they are.
/// Errors: NotFound if `node` has no place.
Result<SlotList> without_slot(SlotList slots, const NodeId& node);

/// What jump hash is asked for when copy `replica` of a shard looks for a server. Fixed for ever,
/// so that two versions of the software prefer the same servers.
std::uint64_t placement_hash(std::string_view collection_id, ShardId shard, std::uint32_t replica,
                             std::uint32_t attempt);

/// The server that this attempt prefers; absent: the place is empty, or there are none.
std::optional<NodeId> preferred_node(const SlotList& slots, std::string_view collection_id,
                                     ShardId shard, std::uint32_t replica, std::uint32_t attempt);

}  // namespace quiver::cluster
