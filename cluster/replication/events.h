#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "cluster/coordination/store.h"
#include "cluster/replication/messages.h"
#include "cluster/view/records.h"
#include "core/read_level.h"

/// What happens to one copy of a shard, as its shell tells it.
namespace quiver::cluster::replication {

/// Names a waiting caller; the shell's own.
enum class Tag : std::uint64_t {};
/// Numbers what goes to disk, in order. A ticket is durable when all before it are.
enum class Ticket : std::uint64_t {};
/// Names one attempt to change the shard's record.
enum class SwapId : std::uint64_t {};

/// What the copy found on its disk. Begins an incarnation.
struct Persisted {
  Term seen{0};
  History history;
  /// The oldest entry that the log still has; the one behind the tail if there is none.
  Seq first{1};
  Seq applied{0};
  /// Of the entries behind `applied`, in order.
  std::vector<RequestId> unapplied;
  /// The record named the copy at this revision: one that does not, and is not older, gave it up.
  Revision born{0};
};

/// Time has passed. Comes at least every ReplicationOptions::tick.
struct Tick {};

/// What the table of applied writes says of a request id.
enum class Seen : std::uint8_t {
  No,
  Applied,
  /// Older than the table reaches.
  TooOld,
};

struct WriteAsked {
  Tag tag{0};
  /// Empty: not deduplicated.
  RequestId request;
  Seen seen = Seen::No;
  /// Of the caller, who is told then that the outcome is unknown.
  Time deadline;
};

using quiver::ReadLevel;

struct ReadAsked {
  Tag tag{0};
  ReadLevel level = ReadLevel::Linearizable;
  /// Session: the seq in the caller's token.
  Seq token{0};
};

struct Received {
  CopyId from;
  Message message;
  /// Of an Append: one for each entry.
  std::vector<EntryHead> heads;
};

/// All of a snapshot has come from the primary of `term`, and waits beside the copy's data.
struct SnapshotReceived {
  CopyId from;
  Term term{0};
  /// Ends with the last entry that is in the snapshot.
  History history;
  Time sent_at;
};
/// What became of an order to send one.
struct SnapshotEnded {
  CopyId to;
  bool arrived = false;
};

struct Synced {
  Ticket through{0};
};
/// A write or a sync failed. What is on disk is known only to the next incarnation.
struct DiskFailed {};
struct Applied {
  Seq through{0};
};
/// The log begins at `first` now.
struct Trimmed {
  Seq first{1};
};

/// What a read or a watch of the shard's record brought; may be outdated.
struct RecordSeen {
  ShardState record;
  Revision revision{0};
};

enum class SwapOutcome : std::uint8_t {
  Done,
  /// The record was not at the revision expected.
  Conflict,
  /// May have been written, or be written yet.
  Unknown,
  /// This attempt surely wrote nothing.
  NotWritten,
};
struct SwapAnswered {
  SwapId id{0};
  SwapOutcome outcome = SwapOutcome::Unknown;
  /// Of the record, if Done.
  Revision revision{0};
};

/// Give the role of the primary to another copy that is in sync.
struct HandOffAsked {
  CopyId target;
};
/// Take a copy out of the record for good; not the primary itself.
struct DropAsked {
  CopyId copy;
};

using Event =
    std::variant<Tick, WriteAsked, ReadAsked, Received, SnapshotReceived, SnapshotEnded, Synced,
                 DiskFailed, Applied, Trimmed, RecordSeen, SwapAnswered, HandOffAsked, DropAsked>;

}  // namespace quiver::cluster::replication
