#include "cluster/upkeep/sightings.h"

namespace quiver::cluster {
namespace {

/// Keeps the times of those who are in `now_true`, and begins those of the others.
template <typename Key, typename Time>
void keep(std::map<Key, Time>& since, const std::set<Key>& now_true, Time now) {
  std::erase_if(since, [&](const auto& one) { return !now_true.contains(one.first); });
  for (const auto& key : now_true) since.emplace(key, now);
}

}  // namespace

void Sightings::note(const Liveness& liveness, const CopyReports& reports, Time now) {
  std::set<CopyId> failed;
  for (const auto& [copy, report] : reports) {
    if (report.condition != thrift::CopyCondition::Works) failed.insert(copy);
  }
  // A copy of which nothing was heard is as it was.
  for (const auto& [copy, since] : failed_since_) {
    if (!reports.contains(copy)) failed.insert(copy);
  }
  keep(down_since_, liveness.down, now);
  keep(failed_since_, failed, now);
  if (!begun_ || liveness.down != last_.down || liveness.dead != last_.dead) calm_since_ = now;
  begun_ = true;
  last_ = liveness;
  now_ = now;
}

std::set<NodeId> Sightings::dead(Duration delay) const {
  auto out = last_.dead;
  for (const auto& [node, since] : down_since_) {
    if (now_ - since >= delay) out.insert(node);
  }
  return out;
}

bool Sightings::has_failed(const CopyId& copy, Duration delay) const {
  const auto found = failed_since_.find(copy);
  return found != failed_since_.end() && now_ - found->second >= delay;
}

bool Sightings::calm(Duration delay) const {
  return begun_ && now_ - calm_since_ >= delay;
}

}  // namespace quiver::cluster
