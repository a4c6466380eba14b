#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "cluster/coordination/store.h"
#include "cluster/replication/copy_audit.h"
#include "cluster/replication/copy_exchange.h"
#include "cluster/replication/record_keepers.h"
#include "cluster/replication/replicated_copy.h"
#include "cluster/replication/ticker.h"
#include "cluster/replication/work_pool.h"
#include "cluster/upkeep/copy_desk.h"
#include "cluster/view/view_source.h"
#include "core/clock.h"
#include "core/mutex.h"
#include "storage/shard_store.h"

namespace quiver::cluster::replication {

/// The copies on this server of shards that want several, and all that they share. A thread of its
/// own follows the view: it opens those that shards' records name, makes those that are new,
/// removes those that were given up, opens anew those whose disk failed, and erases points that
/// have expired. All of them stay open.
///
/// Threads: any. Must outlive what find() gave out.
class CopyHost final : public CopyDesk {
 public:
  struct Options {
    ReplicatedCopy::Options copy;
    CopyExchange::Options exchange;
    RecordKeepers::Options keepers;
    CopyAudit::Options audit;
    /// Write to disk, for all copies.
    std::size_t disk_threads = 4;
    /// Open copies side by side.
    std::size_t opening_threads = 8;
    /// Pause before a copy is opened anew that failed, or could not be opened.
    std::chrono::milliseconds reopen_after{3'000};
  };
  /// All must outlive it.
  struct Parts {
    CoordinationStore& store;
    ViewSource& views;
    storage::ShardStore& shards;
    const Clock& clock;
    NodeId self;
    /// As CopyExchange::Parts.
    std::function<Result<std::shared_ptr<thrift::NodeHandler>>(const NodeId&)> peer;
    std::filesystem::path outgoing;
    /// May be empty.
    WrapShard wrap = {};
  };

  /// Opens no copy yet.
  CopyHost(Parts parts, const Options& options);
  /// close().
  ~CopyHost() override;

  /// Begins to open copies: once this process has shown that it is this server. Again: nothing. One
  /// call at a time.
  ///
  /// Errors: those of CopyExchange::open(); InvalidArgument from ReplicationOptions::check();
  /// Unavailable after close().
  Status start();
  /// The view has changed. Does not block.
  void changed();
  /// Gives the roles of primaries here to copies in sync on servers that are up; waits for that,
  /// but no longer than `patience`.
  void resign(std::chrono::milliseconds patience);
  /// Answers all who wait, and closes all copies. Later calls are refused. To be called while
  /// answers of other servers still arrive: a primary that hears none takes its copies for dead.
  void close();

  /// Makes an empty copy of a shard whose record is about to name it. Of one that is here, nothing.
  ///
  /// Errors: those of CopyDisk::make(); Unavailable before start() and after close().
  Status make(const CollectionSpec& spec, ShardId shard, const CopyId& copy);
  /// Errors: WrongOwner if it is not here; Unavailable if it cannot be used now, saying why.
  Result<std::shared_ptr<ReplicatedCopy>> find(const storage::ShardPlace& place) const;
  /// What is in a copy, if it is open.
  struct Known {
    storage::ShardStats stats;
    CopyStatus status;
  };
  std::optional<Known> known(const storage::ShardPlace& place) const;
  /// Closes all copies of a collection, whose files are about to be removed, and opens none of it
  /// any more.
  void forget_collection(const std::string& collection_id);

  /// Null before start().
  std::shared_ptr<CopyExchange> exchange() const;

  Result<std::vector<thrift::CopyPosition>> positions(
      std::span<const thrift::CopyName> copies) override;
  Status direct(const thrift::CopyName& primary, const thrift::PrimaryOrder& order) override;
  Result<ContentSums> content_sums(const CallContext& call, const thrift::CopyName& copy) override;
  AuditFigures audited() const { return audit_.figures(); }

 private:
  /// What the record's keeper tells, also before the copy is there to be told.
  struct News;
  struct Hosted {
    std::unique_ptr<RecordKeeper> keeper;
    /// Null: it could not be opened.
    std::shared_ptr<ReplicatedCopy> copy;
    /// Of `copy`, which callers may hold.
    std::shared_ptr<Ending> ending;
    std::shared_ptr<News> news;
    Error why{ErrorCode::Unavailable, "it is being opened"};
    Time again;
  };
  using Hosting = std::shared_ptr<Hosted>;
  struct Wanted {
    const CollectionView* collection;
    bool fresh = false;
  };

  void work();
  /// One look at the view: what is to be opened, made or removed.
  void reconcile();
  /// Whether it is known what is on the disk.
  bool list_stored();
  std::map<storage::ShardPlace, Wanted> wanted(const ClusterView& view) const;
  /// A copy to be opened, and made before that if it has no files.
  struct Due {
    storage::ShardPlace place;
    const CollectionView* collection;
    bool on_disk = true;
  };
  std::vector<Due> due(const ClusterView& view,
                       const std::map<storage::ShardPlace, Wanted>& wanted);
  CopyDisk::Place disk_place(const storage::ShardPlace& place, const CollectionSpec& spec);
  /// Makes the files of a copy that the record names.
  Status make_files(const storage::ShardPlace& place, const CollectionSpec& spec, Revision born);
  void open_all(const std::vector<Due>& due);
  void open_copy(const Due& due);
  /// Of a copy that cannot be opened.
  void note_failure(const Due& due, const Error& why);
  bool begin_opening(const storage::ShardPlace& place);
  void end_opening(const storage::ShardPlace& place);
  Result<Hosting> try_open(const storage::ShardPlace& place, const CollectionSpec& spec);
  void remove_retired();
  void remove(const storage::ShardPlace& place, const char* why);
  void close_failed();
  /// Waits until nobody uses it.
  void shut(const Hosting& hosted);
  /// Its role or its record.
  void copy_changed();
  /// Asks primaries here to hand over, if there is whom to. Whether there are any.
  bool ask_heirs();
  static thrift::CopyPosition position_of(const Hosted& hosted);
  /// Another copy that could lead; nothing if there is none.
  std::optional<CopyId> heir_of(const ReplicatedCopy& copy, const CopyStatus& status) const;
  Hosting take(const storage::ShardPlace& place);
  void retire(const storage::ShardPlace& place);
  std::vector<std::shared_ptr<ReplicatedCopy>> open_copies() const;
  void purge_expired();
  /// Of the copies that are primary and take writes.
  std::vector<storage::ShardPlace> serving() const;

  const Parts parts_;
  const Options options_;
  const SafetyRules rules_;
  RecordKeepers keepers_;
  WorkPool pool_;
  Ticker ticker_;

  /// Taken under the locks of copies, which status() takes under mutex_.
  Mutex retired_mutex_;
  std::set<storage::ShardPlace> retired_ QV_GUARDED_BY(retired_mutex_);

  mutable Mutex mutex_;
  CondVar wake_;
  std::map<storage::ShardPlace, Hosting> hosted_ QV_GUARDED_BY(mutex_);
  /// The copies that have files here, once these were listed: nobody else makes or removes any.
  std::set<storage::ShardPlace> stored_ QV_GUARDED_BY(mutex_);
  bool listed_ QV_GUARDED_BY(mutex_) = false;
  /// Collections that are deleted, and that the last look at the view may have had.
  std::set<std::string> forgotten_ QV_GUARDED_BY(mutex_);
  bool moved_ QV_GUARDED_BY(mutex_) = false;
  /// Of copies, and of the view.
  std::uint64_t changes_ QV_GUARDED_BY(mutex_) = 0;
  /// All copies that were on the disk at the start have been looked at.
  bool complete_ QV_GUARDED_BY(mutex_) = false;
  /// Shared with the ticker.
  std::shared_ptr<CopyExchange> exchange_ QV_GUARDED_BY(mutex_);
  bool closed_ QV_GUARDED_BY(mutex_) = false;
  /// A thread is making or opening these: others wait for it.
  std::set<storage::ShardPlace> opening_ QV_GUARDED_BY(mutex_);
  std::thread thread_ QV_GUARDED_BY(mutex_);
  /// Of the thread.
  Time purge_due_;
  /// Last: its thread uses all above.
  CopyAudit audit_;
};

}  // namespace quiver::cluster::replication
