#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/json.h"
#include "core/result.h"

/// What the coordination store holds, one value for each key. Each type has to_json() and
/// from_json(); from_json() fails with Corruption on anything that to_json() does not make.
namespace quiver::cluster {

/// What people decided about a server. Whether it answers is another question: see ClusterView.
///
///   joining ──> active <──> draining ──> removed
///
/// Back to active: its removal was cancelled.
enum class NodeState : std::uint8_t {
  /// Has a place, holds nothing yet.
  Joining = 1,
  Active = 2,
  /// Gives its copies away and gets no new ones.
  Draining = 3,
  /// May not come back under this id.
  Removed = 4,
};
std::string_view name(NodeState state) noexcept;

/// A server, key nodes/<id>.
struct NodeRecord {
  NodeId id;
  /// For people; unique among the servers that are not removed.
  std::string label;
  /// host:port of the calls between servers.
  std::string rpc_address;
  /// host:port of MCP and REST.
  std::string http_address;
  /// Servers that fail together, such as a rack; empty: each fails alone.
  std::string zone;
  /// Share of the data relative to others; above 0.
  double weight = 1.0;
  /// Of the software.
  std::string version;
  NodeState state = NodeState::Joining;
  std::int64_t joined_at_ms = 0;

  bool operator==(const NodeRecord&) const = default;
  Json to_json() const;
  static Result<NodeRecord> from_json(const Json& json);
};

/// That a server runs, key alive/<id>, under its lease: a hint, never a proof.
struct AliveRecord {
  /// Drawn anew at each start.
  std::string incarnation;
  std::int64_t started_at_ms = 0;
  /// Where this process answers; the record of the server may still have an earlier place.
  std::string rpc_address;

  bool operator==(const AliveRecord&) const = default;
  Json to_json() const;
  static Result<AliveRecord> from_json(const Json& json);
};

/// Which cluster a coordination store is of, key meta/cluster. Written once.
struct ClusterRecord {
  /// Drawn when the cluster began.
  std::string id;
  std::string name;
  /// Of the keys and values; another one cannot be understood.
  std::uint32_t layout = kLayout;
  std::int64_t founded_at_ms = 0;

  static constexpr std::uint32_t kLayout = 1;

  bool operator==(const ClusterRecord&) const = default;
  Json to_json() const;
  static Result<ClusterRecord> from_json(const Json& json);
};

/// The servers in the order that jump hash counts them, key meta/slots. A place whose server was
/// removed stays, empty, and is the first to be filled: so the others keep their numbers.
struct SlotList {
  std::vector<std::optional<NodeId>> slots;

  bool operator==(const SlotList&) const = default;
  Json to_json() const;
  static Result<SlotList> from_json(const Json& json);
};

enum class CopyState : std::uint8_t {
  /// Being filled; answers nobody.
  New = 1,
  Active = 2,
};

struct CopyPlace {
  NodeId node;
  CopyState state = CopyState::Active;

  bool operator==(const CopyPlace&) const = default;
};

/// Who holds a shard, key shards/<collection id>/<number>: one key, so that one compare-and-swap
/// decides.
struct ShardState {
  Term term{1};
  /// Orders the writes; a key of `copies`.
  CopyId primary;
  /// Sorted keys of `copies`, the primary among them: these hold every acknowledged write.
  std::vector<CopyId> in_sync;
  std::map<CopyId, CopyPlace> copies;
  /// Raised by one with every change of this record.
  std::uint64_t epoch = 1;

  /// The server of the primary; null if the record names none of its copies.
  const NodeId* primary_node() const noexcept;
  bool operator==(const ShardState&) const = default;
  Json to_json() const;
  static Result<ShardState> from_json(const Json& json);
};

/// A deleted collection, key dropping/<collection id>: gone once no server has files of it.
struct DroppingRecord {
  std::string name;
  /// Sorted; those that may have files of it.
  std::vector<NodeId> nodes;

  bool operator==(const DroppingRecord&) const = default;
  Json to_json() const;
  static Result<DroppingRecord> from_json(const Json& json);
};

}  // namespace quiver::cluster
