#include "cluster/migration/strays.h"

#include <algorithm>

#include "cluster/migration/move_record.h"
#include "cluster/view/keys.h"
#include "core/log.h"

namespace quiver::cluster {
namespace {

/// The copy on this server that a move has left without a use; nothing if there is none.
std::optional<CopyId> left_by(const MoveRecord& record, const NodeId& self) {
  if (!record.finished()) return std::nullopt;
  if (record.phase == MovePhase::Done) {
    if (record.move.from == self) return record.move.copy;
    return std::nullopt;
  }
  if (record.move.to == self) return record.to_copy;
  return std::nullopt;
}

}  // namespace

Status remove_strays(const CallContext& call, CoordinationStore& store, const ClusterView& view,
                     const NodeId& self, storage::ShardStore& shards, ShardHost& host) {
  QV_TRY(const auto here, shards.copies());
  QV_TRY(const auto moves, store.list(call, keys::kMoves));
  ShardRecords records(store, self);
  for (const auto& entry : moves.entries) {
    QV_TRY(const auto record, MoveRecord::parse(entry.value));
    const auto copy = left_by(record, self);
    const auto* const collection = view.collection_of(record.move.collection_id);
    if (!copy || (collection != nullptr && has_several_copies(*collection))) continue;
    const storage::ShardPlace place{record.move.collection_id, record.move.shard, *copy};
    if (!std::binary_search(here.begin(), here.end(), place)) continue;
    QV_TRY(const auto now, records.change(call, place.collection, place.shard,
                                          [](const ShardState&) { return false; }));
    if (now.state && now.state->copies.contains(*copy)) continue;
    if (const auto dropped = host.drop(place); !dropped.ok()) {
      QV_LOG_WARN("copy_left copy={} error=\"{}\" remedy=retried", copy->text,
                  dropped.error().message);
      continue;
    }
    QV_LOG_INFO("stray_removed collection={} shard={} copy={}", place.collection, raw(place.shard),
                copy->text);
  }
  return Done{};
}

}  // namespace quiver::cluster
