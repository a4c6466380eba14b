#include "cluster/routing/session_tokens.h"

namespace quiver::cluster {

void SessionTokens::raise(const std::string& collection_id, ShardId shard, Seq at, Time now) {
  const MutexLock lock(mutex_);
  const auto [found, is_new] = known_.try_emplace(Key{collection_id, shard});
  auto& known = found->second;
  if (is_new) {
    known.turn = turns_.insert(turns_.end(), found->first);
  } else {
    if (at < known.token.at) return;
    turns_.splice(turns_.end(), turns_, known.turn);
  }
  known.token = {at, now};
  if (known_.size() <= shards_max_) return;
  known_.erase(turns_.front());
  turns_.pop_front();
}

SessionTokens::Token SessionTokens::find(const std::string& collection_id, ShardId shard) const {
  const MutexLock lock(mutex_);
  const auto found = known_.find(Key{collection_id, shard});
  return found == known_.end() ? Token{} : found->second.token;
}

}  // namespace quiver::cluster
