#include "cluster/replication/history.h"

#include <algorithm>
#include <cassert>

namespace quiver::cluster::replication {

bool History::check() const {
  if (reigns_.empty()) return tail_ == Seq{0};
  Reign before;
  for (const Reign& reign : reigns_) {
    if (reign.term <= before.term || reign.first <= before.first) return false;
    before = reign;
  }
  return reigns_.back().first <= tail_;
}

Term History::term_at(Seq seq) const {
  assert(seq <= tail_);
  for (auto reign = reigns_.rbegin(); reign != reigns_.rend(); ++reign) {
    if (reign->first <= seq) return reign->term;
  }
  return Term{0};
}

bool History::contains(LogPosition position) const {
  if (position.seq == Seq{0}) return true;
  return position.seq <= tail_ && position.term != Term{0} &&
         term_at(position.seq) == position.term;
}

void History::append(Term term) {
  tail_ = next(tail_);
  if (reigns_.empty() || reigns_.back().term != term) {
    assert(reigns_.empty() || reigns_.back().term < term);
    reigns_.push_back({term, tail_});
  }
}

void History::truncate_after(Seq last) {
  assert(last <= tail_);
  tail_ = last;
  while (!reigns_.empty() && reigns_.back().first > tail_) reigns_.pop_back();
}

Seq common_point(const History& a, const History& b) {
  // Logs that share one entry share all before it, so the last shared entry ends a reign of one of
  // them.
  Seq common{0};
  auto ends_in = [&common](const History& ends, const History& other) {
    const auto& reigns = ends.reigns();
    for (std::size_t i = 0; i < reigns.size(); ++i) {
      const Seq end = i + 1 < reigns.size() ? Seq{raw(reigns[i + 1].first) - 1} : ends.tail();
      const Seq seq = std::min(end, other.tail());
      if (seq >= reigns[i].first && other.contains({reigns[i].term, seq})) {
        common = std::max(common, seq);
      }
    }
  };
  ends_in(a, b);
  ends_in(b, a);
  return common;
}

}  // namespace quiver::cluster::replication
