#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/migration/receiver.h"
#include "cluster/replication/outbox.h"
#include "cluster/replication/peer_link.h"
#include "cluster/replication/replicated_copy.h"
#include "core/mutex.h"
#include "thrift/node_handler.h"

namespace quiver::cluster {

class CheckpointFiles;

}  // namespace quiver::cluster

namespace quiver::cluster::replication {

/// What the copies of this server send to those of others, and receive from them, over the calls
/// between servers: messages, entries, and snapshots, whose files the receiver fetches by chunks.
///
/// Threads: any.
class CopyExchange final : public Outbox, public Ticker::Ticked {
 public:
  struct Options {
    PeerLink::Options link;
    /// Snapshots that are received at once, and as many that are made at once: one who receives
    /// many holds up none who wait for one from here.
    std::size_t bulk_threads = 2;
    /// Of all files that go out from this server and come to it; never null.
    Paces paces;
    /// A snapshot of which nobody read for so long is given up; whoever fetches one tries for so
    /// long to get its next byte.
    std::chrono::milliseconds snapshot_idle{30'000};
    /// The files of one that was given up are kept for so long, at both ends: the next one for the
    /// same copy goes on with them, if the log reaches back to where they end.
    std::chrono::milliseconds snapshot_keep{600'000};
    /// Pause behind a chunk that did not come; doubled for each further one, up to two seconds.
    std::chrono::milliseconds fetch_pause{100};
    /// Of one call for a chunk, or to offer a snapshot.
    std::chrono::milliseconds call_time{30'000};
    /// Of the call that tells a source that it may let go of a snapshot.
    std::chrono::milliseconds end_time{5'000};
    /// The way to a server that nothing was sent to for so long is taken down: it was removed, or
    /// has no copy that goes with one here any more.
    std::chrono::milliseconds link_idle{60'000};
  };
  /// All must outlive it.
  struct Parts {
    /// Another server. Errors: it is not known where it is.
    std::function<Result<std::shared_ptr<thrift::NodeHandler>>(const NodeId&)> peer;
    storage::ShardStore& store;
    NodeId self;
    /// Where checkpoints lie, on the file system of the shards.
    std::filesystem::path outgoing;
  };

  /// What an earlier process left in `outgoing` is removed. Errors: those of the file system.
  static Result<std::unique_ptr<CopyExchange>> open(Parts parts, const Options& options);
  /// close().
  ~CopyExchange() override;
  /// Sends nothing any more, and gives up snapshots. Before the copies are closed.
  void close();

  /// A copy that takes part from now on, until remove() or until it is gone.
  void add(const std::shared_ptr<ReplicatedCopy>& copy);
  void remove(const CopyId& copy);

  // -- Outbox
  void send(Parcel parcel) override;
  void send_snapshot(const SnapshotOrder& order) override;

  // -- as thrift::NodeHandler
  thrift::Reply<std::vector<thrift::RefusedParcel>> deliver(
      const thrift::NodeCall& call, std::vector<thrift::CopyParcel> parcels);
  thrift::Answered offer_snapshot(const thrift::ShardCall& call,
                                  const thrift::SnapshotOffer& offer);
  /// Whether a chunk is one of a snapshot from here.
  bool knows(const std::string& checkpoint) const;
  thrift::Reply<std::string> read_chunk(const thrift::ShardCall& call,
                                        const thrift::ChunkCall& chunk);
  thrift::Answered end_checkpoint(const thrift::ShardCall& call, const std::string& checkpoint);

  /// Gives up snapshots that nobody fetches, and takes down ways that nobody uses.
  void tick() override;

  /// To one server.
  PeerLink::Figures figures(const NodeId& node) const;
  /// Those that are kept, and nobody fetches, not included.
  std::size_t snapshots_outgoing() const;
  /// Of the newest snapshot for a copy here that came, or is coming; 0 of 0: none.
  struct Fetched {
    std::uint64_t bytes_done = 0;
    std::uint64_t bytes_total = 0;
  };
  Fetched fetched(const CopyId& copy) const;
  /// Ways to other servers, each with threads of its own.
  std::size_t links() const;

 private:
  /// A snapshot that lies ready.
  struct Outgoing {
    std::shared_ptr<CheckpointFiles> files;
    History history;
    SnapshotOrder order;
    Time read_at;
    /// It was given up, and is kept.
    std::optional<Time> kept_since;
  };

  CopyExchange(Parts parts, const Options& options);

  std::shared_ptr<ReplicatedCopy> find(const std::string& collection, ShardId shard,
                                       const CopyId& copy) const;
  Status take(const NodeId& from, thrift::CopyParcel& parcel);
  void make_snapshot(const SnapshotOrder& order);
  Status offer(const SnapshotOrder& order, ReplicatedCopy& source);
  /// One that is kept for that copy, and good; nothing: there is none.
  std::optional<std::string> kept_for(const SnapshotOrder& order, const ReplicatedCopy& source);
  Result<std::string> make(const SnapshotOrder& order, ReplicatedCopy& source);
  void fetch_snapshot(const thrift::ShardCall& call, const thrift::SnapshotOffer& offer);
  /// Of one that broke off, what has come; else nothing, and an empty directory.
  Result<Transfer> begin_fetch(ReplicatedCopy& copy, const thrift::SnapshotOffer& offer);
  Status fetch_files(const thrift::ShardCall& call, const thrift::SnapshotOffer& offer,
                     Transfer& transfer);
  /// Whether its files are kept.
  bool leave(ReplicatedCopy& copy, const Transfer& transfer, const Error& why);
  void note_fetched(const CopyId& copy, const Transfer& transfer);
  SnapshotReceived arriving(const std::string& checkpoint) const;
  /// It is neither fetched nor installed any more.
  void forget_arriving(const std::string& checkpoint);
  void end_at_source(const NodeId& source, const thrift::ShardCall& call,
                     const std::string& checkpoint);
  Result<std::shared_ptr<CheckpointFiles>> outgoing(const thrift::ShardCall& call,
                                                    const std::string& checkpoint);
  void end_outgoing(const std::string& checkpoint, bool arrived);
  void give_up_idle();
  void discard_kept();
  /// Of a copy whose files came in and are kept for too long.
  void discard_incoming(const CopyId& copy);
  void take_down_idle();
  /// After close() nothing.
  void post(std::unique_ptr<WorkPool>& pool, WorkPool::Work work);

  const Parts parts_;
  const Options options_;
  mutable Mutex mutex_;
  bool closed_ QV_GUARDED_BY(mutex_) = false;
  std::map<CopyId, std::weak_ptr<ReplicatedCopy>> copies_ QV_GUARDED_BY(mutex_);
  struct Link {
    std::shared_ptr<PeerLink> way;
    Time used_at;
  };
  std::map<NodeId, Link> links_ QV_GUARDED_BY(mutex_);
  std::map<std::string, Outgoing> outgoing_ QV_GUARDED_BY(mutex_);
  /// By id of the checkpoint, those that are being fetched or installed, as they were last offered.
  std::map<std::string, SnapshotReceived> arriving_ QV_GUARDED_BY(mutex_);
  std::map<CopyId, Fetched> fetched_ QV_GUARDED_BY(mutex_);
  /// Held while files that were kept are removed, or found to be needed: before mutex_.
  Mutex keeping_;
  /// Copies here whose snapshot broke off, since when its files are kept.
  std::map<CopyId, Time> kept_incoming_ QV_GUARDED_BY(keeping_);
  /// Fires with close().
  const CancelToken cancel_ = CancelToken::make();
  /// Last: their work uses all above. Two: of servers that send each other snapshots none waits for
  /// the other's end, and what others wait for is done beside what is waited for here.
  std::unique_ptr<WorkPool> making_;
  std::unique_ptr<WorkPool> fetching_;
};

}  // namespace quiver::cluster::replication
