#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/call_context.h"
#include "core/clock.h"
#include "core/collection_spec.h"
#include "core/content_sums.h"
#include "core/filter.h"
#include "core/mutation.h"
#include "core/point.h"
#include "storage/mutation_codec.h"
#include "storage/options.h"
#include "storage/payload_index.h"
#include "storage/replica_file.h"

namespace quiver::storage {

struct ShardQuery {
  /// Shape [dimension]; need not be normalised.
  std::vector<float> vector;
  /// 1 to limits::kSearchHitsMax.
  std::size_t k = 10;
  std::optional<Filter> filter;
  /// Look at every vector that matches instead of walking the graph.
  bool exact = false;
  /// 0: Options::default_ef.
  std::size_t ef = 0;
  Projection projection;
};

struct ScrollQuery {
  std::optional<Filter> filter;
  /// Continue behind this id.
  std::optional<PointId> after;
  std::size_t limit = 100;
  Projection projection;
};

struct ShardStats {
  std::uint64_t points = 0;
  /// Vectors that the graph does not hold yet; they are searched exactly meanwhile.
  std::uint64_t unindexed = 0;
  std::uint64_t disk_bytes = 0;
};

/// One replica's data: a directory with a log of mutations and the state they made.
///
/// applied() <= tail().seq. A mutation is durable when append() returns and visible when
/// apply_through() returns. What is visible reaches the disk later than the log: a shard that was
/// opened again may have forgotten that it applied the newest entries. Its replica first calls
/// apply_through() for what is known to be committed (with one copy: all), before anybody reads.
///
/// After a failed write the shard goes on reading and refuses to write until it is opened anew. If
/// that was for want of room, heals_when_opened() tells its owner when that helps.
///
/// Threads: append(), truncate_after() and apply_through() come from one thread at a time; all else
/// from any.
class Shard {
 public:
  virtual ~Shard() = default;

  // -- the log half
  /// Durable on return: group commit of all entries. Entries follow tail() without a gap.
  ///
  /// Errors: InvalidArgument on a gap, an older term, or a mutation that this collection cannot
  /// store, naming the point (nothing is appended then); ResourceExhausted when the disk is full or
  /// the shard has no slots left; Unavailable after a failed sync.
  virtual Status append(std::span<const LogEntry> entries) = 0;
  /// The same for entries in the bytes that the log stores; each was checked by check_append().
  virtual Status append_encoded(std::span<const EncodedEntry* const> entries) = 0;
  /// Whether an entry with this mutation could be appended. From any thread.
  ///
  /// Errors: InvalidArgument and ResourceExhausted as append().
  virtual Status check_append(const Mutation& mutation) const = 0;
  /// Forgets entries behind `last`. Errors: FailedPrecondition if last < applied().
  virtual Status truncate_after(Seq last) = 0;
  virtual LogPosition tail() const = 0;
  virtual Seq applied() const = 0;
  /// Makes the entries up to `committed` visible; one result for each newly applied entry. An entry
  /// with the request id of an applied one changes nothing and has the result of that.
  ///
  /// Errors: InvalidArgument beyond tail(); Corruption naming a damaged entry; ResourceExhausted or
  /// Unavailable when the state cannot be written. After any but the first the shard refuses
  /// writes.
  virtual Result<std::vector<MutationResult>> apply_through(Seq committed) = 0;
  /// At least one entry if there is any from `from` on; at most about `max_bytes`.
  ///
  /// Errors: FailedPrecondition if `from` is no longer kept; Corruption naming a damaged entry.
  virtual Result<std::vector<LogEntry>> read_log(Seq from, std::size_t max_bytes) const = 0;
  /// The same in the bytes that the log stores.
  virtual Result<std::vector<EncodedEntry>> read_encoded(Seq from, std::size_t max_bytes) const = 0;
  /// The oldest entry that is kept; the one behind tail() if there is none.
  virtual Seq log_first() const = 0;
  /// Entries from `seq` on stay in the log for the sake of other copies, up to
  /// Options::log_bytes_pinned. From any thread.
  virtual void keep_log_from(Seq seq) = 0;
  /// Durable on return; from the thread of append(). Errors: as write_replica_file().
  virtual Status store_replica(const ReplicaState& state) = 0;
  /// Errors: as read_replica_file(): NotFound for a copy that was always the only one.
  virtual Result<ReplicaState> replica() const = 0;
  /// Whether the shard refuses writes because the disk was full, and there is room now to open it
  /// anew. Cheap while it takes writes.
  virtual bool heals_when_opened() const = 0;
  /// The result of an applied write with this id, if it is in the window.
  virtual std::optional<MutationResult> find_request(const RequestId& id) const = 0;

  // -- the state half
  virtual Result<std::vector<ScoredPoint>> search(const CallContext& call,
                                                  const ShardQuery& query) const = 0;
  /// Those of `ids` that exist, in the order asked.
  virtual Result<std::vector<Point>> get(std::span<const PointId> ids,
                                         Projection projection) const = 0;
  /// In order of id.
  virtual Result<std::vector<Point>> scroll(const CallContext& call,
                                            const ScrollQuery& query) const = 0;
  /// Ids of the points that match, in order; at most `limit`.
  virtual Result<std::vector<PointId>> ids_matching(const CallContext& call, const Filter& filter,
                                                    std::size_t limit) const = 0;
  virtual Result<std::uint64_t> count(const CallContext& call,
                                      const std::optional<Filter>& filter) const = 0;
  virtual Result<std::vector<FieldSummary>> fields(std::size_t limit) const = 0;
  /// Ids of expired points that are still stored, at most `limit`.
  virtual std::vector<PointId> expired(std::int64_t now_ms, std::size_t limit) const = 0;
  virtual ShardStats stats() const = 0;
  /// Of all that is stored now, read from the disk; see sum_content(). `read` may wait.
  virtual Result<ContentSums> content_sums(
      const CallContext& call, const std::function<Status(std::size_t bytes)>& read) const = 0;

  /// Waits until the graph holds all vectors and writes its snapshot: the next open is quick.
  virtual Status flush_index(const CallContext& call) = 0;
  /// Makes the shard directory `directory`, which must not exist, with all that this one holds
  /// now: hard links as far as possible. Where its log ends. From the thread of append().
  virtual Result<LogPosition> checkpoint(const std::filesystem::path& directory) = 0;
};

}  // namespace quiver::storage
