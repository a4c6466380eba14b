#include "cluster/replication/touched_ids.h"

#include <algorithm>

namespace quiver::cluster::replication {

void TouchedIds::add(const std::vector<std::uint64_t>& hashes, Seq seq) {
  for (const auto hash : hashes) by_hash_[hash] = seq;
  if (by_hash_.size() > max_) reset(seq);
}

void TouchedIds::add_all(Seq seq) {
  all_ = std::max(all_, seq);
}

void TouchedIds::truncate_after(Seq last) {
  all_ = std::min(all_, last);
  // An earlier write of the same point may be left: which one is not known any more.
  for (auto& [unused, seq] : by_hash_) seq = std::min(seq, last);
}

void TouchedIds::applied(Seq through, Seq tail) {
  if (through >= tail) by_hash_.clear();
}

void TouchedIds::reset(Seq seq) {
  by_hash_.clear();
  all_ = seq;
}

Seq TouchedIds::needed(const std::vector<std::uint64_t>& hashes) const {
  Seq out = all_;
  for (const auto hash : hashes) {
    const auto found = by_hash_.find(hash);
    if (found != by_hash_.end()) out = std::max(out, found->second);
  }
  return out;
}

}  // namespace quiver::cluster::replication
