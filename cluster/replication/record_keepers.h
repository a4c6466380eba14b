#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "cluster/coordination/store.h"
#include "cluster/replication/record_keeper.h"
#include "cluster/view/view_source.h"
#include "core/mutex.h"

namespace quiver::cluster::replication {

/// The way of this server's copies to their shards' records in the coordination store.
///
/// A swap is one transaction that compares the revision of the record's key. What the store says is
/// passed on as it is: an answer that does not come, or does not tell, is Unknown, and only what
/// surely did not reach the store is NotWritten.
///
/// A bounded pool of threads asks the store. For each copy one call at a time is under way, and of
/// what waits behind it only the newest swap and the newest read are kept; the others are not
/// answered. So what waits is bounded by the number of copies, and these take turns. A thread of
/// its own tells them what the view has learned, so that no news waits for a call of the store, and
/// the view for no copy.
///
/// Threads: any. `store` and `views` must outlive it.
class RecordKeepers {
 public:
  struct Options {
    std::size_t threads = 4;
    /// A call of the store takes no longer; a swap is Unknown then.
    std::chrono::milliseconds call_time{2'000};
  };
  RecordKeepers(CoordinationStore& store, ViewSource& views, const Options& options);
  /// close().
  ~RecordKeepers();
  RecordKeepers(const RecordKeepers&) = delete;
  RecordKeepers& operator=(const RecordKeepers&) = delete;

  /// For one copy of a shard. `news` is told what is known of the record, and whenever that
  /// changes: each time of a newer revision.
  ///
  /// Letting go of the keeper ends its calls, answers included: none is under way after that. Not
  /// to be let go of inside one, nor under a lock that one takes. Calls come on threads of this,
  /// one after the other, and must not block. To be let go of before this.
  std::unique_ptr<RecordKeeper> follow(const std::string& collection_id, ShardId shard,
                                       RecordKeeper::Seen news);
  /// Has all keepers told what the view has learned. To be called behind every change of the view:
  /// ViewSource::on_change(). Does not block.
  void look();
  /// Ends the threads: what has not begun is not answered, nor is anything later.
  void close();

 private:
  struct Followed;
  class Keeper;

  void queue(const std::shared_ptr<Followed>& followed) QV_REQUIRES(mutex_);
  void forget(const std::shared_ptr<Followed>& followed);
  void work();
  void tell_all();
  void look_for(Followed& followed);
  CallContext call() const;

  CoordinationStore& store_;
  ViewSource& views_;
  const Options options_;
  const CancelToken cancel_ = CancelToken::make();

  Mutex mutex_;
  CondVar wake_;
  std::set<std::shared_ptr<Followed>> followed_ QV_GUARDED_BY(mutex_);
  /// Those that want something, and that no thread works for.
  std::deque<std::shared_ptr<Followed>> waiting_ QV_GUARDED_BY(mutex_);
  /// The view has changed since they were told.
  bool look_ QV_GUARDED_BY(mutex_) = false;
  CondVar look_changed_;
  bool closed_ QV_GUARDED_BY(mutex_) = false;
  /// Joined by close().
  std::vector<std::thread> threads_;
};

}  // namespace quiver::cluster::replication
