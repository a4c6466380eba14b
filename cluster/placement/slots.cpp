#include "cluster/placement/slots.h"

#include <algorithm>
#include <string>

#include "cluster/shard_router.h"
#include "core/text.h"

namespace quiver::cluster {
namespace {

/// Little-endian on every machine.
void append_number(std::string& bytes, std::uint32_t number) {
  for (unsigned i = 0; i < 4; ++i) {
    bytes.push_back(static_cast<char>(static_cast<unsigned char>(number >> (8 * i))));
  }
}

}  // namespace

Result<SlotList> with_slot(SlotList slots, const NodeId& node) {
  auto& list = slots.slots;
  if (node.empty()) {
    return Error{ErrorCode::InvalidArgument, "a node without an id can have no slot"};
  }
  if (std::find(list.begin(), list.end(), node) != list.end()) {
    return Error{ErrorCode::AlreadyExists, "node " + node.text + " has a slot already"};
  }
  const auto empty = std::find(list.begin(), list.end(), std::nullopt);
  if (empty == list.end()) {
    list.emplace_back(node);
  } else {
    *empty = node;
  }
  return slots;
}

Result<SlotList> without_slot(SlotList slots, const NodeId& node) {
  const auto found = std::find(slots.slots.begin(), slots.slots.end(), node);
  if (found == slots.slots.end()) {
    return Error{ErrorCode::NotFound, "node " + node.text + " has no slot"};
  }
  found->reset();
  return slots;
}

std::uint64_t placement_hash(std::string_view collection_id, ShardId shard, std::uint32_t replica,
                             std::uint32_t attempt) {
  std::string bytes(collection_id);
  append_number(bytes, raw(shard));
  append_number(bytes, replica);
  append_number(bytes, attempt);
  return stable_hash(bytes);
}

std::optional<NodeId> preferred_node(const SlotList& slots, std::string_view collection_id,
                                     ShardId shard, std::uint32_t replica, std::uint32_t attempt) {
  const auto count = static_cast<std::uint32_t>(slots.slots.size());
  if (count == 0) return std::nullopt;
  return slots.slots[jump_hash(placement_hash(collection_id, shard, replica, attempt), count)];
}

}  // namespace quiver::cluster
