#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <rocksdb/write_batch.h>

#include "core/mutation.h"
#include "core/point.h"
#include "core/result.h"
#include "storage/rocks.h"
#include "storage/slot_set.h"

namespace quiver::storage {

/// How far the state of a shard has come. It moves in the same batch as what it speaks of.
struct StateMark {
  LogPosition applied;
  /// The slot that the next version of a point takes.
  std::uint32_t next_slot = 0;
  /// Encoded bytes of all log entries applied since the shard was made.
  std::uint64_t log_bytes = 0;
  /// The oldest log entry that is kept, at most one behind `applied`.
  Seq log_first{1};
  /// Of `log_bytes`, those of entries before `log_first`.
  std::uint64_t log_bytes_trimmed = 0;
  /// The oldest entry whose request id is kept, at most `log_first`.
  Seq requests_first{1};

  bool operator==(const StateMark&) const = default;
};

/// A stored point, but for vector and payload.
struct PointRecord {
  Slot slot{0};
  /// Of the upsert that wrote it.
  LogPosition version;
  std::int64_t created_at_ms = 0;
  std::int64_t expires_at_ms = 0;

  bool operator==(const PointRecord&) const = default;
};

/// Whose version a slot holds.
struct SlotRecord {
  PointId id;
  std::int64_t created_at_ms = 0;
  std::int64_t expires_at_ms = 0;

  bool operator==(const SlotRecord&) const = default;
};

struct PayloadRecord {
  Json payload = Json::object();
  std::optional<std::string> text;

  bool operator==(const PayloadRecord&) const = default;
};

/// One atomic change of a shard's state. It bypasses the write-ahead log: after a crash the state
/// falls back to the last flush as a whole, StateMark included, and is brought forward again from
/// the log.
class StateBatch {
 public:
  explicit StateBatch(const Rocks& rocks) : rocks_(rocks) {}

  void put_point(const Point& point, Slot slot, LogPosition version);
  void erase_point(const PointId& id, Slot slot);
  void put_payload(Slot slot, const PayloadRecord& record);
  void put_mark(const StateMark& mark);
  void put_request(const std::string& key, const std::string& value);
  void erase_request(const std::string& key);

 private:
  friend class PointStore;
  const Rocks& rocks_;
  rocksdb::WriteBatch batch_;
};

/// Where points are kept: ids, slots, vectors and payloads of a shard, in RocksDB.
///
/// Threads: any; write() from one at a time.
class PointStore {
 public:
  /// `rocks` must outlive the store.
  explicit PointStore(Rocks& rocks) : rocks_(rocks) {}

  Status write(StateBatch& batch);
  Result<StateMark> mark() const;
  /// The mark that a crash now would fall back to.
  Result<StateMark> flushed_mark() const;

  /// One moment of the state: what it reads fits together, whatever is written meanwhile. Borrows
  /// the store.
  class View {
   public:
    /// Whether what is read displaces in the cache what others read.
    enum class Caching : std::uint8_t { Fill, Leave };
    explicit View(const PointStore& store, Caching caching = Caching::Fill);
    ~View();
    View(const View&) = delete;
    View& operator=(const View&) = delete;

    /// How far the state has come in it.
    Result<StateMark> mark() const;
    /// One answer for each id; absent where there is no such point.
    Result<std::vector<std::optional<PointRecord>>> find(std::span<const PointId> ids) const;
    /// One answer for each slot; absent where the slot was given up. Likewise below.
    Result<std::vector<std::optional<SlotRecord>>> slots(std::span<const Slot> slots) const;
    Result<std::vector<std::optional<PayloadRecord>>> payloads(std::span<const Slot> slots) const;
    /// Shape [dim] each, as given by the client.
    Result<std::vector<std::optional<std::vector<float>>>> vectors(
        std::span<const Slot> slots) const;

    /// Visits in order of id, from behind `after`, until `visit` returns false or an Error.
    Status each_point(
        const std::optional<PointId>& after,
        const std::function<Result<bool>(const PointId&, const PointRecord&)>& visit) const;
    /// In order of slot, from `from` on.
    Status each_slot(Slot from,
                     const std::function<Result<bool>(Slot, const SlotRecord&)>& visit) const;
    Status each_payload(Slot from,
                        const std::function<Result<bool>(Slot, const PayloadRecord&)>& visit) const;

   private:
    rocksdb::ReadOptions options() const;

    const Rocks& rocks_;
    const rocksdb::Snapshot* snapshot_;
    const Caching caching_;
  };

  const Rocks& rocks() const noexcept { return rocks_; }

 private:
  Rocks& rocks_;
};

}  // namespace quiver::storage
