#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "cluster/coordination/store.h"
#include "core/ids.h"
#include "core/json.h"
#include "core/result.h"

namespace quiver::cluster {

/// That the map in the coordination store was put there from a server's disk, key meta/lineage.
/// Revisions of the store before and after that are not comparable. Absent: never happened.
struct Lineage {
  /// Drawn for each restoration.
  std::string id;
  /// Id of the lineage in which the restored map was written; empty: the first.
  std::string before;
  /// Of the restored map, in `before`.
  Revision revision{0};
  /// Of the server it came from.
  std::string node;
  /// False: parts of the map may be missing.
  bool complete = false;

  bool operator==(const Lineage&) const = default;
  Json to_json() const;
  static Result<Lineage> from_json(const Json& json);
};

/// Whether `store`, all that the coordination store holds, goes on from `known`, the map on a
/// server's disk; as far as that can be told. It does not if it was restored from a snapshot taken
/// before `known`: a primary that it names may then lack what a later one acknowledged, and would
/// lead in terms that were used already.
///
/// Errors: Unavailable, saying what shows it and what to do; Corruption if a value cannot be
/// understood.
Status check_not_older(const Listing& known, const Listing& store);

struct Restored {
  /// Of keys.
  std::size_t put = 0;
  std::size_t removed = 0;
};

/// How far the terms of restored shards are raised: more than they were raised between the last
/// write of a map to any disk and the loss of the store.
inline constexpr std::uint64_t kRestoredTermStep = 1'000'000;

/// Makes `known` the map in the store: its servers, places, collections and shards, these with
/// terms that nobody has used. Collections that it does not have are deleted; moves and operations
/// are forgotten. Cut off, it is done again from the start. `node` is the server whose map it is.
///
/// Errors: Unavailable while another server shows that it lives: it may serve by the map that is
/// to be replaced; those of CoordinationStore.
Result<Restored> restore_map(const CallContext& call, const Listing& known, const NodeId& node,
                             CoordinationStore& store);

}  // namespace quiver::cluster
