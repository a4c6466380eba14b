#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "cluster/replication/actions.h"
#include "cluster/replication/ending.h"
#include "cluster/replication/parcel.h"
#include "cluster/replication/work_pool.h"
#include "core/mutation.h"
#include "core/mutex.h"
#include "storage/shard_store.h"

namespace quiver::cluster::replication {

/// Hears what became of what went to disk. Called on the disk's thread, in order.
class DiskEvents {
 public:
  virtual ~DiskEvents() = default;

  /// All up to this ticket is durable.
  virtual void synced(Ticket through) = 0;
  /// Nothing more is written by this object. Once, and the last of synced() and applied().
  virtual void failed(const Error& why) = 0;
  /// `results`: of the entries up to `through`, in order.
  virtual void applied(Seq through, const std::vector<MutationResult>& results) = 0;
  /// The log begins with `first` now.
  virtual void trimmed(Seq first) = 0;
};

/// Opens the storage of a copy, also anew behind a snapshot that took its place. A seam for tests,
/// which put a shard there whose disk fails.
using WrapShard = std::function<std::unique_ptr<storage::Shard>(std::unique_ptr<storage::Shard>)>;

/// The disk of one copy of a shard: its log, its state, and what it must not forget of terms.
///
/// What it is told to write is done in order, on one thread at a time of a pool. Appends that were
/// queued together are one write and one sync. What is to be applied follows behind what is to be
/// written, some entries at a time. After a failure nothing more is written: what is on the disk is
/// known only to the next object.
///
/// Threads: any; what is told by two at once has no order.
class CopyDisk {
 public:
  /// Where a copy lies. `store` must outlive it.
  struct Place {
    storage::ShardStore& store;
    CollectionSpec spec;
    ShardId shard{0};
    CopyId copy;
    /// May be empty.
    WrapShard wrap = {};
  };

  /// Makes the copy `place` of a shard, empty, or of the only copy there was until now one of
  /// several. The record names it at the revision `born`, or will. One that is a copy already
  /// stays as it is.
  ///
  /// Errors: those of ShardStore::create() and open().
  static Status make(const Place& place, Revision born);
  /// Opens a copy that was made. `pool` must outlive it.
  ///
  /// Errors: those of ShardStore::open(); Corruption if what it knew of terms is missing, damaged,
  /// or contradicts its log.
  static Result<std::unique_ptr<CopyDisk>> open(const Place& place, WorkPool& pool);
  /// close().
  ~CopyDisk();

  /// What was found when it was opened.
  const Persisted& persisted() const noexcept { return persisted_; }
  /// Before anything is to be written. `events` must outlive close().
  void start(DiskEvents& events) { events_ = &events; }
  /// Waits for what is being written; what waits is dropped.
  void close();

  // -- to be written, in this order; none of these waits
  void persist_term(Term term, Ticket ticket);
  void append(std::vector<SharedEntry> entries, Ticket ticket);
  void truncate_after(Seq last, Ticket ticket);
  /// Takes the files in `received`, which is ShardStore::prepare_incoming() of this copy, in place
  /// of what is here. They hold all up to the end of `history`, applied.
  void install(std::filesystem::path received, History history, Ticket ticket);
  void apply_through(Seq seq);
  /// `work` between two of these, with the shard and the terms of its log; after a failure, or
  /// close(), it is dropped.
  using Work = std::function<void(storage::Shard& shard, const History& history)>;
  void run(Work work);

  /// For readers; null while a snapshot takes its place. It is to be let go of soon: the snapshot
  /// waits for that.
  std::shared_ptr<storage::Shard> shard() const;

 private:
  struct Persist {
    Term term;
  };
  struct Append {
    std::vector<SharedEntry> entries;
  };
  struct Truncate {
    Seq last;
  };
  struct Install {
    std::filesystem::path received;
    History history;
  };
  struct Call {
    Work work;
  };
  struct Job {
    std::variant<Persist, Append, Truncate, Install, Call> what;
    Ticket ticket{0};
  };
  CopyDisk(const Place& place, WorkPool& pool) : place_(place), strand_(pool) {}

  Status load();
  Status adopt(std::unique_ptr<storage::Shard> shard);
  void post(Job job);
  void schedule() QV_REQUIRES(mutex_);
  void work();
  Status carry_out(std::deque<Job>& jobs);
  /// The appends and terms at the front of `jobs`, with one sync.
  Status write_group(std::deque<Job>& jobs);
  Status carry_out(const Truncate& job);
  Status carry_out(const Install& job);
  Status store_terms();
  void end_shard();
  /// Some entries; whether there are more.
  Result<bool> apply_some(Seq target);
  void fail(const Error& why);

  const Place place_;
  Persisted persisted_;
  DiskEvents* events_ = nullptr;

  // Of the strand.
  storage::Shard* open_ = nullptr;
  /// Of the shard, which readers may hold.
  std::shared_ptr<Ending> ending_;
  Term seen_{0};
  std::uint64_t born_ = 0;
  History history_;
  Seq log_first_{1};
  /// `seen_` or the reigns differ from what is on disk.
  bool terms_changed_ = false;
  bool failed_ = false;

  mutable Mutex mutex_;
  std::shared_ptr<storage::Shard> shard_ QV_GUARDED_BY(mutex_);
  std::deque<Job> queue_ QV_GUARDED_BY(mutex_);
  Seq apply_through_ QV_GUARDED_BY(mutex_){0};
  bool scheduled_ QV_GUARDED_BY(mutex_) = false;
  bool closed_ QV_GUARDED_BY(mutex_) = false;
  /// Last: its work uses all above.
  Strand strand_;
};

}  // namespace quiver::cluster::replication
