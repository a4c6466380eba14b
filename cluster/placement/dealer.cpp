#include "cluster/placement/dealer.h"

#include <algorithm>
#include <utility>

namespace quiver::cluster {

std::uint64_t Dealer::Zone::needed() const noexcept {
  const std::uint64_t missing = must > chosen ? must - chosen : 0;
  return std::max(missing, forced);
}

Dealer::Dealer(std::vector<Seat> seats, std::size_t zone_count, std::uint32_t per_zone,
               std::vector<std::uint64_t> quotas)
    : seats_(std::move(seats)),
      per_zone_(per_zone),
      quotas_(std::move(quotas)),
      zones_(zone_count) {}

std::vector<std::size_t> Dealer::deal(std::uint32_t copies, std::uint64_t to_go,
                                      const Prefer& prefer) {
  begin(to_go);
  const auto attempts = static_cast<std::uint32_t>(16 + 4 * seats_.size());
  for (std::uint32_t replica = 0; replica < copies; ++replica) {
    auto chosen = no_seat();
    for (std::uint32_t attempt = 0; attempt < attempts && chosen == no_seat(); ++attempt) {
      const auto seat = prefer(replica, attempt);
      if (seat != no_seat() && may_take(seat, copies)) chosen = seat;
    }
    take(chosen == no_seat() ? fullest(copies) : chosen);
  }
  return chosen_;
}

void Dealer::begin(std::uint64_t to_go) {
  chosen_.clear();
  to_go_ = to_go;
  zones_.assign(zones_.size(), Zone{});
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    auto& zone = zones_[seats_[i].zone];
    zone.must += quotas_[i];
    if (quotas_[i] == to_go) ++zone.forced;
  }
  const auto later = per_zone_ * (to_go - 1);
  for (auto& zone : zones_) zone.must -= std::min(zone.must, later);
}

bool Dealer::may_take(std::size_t seat, std::uint32_t copies) const {
  const auto at = seats_[seat].zone;
  if (quotas_[seat] == 0 || zones_[at].chosen >= per_zone_) return false;
  if (std::find(chosen_.begin(), chosen_.end(), seat) != chosen_.end()) return false;
  std::uint64_t needed = 0;
  for (std::size_t i = 0; i < zones_.size(); ++i) {
    Zone zone = zones_[i];
    if (i == at) {
      ++zone.chosen;
      if (quotas_[seat] == to_go_) --zone.forced;
      if (zone.chosen + zone.forced > per_zone_) return false;
    }
    needed += zone.needed();
  }
  return needed + chosen_.size() + 1 <= copies;
}

std::size_t Dealer::fullest(std::uint32_t copies) const {
  auto best = no_seat();
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    if (!may_take(i, copies)) continue;
    if (best == no_seat() || quotas_[i] > quotas_[best]) best = i;
  }
  return best;
}

void Dealer::take(std::size_t seat) {
  auto& zone = zones_[seats_[seat].zone];
  ++zone.chosen;
  if (quotas_[seat] == to_go_) --zone.forced;
  --quotas_[seat];
  chosen_.push_back(seat);
}

}  // namespace quiver::cluster
