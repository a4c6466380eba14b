#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cluster/replication/messages.h"
#include "storage/mutation_codec.h"

namespace quiver::cluster::replication {

/// An entry of the log on its way to disk or to other copies.
using SharedEntry = std::shared_ptr<const storage::EncodedEntry>;

/// A message of one copy to another, with the entries that go with it.
struct Parcel {
  /// CollectionSpec::id.
  std::string collection;
  ShardId shard{0};
  CopyId from;
  CopyId to;
  /// The server that holds `to`; empty if that is not known.
  NodeId to_node;
  Message message;
  /// Of an Append: those behind `prev` up to `through`, in order.
  std::vector<SharedEntry> entries;
};

/// The same as it arrives, from another server or out of nowhere: nothing of it has been checked.
struct ArrivedParcel {
  CopyId from;
  NodeId from_node;
  Message message;
  /// As storage::encode_log_entry() makes them.
  std::vector<std::string> entries;
};

}  // namespace quiver::cluster::replication
