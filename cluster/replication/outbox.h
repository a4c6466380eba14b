#pragma once

#include "cluster/replication/parcel.h"
#include "cluster/replication/replication_time.h"

namespace quiver::cluster::replication {

/// A snapshot of the copy `from` is to be made and brought to `to`.
struct SnapshotOrder {
  /// CollectionSpec::id.
  std::string collection;
  ShardId shard{0};
  CopyId from;
  CopyId to;
  /// The server that holds `to`; empty if that is not known.
  NodeId to_node;
  Term term{0};
  Time sent_at;
};

/// The way from the copies of one server to those of others.
///
/// Threads: any, those of one copy one at a time. No call waits for another server.
class Outbox {
 public:
  virtual ~Outbox() = default;

  /// May be lost, or arrive late, twice, or in another order.
  virtual void send(Parcel parcel) = 0;
  /// ReplicatedCopy::snapshot_ended() tells what became of it.
  virtual void send_snapshot(const SnapshotOrder& order) = 0;
};

}  // namespace quiver::cluster::replication
