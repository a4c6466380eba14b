#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cluster/placement/plan.h"
#include "core/ids.h"
#include "core/json.h"
#include "core/result.h"

namespace quiver::cluster {

/// How far a move has come.
///
///   planned --> adding --> copying --> handing_over --> done
///      |          | ^         |              |
///      |          | +---------+--------------+   again, with another copy
///      +----------+-----------+------> failed, aborted: the shard is where it was
enum class MovePhase : std::uint8_t {
  Planned = 1,
  /// The shard's record gets the new copy.
  Adding = 2,
  /// Its files are on their way; writes of the shard are held back.
  Copying = 3,
  /// The old owner makes the new copy the primary.
  HandingOver = 4,
  Done = 5,
  /// Tried too often, or another try would fail as well.
  Failed = 6,
  /// Not wanted any more, such as when the collection was deleted.
  Aborted = 7,
};
std::string_view name(MovePhase phase) noexcept;

/// A move that is carried out, key moves/<id>. The server that it leads to works on it; all change
/// it by compare-and-swap.
struct MoveRecord {
  /// With copy and from.
  Move move;
  /// The copy that is made. Drawn anew for each attempt that may have been handed over to.
  CopyId to_copy;
  MovePhase phase = MovePhase::Planned;
  /// Of the last attempt that failed; for people.
  std::string error;
  /// That failed.
  std::uint32_t attempts = 0;
  std::uint64_t bytes_done = 0;
  /// 0: not known yet.
  std::uint64_t bytes_total = 0;
  /// The operation that it is a part of.
  std::string operation;
  std::int64_t started_ms = 0;
  std::int64_t updated_ms = 0;

  bool finished() const noexcept { return phase >= MovePhase::Done; }
  bool operator==(const MoveRecord&) const = default;
  Json to_json() const;
  /// Errors: Corruption if to_json() does not make this.
  static Result<MoveRecord> from_json(const Json& json);
  /// The same of the text in the store.
  static Result<MoveRecord> parse(std::string_view text);
};

}  // namespace quiver::cluster
