#pragma once

#include <cstdint>
#include <variant>

#include "cluster/replication/history.h"
#include "cluster/replication/replication_time.h"
#include "core/ids.h"
#include "core/mutation.h"

/// What the copies of a shard tell each other. Bodies of entries travel beside these, in the hands
/// of the shell.
namespace quiver::cluster::replication {

/// What the rules need to know of an entry that travels.
struct EntryHead {
  Term term{0};
  RequestId request;

  bool operator==(const EntryHead&) const = default;
};

/// What a copy is to the primary.
enum class Standing : std::uint8_t {
  /// Gets the log, and nobody waits for it.
  Outside = 1,
  /// Writes wait for it, but it may not become primary yet.
  Joining = 2,
  /// Holds every acknowledged write.
  InSync = 3,
};

/// Primary to copy: the entries behind `prev` up to `through`, none in a sign of life.
struct Append {
  Term term{0};
  LogPosition prev;
  Seq through{0};
  /// The primary's log ended here when its term began: what lies behind is of this term.
  Seq gate{0};
  /// Every entry up to here is committed.
  Seq commit{0};
  Standing standing = Standing::Outside;
  /// Of the primary's clock; comes back with the answer.
  Time sent_at;
};

/// Copy to primary: the log up to `matched` is the primary's, and durable.
struct Ack {
  Term term{0};
  Seq matched{0};
  /// Of the newest Append it answers.
  Time sent_at;
};

/// Copy to whoever sent in an old term: it is no longer primary.
struct Stale {
  Term seen{0};
};

/// Copy to primary: its log does not hold Append::prev, or another entry that cannot be undone.
struct Mismatch {
  Term term{0};
  History history;
  Seq applied{0};
};

/// Former primary to the next one, of term `next`: it answers no reads any more, nor does anybody
/// before it.
struct Resigned {
  Term next{0};
};

using Message = std::variant<Append, Ack, Stale, Mismatch, Resigned>;

}  // namespace quiver::cluster::replication
