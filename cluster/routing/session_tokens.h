#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <map>
#include <string>
#include <utility>

#include "core/ids.h"
#include "core/mutex.h"

namespace quiver::cluster {

/// Where the last write stands that was acknowledged through this server, of each shard with
/// several copies: a session read sees it. Kept in memory: a server that was started again knows of
/// none.
///
/// Threads: any.
class SessionTokens {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Token {
    /// 0: none is known.
    Seq at{0};
    /// When it was last acknowledged.
    Time when;
  };

  /// Of more shards than this, those that were written longest ago are forgotten.
  explicit SessionTokens(std::size_t shards_max = 65'536) : shards_max_(shards_max) {}

  /// A seq below the one that is known changes nothing.
  void raise(const std::string& collection_id, ShardId shard, Seq at, Time now);
  Token find(const std::string& collection_id, ShardId shard) const;

 private:
  using Key = std::pair<std::string, ShardId>;
  struct Known {
    Token token;
    std::list<Key>::iterator turn;
  };

  const std::size_t shards_max_;
  mutable Mutex mutex_;
  std::map<Key, Known> known_ QV_GUARDED_BY(mutex_);
  /// Written longest ago first.
  std::list<Key> turns_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::cluster
