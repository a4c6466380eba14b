#pragma once

#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

#include "cluster/replication/events.h"

/// What a shell is to do, in order. All that carries a Ticket goes to disk, and Synced answers it;
/// tickets rise by one.
namespace quiver::cluster::replication {

struct PersistTerm {
  Term term{0};
  Ticket ticket{0};
};
/// Append the body of this write to the log.
struct AppendWrite {
  Tag tag{0};
  LogPosition position;
  Ticket ticket{0};
};
/// Append the bodies that came with this Append, from the one of `first` on.
struct AppendReceived {
  Seq first{0};
  Ticket ticket{0};
};
struct TruncateAfter {
  Seq last{0};
  Ticket ticket{0};
};
/// Replace log and state by the snapshot that came, which ends with `position`.
struct InstallSnapshot {
  LogPosition position;
  Ticket ticket{0};
};
/// Make entries visible, then tell with Applied.
struct ApplyThrough {
  Seq seq{0};
};

/// To an Append the shell adds the entries behind `prev` up to `through`, from the log or from what
/// is on its way there. It may send them as several, in order.
struct Send {
  CopyId to;
  Message message;
};
/// Send all that is applied, under `term`; SnapshotEnded tells what became of it.
struct SendSnapshot {
  CopyId to;
  Term term{0};
  Time sent_at;
};

/// Write the record if it is at `expected`; SwapAnswered tells.
struct SwapRecord {
  SwapId id{0};
  Revision expected{0};
  std::shared_ptr<const ShardState> desired;
};
/// Read the record; RecordSeen tells.
struct ReadRecord {};
/// The shard has no use for this copy any more: remove its files.
struct Retire {};

enum class WriteOutcome : std::uint8_t {
  /// Committed; ApplyThrough of it came before.
  Done,
  /// An earlier write with the request id did it; the table has its result.
  DoneBefore,
  /// May take effect, or have done so.
  Unknown,
  // The rest are refusals: this attempt surely takes no effect.
  NotPrimary,
  /// The primary has to wait until nobody relies on an earlier one.
  NotServing,
  TooFewCopies,
  HandingOff,
  TooMany,
  RetryTooOld,
  Failed,
};
constexpr bool refused(WriteOutcome outcome) noexcept {
  return outcome >= WriteOutcome::NotPrimary;
}
struct AnswerWrite {
  Tag tag{0};
  WriteOutcome outcome = WriteOutcome::Unknown;
  /// If Done.
  LogPosition position;
};

enum class ReadOutcome : std::uint8_t {
  Granted,
  NotPrimary,
  NotLeased,
  /// Ask the primary.
  NotCaughtUp,
  Failed,
};
struct AnswerRead {
  Tag tag{0};
  ReadOutcome outcome = ReadOutcome::Failed;
  /// Granted: read when this is applied.
  Seq at_least{0};
};

using Action = std::variant<PersistTerm, AppendWrite, AppendReceived, TruncateAfter,
                            InstallSnapshot, ApplyThrough, Send, SendSnapshot, SwapRecord,
                            ReadRecord, Retire, AnswerWrite, AnswerRead>;
using Actions = std::vector<Action>;

}  // namespace quiver::cluster::replication
