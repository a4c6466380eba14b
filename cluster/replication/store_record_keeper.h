#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "cluster/coordination/store.h"
#include "cluster/replication/record_keeper.h"
#include "cluster/view/view_source.h"
#include "core/mutex.h"

namespace quiver::cluster::replication {

/// Keeps to the coordination store: a swap is one transaction that compares the revision of the
/// record's key. What the store says is passed on as it is; an answer that does not come, or does
/// not tell, is Unknown, and only what surely did not reach the store is NotWritten.
///
/// A bounded pool of threads asks the store. Of each link one call at a time is under way and one
/// waits, so what waits is bounded by the number of copies; links take turns.
///
/// Threads: any. `store` and `views` must outlive it.
class StoreRecordKeeper final : public RecordKeeper {
 public:
  struct Options {
    std::size_t threads = 4;
    /// A call of the store takes no longer; a swap is Unknown then.
    std::chrono::milliseconds call_time{2'000};
  };
  StoreRecordKeeper(CoordinationStore& store, ViewSource& views, const Options& options);
  /// close().
  ~StoreRecordKeeper() override;

  std::unique_ptr<RecordLink> follow(const std::string& collection_id, ShardId shard,
                                     TellRecord tell) override;
  /// Tells who follows what the view has learned. To be called behind every change of the view:
  /// ViewSource::on_change().
  void look();
  /// Ends the threads: swaps that have not begun are not answered, nor is anything later.
  void close();

 private:
  struct Followed;
  class Link;
  enum class Work : std::uint8_t { Look, Swap, Read };

  void ask(const std::shared_ptr<Followed>& followed, Work work,
           std::optional<SwapRecord> wanted = std::nullopt);
  void forget(const std::shared_ptr<Followed>& followed);
  void work();
  void carry_out(Followed& followed, bool look, const std::optional<SwapRecord>& wanted, bool read);
  void look_for(Followed& followed);
  SwapAnswered swap(const Followed& followed, const SwapRecord& wanted);
  void read(Followed& followed);
  CallContext call() const;

  CoordinationStore& store_;
  ViewSource& views_;
  const Options options_;
  const CancelToken cancel_ = CancelToken::make();

  Mutex mutex_;
  CondVar wake_;
  std::set<std::shared_ptr<Followed>> followed_ QV_GUARDED_BY(mutex_);
  /// Those that want something and have nothing under way.
  std::deque<std::shared_ptr<Followed>> waiting_ QV_GUARDED_BY(mutex_);
  bool closed_ QV_GUARDED_BY(mutex_) = false;
  /// Before close(), constant.
  std::vector<std::thread> threads_;
};

}  // namespace quiver::cluster::replication
