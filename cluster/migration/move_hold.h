#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "cluster/migration/move_source.h"

namespace quiver::cluster {

/// A hand-over that was begun.
struct MoveSource::HandOver {
  CopyId to_copy;
  NodeId to_node;
  /// The record that is replaced, and what it becomes.
  Revision revision{0};
  std::string value;
  /// A transaction was sent, and whether it took effect is not known.
  bool unknown = false;
  /// It took effect, up to this revision of the store; this server has yet to act on that.
  std::optional<Revision> done;
};

/// Writes of one copy that are held back. Guarded by the mutex of MoveSource; what is marked "of
/// the one who seized it" is read and changed by that thread only, without the mutex.
struct MoveSource::Hold {
  storage::ShardPlace place;
  /// The server that asked for it.
  std::string holder;
  /// Of the one who seized it.
  ShardHost::Use use;
  LogPosition position;
  std::chrono::milliseconds span{0};
  std::chrono::steady_clock::time_point runs_out;
  std::chrono::steady_clock::time_point runs_out_latest;
  std::chrono::steady_clock::time_point progress_at;
  /// By file: up to where the checkpoint was read.
  std::map<std::string, std::uint64_t> read;
  std::uint64_t bytes_left = 0;
  /// There is a checkpoint, and all of it was read.
  bool is_read = false;
  /// One thread works with it: it does not run out meanwhile.
  bool seized = false;
  bool ended = false;
  std::shared_ptr<CheckpointFiles> checkpoint;
  /// Of the one who seized it.
  std::optional<HandOver> hand_over;
  std::chrono::steady_clock::time_point settle_at;
};

}  // namespace quiver::cluster
