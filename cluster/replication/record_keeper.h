#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "cluster/replication/actions.h"
#include "cluster/replication/events.h"
#include "core/ids.h"

namespace quiver::cluster::replication {

/// What comes of the shard's record: what it is, and what became of an attempt to change it.
using RecordEvent = std::variant<RecordSeen, SwapAnswered>;

/// Called on threads of the keeper or of the view, one call after the other. Must not block: it
/// puts the event where the copy's own thread finds it.
using TellRecord = std::function<void(RecordEvent event)>;

/// One copy's way to the record of its shard.
///
/// Letting go of it ends its events: none is under way after that. Not to be let go of inside its
/// TellRecord, nor under a lock that TellRecord takes. A swap that is under way goes on.
///
/// Threads: any. No call blocks, and none tells before it returns.
class RecordLink {
 public:
  virtual ~RecordLink() = default;

  /// Performs SwapRecord; SwapAnswered tells. One that has not begun when the next is asked for is
  /// given up for it, and not answered: nobody waits for it any more.
  virtual void swap(const SwapRecord& wanted) = 0;
  /// Performs ReadRecord: RecordSeen tells. Nothing does if the record is not there, or cannot be
  /// read: the rules ask again.
  virtual void read() = 0;
};

/// Where the copies of this server learn of their shards' records, and have them changed.
///
/// Threads: any. Must outlive its links.
class RecordKeeper {
 public:
  virtual ~RecordKeeper() = default;

  /// Tells RecordSeen of what is known of the record, and whenever it changes: each time of a newer
  /// revision, but after RecordLink::read().
  virtual std::unique_ptr<RecordLink> follow(const std::string& collection_id, ShardId shard,
                                             TellRecord tell) = 0;
};

}  // namespace quiver::cluster::replication
