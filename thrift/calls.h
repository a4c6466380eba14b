#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/call_context.h"
#include "core/collection_spec.h"
#include "core/content_sums.h"
#include "core/filter.h"
#include "core/mutation.h"
#include "core/point.h"
#include "core/read_level.h"
#include "core/result.h"

namespace quiver::thrift {

/// A process that takes part in a cluster, as it presents itself.
struct NodeIdentity {
  /// 1 to 64 of [A-Za-z0-9_.-]; kept on disk, the same across restarts.
  std::string id;
  /// Grows with every start of the node.
  std::uint64_t incarnation = 0;
  /// Of the program, "0.1.0".
  std::string version;

  bool operator==(const NodeIdentity&) const = default;
};

/// What a connection is used for. Each purpose has connections and a share of the server's threads
/// of its own: a flood of one cannot hold up another.
/// Health has the signs of life alone: nothing that takes long may make a living node look dead.
/// Log carries the entries that the copies of shards send each other, Pulse all else that they say:
/// answers and signs of life do not wait behind entries.
enum class Purpose : std::uint8_t {
  Control = 1,
  Search = 2,
  Write = 3,
  Bulk = 4,
  Health = 5,
  Log = 6,
  Pulse = 7,
};
inline constexpr std::size_t kPurposes = 7;

/// What goes with every call to another node.
struct NodeCall {
  /// The deadline travels as time left, and the request id with it. Progress is not reported.
  CallContext context;
  /// Revision of the caller's view of the cluster.
  std::uint64_t epoch = 0;
  /// Reign that the caller believes in; 0: it does not say.
  Term term{0};
  /// Names the request across nodes in logs; at most 64 bytes; may be empty.
  std::string trace;
  /// Id of the node that asks. Set by the server; a client sends its own.
  std::string caller;
};

/// The same for a call that means a shard.
struct ShardCall : NodeCall {
  /// CollectionSpec::id.
  std::string collection;
  ShardId shard{0};
  /// The copy that is meant; empty: the one that the node holds for its view.
  CopyId copy;
  /// Of a read; one of a copy that is not the primary is never Linearizable.
  ReadTerms read;
};

/// What a node says beside its answer, and what a caller needs to try elsewhere.
struct ReplyInfo {
  /// Of the node that answered; 0 if none did.
  std::uint64_t epoch = 0;
  Term term{0};
  /// With WrongOwner: whom to ask instead, if known.
  std::string primary;
  /// With ResourceExhausted and Unavailable: how long to wait first; 0: not known.
  std::chrono::milliseconds retry_after{0};
  /// The call failed and may have taken effect all the same.
  bool outcome_unknown = false;
  /// Of a write to a shard with several copies: as Written::at.
  Seq at{0};
};

/// Why a call failed, with what goes beside it.
struct RemoteError {
  Error error;
  ReplyInfo info;
};

/// An answer with what goes beside it.
template <typename T>
struct Reply {
  Result<T> result;
  ReplyInfo info;

  Reply(Result<T> outcome, ReplyInfo beside = {})  // NOLINT: implicit by design
      : result(std::move(outcome)), info(std::move(beside)) {}
  Reply(T value) : result(std::move(value)) {}      // NOLINT
  Reply(Error error) : result(std::move(error)) {}  // NOLINT
  Reply(RemoteError failure)                        // NOLINT
      : result(std::move(failure.error)), info(std::move(failure.info)) {}

  bool ok() const noexcept { return result.ok(); }
  const Error& error() const& { return result.error(); }
  T* operator->() { return &result.value(); }
  const T* operator->() const { return &result.value(); }
  T& operator*() & { return result.value(); }
  const T& operator*() const& { return result.value(); }
  T&& operator*() && { return std::move(result).value(); }
};
using Answered = Reply<Done>;

// -- one shard

struct SearchCall {
  /// Shape [dimension]; finite.
  std::vector<float> vector;
  /// 1 to limits::kSearchHitsMax.
  std::size_t k = 10;
  /// 0: the node's default.
  std::size_t ef = 0;
  bool exact = false;
  std::optional<Filter> filter;
  Projection projection;
};

struct GetCall {
  std::vector<PointId> ids;
  Projection projection;
};

struct ScrollCall {
  std::optional<Filter> filter;
  /// Continue behind this id.
  std::optional<PointId> after;
  std::size_t limit = 100;
  Projection projection;
};

struct FieldCount {
  /// Dotted path.
  std::string name;
  std::vector<std::string> types;
  std::uint64_t points = 0;
  std::vector<Json> examples;
};

struct ShardCounts {
  std::uint64_t points = 0;
  std::uint64_t unindexed = 0;
  std::uint64_t disk_bytes = 0;

  bool operator==(const ShardCounts&) const = default;
};

// -- a copy of one shard

struct CheckpointFile {
  /// Relative to the shard's directory.
  std::string name;
  std::uint64_t bytes = 0;

  bool operator==(const CheckpointFile&) const = default;
};

/// Files of a shard that stay as they are until the checkpoint is ended.
struct Checkpoint {
  std::string id;
  std::vector<CheckpointFile> files;
  /// Last log entry that the files hold.
  LogPosition position;
};

struct ChunkCall {
  std::string checkpoint;
  std::string file;
  std::uint64_t offset = 0;
  /// 1 to kChunkBytesMax. Fewer bytes come at the end of the file only.
  std::size_t length = 0;
};

/// Asks the owner of a shard to pass it on.
struct HandOverCall {
  /// What the copy that takes over was made from.
  std::string checkpoint;
  CopyId to_copy;
  NodeId to_node;
};

// -- several copies of one shard

/// A message of one copy to another. What it says is the replication's affair.
struct CopyParcel {
  std::string collection;
  ShardId shard{0};
  CopyId from;
  CopyId to;
  std::string message;
  std::vector<std::string> entries;

  bool operator==(const CopyParcel&) const = default;
};

/// A parcel that was not taken: no such copy here, or it does not make sense.
struct RefusedParcel {
  std::size_t index = 0;
  Error why{ErrorCode::Internal, {}};
};

/// A snapshot that lies ready at the caller, for the copy that the call means.
struct SnapshotOffer {
  /// `position` goes without saying.
  Checkpoint checkpoint;
  CopyId from;
  std::string message;
};

// -- copies that replicate

/// One copy of one shard, in full.
struct CopyName {
  /// CollectionSpec::id.
  std::string collection;
  ShardId shard{0};
  CopyId copy;

  auto operator<=>(const CopyName&) const = default;
};

enum class CopyCondition : std::uint8_t {
  /// It is open.
  Works = 1,
  /// Its disk failed, and it answers nobody until it is opened anew.
  Failed = 2,
  /// The node has no such copy: it was never made there, or its files are gone. Only said once the
  /// node has opened all copies that it has.
  Absent = 3,
};

/// How far a copy is.
struct CopyPosition {
  CopyCondition condition = CopyCondition::Works;
  /// It is the primary, and takes writes.
  bool serves = false;
  /// It heard a primary of the term that it has seen, no longer ago than a lease.
  bool hears = false;
  /// The newest term that it has seen, what its log ends with, and how much of that is applied;
  /// meaningless unless it works.
  Term seen{0};
  LogPosition last;
  Seq applied{0};
  /// Of the newest snapshot that came to it, or is coming, since its server began; 0 of 0: none.
  std::uint64_t bytes_fetched = 0;
  std::uint64_t bytes_total = 0;

  bool operator==(const CopyPosition&) const = default;
};

/// What only the primary of a shard can do about its copies.
struct PrimaryOrder {
  enum class Kind : std::uint8_t {
    /// Give its role to `copy`, which is in sync.
    HandOff = 1,
    /// Take `copy` out of the shard's record.
    Drop = 2,
  };
  Kind kind = Kind::HandOff;
  CopyId copy;

  bool operator==(const PrimaryOrder&) const = default;
};

// -- a node

/// A node that wants to be let into the cluster.
struct JoinCall {
  NodeIdentity node;
  std::string rpc_address;
  std::string http_address;
  std::string zone;
  double weight = 1.0;
};

struct Member {
  std::string id;
  std::string rpc_address;
  std::string state;

  bool operator==(const Member&) const = default;
};

struct Welcome {
  /// Of the cluster, unique for ever.
  std::string cluster_id;
  /// Where the coordination store is.
  std::vector<std::string> coordination;
  std::vector<Member> members;
};

/// How a node feels, in one word: its membership state.
struct Heartbeat {
  std::string state;
};
struct HeartbeatEcho {
  NodeIdentity node;
  std::string state;
};

struct ShardStatus {
  std::string collection;
  ShardId shard{0};
  std::string state;
  ShardCounts counts;
  LogPosition position;

  bool operator==(const ShardStatus&) const = default;
};

struct NodeStatus {
  NodeIdentity node;
  std::string state;
  std::chrono::milliseconds uptime{0};
  /// Runnable threads a processor, averaged over a minute.
  double load = 0.0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t disk_bytes_total = 0;
  std::uint64_t disk_bytes_free = 0;
  std::vector<ShardStatus> shards;
};

}  // namespace quiver::thrift
