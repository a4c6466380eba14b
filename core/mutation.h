#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/filter.h"
#include "core/ids.h"
#include "core/point.h"
#include "core/point_digest.h"

namespace quiver {

/// Inserts points; one whose id exists is replaced whole.
struct UpsertPoints {
  std::vector<Point> points;
};
struct ErasePoints {
  std::vector<PointId> ids;
  /// Points that earlier parts of the same write erased. The result counts them too, so that the
  /// last part of a write that takes several entries, which has its request id, tells of all.
  std::uint64_t erased_before = 0;
};
/// Erases those of `ids` that have expired at `before_ms`; one that was rewritten meanwhile stays.
struct EraseExpired {
  std::vector<PointId> ids;
  std::int64_t before_ms = 0;
};
/// Changes payloads and leaves vector, text and times alone. Ids that do not exist are skipped.
struct UpdatePayload {
  /// Merge: the keys of `payload` replace those of the point; a null value removes the key.
  enum class Mode : std::uint8_t { Merge = 1, Replace = 2 };
  std::vector<PointId> ids;
  Mode mode = Mode::Merge;
  Json payload = Json::object();
};

/// A change to one shard, resolved and deterministic: the same log gives the same state anywhere.
using Mutation = std::variant<UpsertPoints, ErasePoints, EraseExpired, UpdatePayload>;

/// Erases the points that match when the write's turn comes, at the owner of the shard.
struct EraseMatching {
  Filter filter;
};
/// What must be stored under an id when a write's turn comes.
struct Expectation {
  PointId id;
  /// digest_of() it; absent: nothing is.
  std::optional<PointDigest> digest;

  bool operator==(const Expectation&) const = default;
};
/// Inserts or replaces all of the points if every expectation holds when the write's turn comes, at
/// the owner of the shard; else none, and the result says that no point was affected.
struct UpsertIf {
  std::vector<Point> points;
  std::vector<Expectation> expected;
};
/// What a client asks of one shard; resolved to a Mutation before it is logged.
using WriteRequest = std::variant<Mutation, EraseMatching, UpsertIf>;

/// What a mutation did. Kept with the request id, so that a retry gets the same answer.
struct MutationResult {
  /// Points that the mutation inserted, replaced, erased or updated.
  std::uint64_t affected = 0;
  /// Of these, points that did not exist before.
  std::uint64_t created = 0;

  bool operator==(const MutationResult&) const = default;
};

/// A write that is done, and where in the log of its shard: whoever saw it reads at copies that
/// have come as far.
struct Written {
  MutationResult result;
  /// At least; 0: not told.
  Seq at{0};
};

/// One entry of a shard's log.
struct LogEntry {
  Term term{1};
  Seq seq{0};
  RequestId request_id;
  Mutation mutation;
};

struct LogPosition {
  Term term{0};
  Seq seq{0};

  auto operator<=>(const LogPosition&) const = default;
};

}  // namespace quiver
