#include "cluster/placement/fair_shares.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace quiver::cluster {
namespace {

constexpr double kTolerance = 1e-9;
constexpr double kMillion = 1e6;

using Members = std::vector<std::size_t>;

/// Splits `amount` among `members` by weight, none above `cap`. A member at its cap leaves more to
/// the others, which may bring further ones to theirs.
void split_capped(const std::vector<Seat>& seats, Members members, double amount, double cap,
                  std::vector<double>& shares) {
  while (!members.empty()) {
    double weight = 0.0;
    for (const auto seat : members) weight += seats[seat].weight;
    const auto demand = [&](std::size_t seat) { return amount * seats[seat].weight / weight; };
    Members free;
    std::size_t full = 0;
    for (const auto seat : members) {
      shares[seat] = std::min(cap, demand(seat));
      if (demand(seat) > cap + kTolerance) {
        ++full;
      } else {
        free.push_back(seat);
      }
    }
    if (full == 0) return;
    amount -= cap * static_cast<double>(full);
    members = std::move(free);
  }
}

std::map<std::size_t, Members> by_zone(const std::vector<Seat>& seats) {
  std::map<std::size_t, Members> zones;
  for (std::size_t i = 0; i < seats.size(); ++i) zones[seats[i].zone].push_back(i);
  return zones;
}

}  // namespace

std::uint32_t zone_limit(const std::vector<Seat>& seats, std::uint32_t copies) {
  const auto zones = by_zone(seats);
  for (std::uint32_t limit = 1; limit < copies; ++limit) {
    std::size_t room = 0;
    for (const auto& [zone, members] : zones) room += std::min<std::size_t>(limit, members.size());
    if (room >= copies) return limit;
  }
  return std::max<std::uint32_t>(copies, 1);
}

std::vector<double> fair_shares(const std::vector<Seat>& seats, std::uint64_t shards,
                                std::uint64_t copies, std::uint32_t per_zone) {
  std::vector<double> shares(seats.size(), 0.0);
  auto open = by_zone(seats);
  const auto seat_cap = static_cast<double>(shards);
  const double zone_cap = seat_cap * per_zone;
  auto rest = static_cast<double>(copies);
  while (!open.empty()) {
    Members members;
    for (const auto& [zone, in_zone] : open) {
      members.insert(members.end(), in_zone.begin(), in_zone.end());
    }
    // In order of seats, so that equal weights meet equal arithmetic.
    std::sort(members.begin(), members.end());
    split_capped(seats, std::move(members), rest, seat_cap, shares);
    // A zone over its cap stays so when others are capped: that only leaves more to it.
    std::vector<std::size_t> full;
    for (const auto& [zone, in_zone] : open) {
      double sum = 0.0;
      for (const auto seat : in_zone) sum += shares[seat];
      if (sum > zone_cap + kTolerance) full.push_back(zone);
    }
    if (full.empty()) break;
    for (const auto zone : full) {
      split_capped(seats, open[zone], zone_cap, seat_cap, shares);
      rest -= zone_cap;
      open.erase(zone);
    }
  }
  return shares;
}

std::uint64_t whole_part(double share) noexcept {
  return static_cast<std::uint64_t>(std::floor(share + kTolerance));
}

std::uint64_t fraction_part(double share) noexcept {
  const double fraction = share - static_cast<double>(whole_part(share));
  return static_cast<std::uint64_t>(std::llround(std::max(0.0, fraction) * kMillion));
}

std::vector<std::uint64_t> round_shares(const std::vector<double>& shares,
                                        const std::vector<Seat>& seats, std::uint64_t copies,
                                        const RoundingLimits& limits,
                                        const std::vector<std::size_t>& order) {
  std::vector<std::uint64_t> rounded(shares.size());
  std::vector<std::uint64_t> zones(limits.zones.size(), 0);
  std::uint64_t given = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    rounded[i] = whole_part(shares[i]);
    zones[seats[i].zone] += rounded[i];
    given += rounded[i];
  }
  bool progress = true;
  while (given < copies && progress) {
    progress = false;
    for (const auto i : order) {
      auto& zone = zones[seats[i].zone];
      if (given == copies) break;
      if (rounded[i] >= limits.seats[i] || zone >= limits.zones[seats[i].zone]) continue;
      ++rounded[i];
      ++zone;
      ++given;
      progress = true;
    }
  }
  return rounded;
}

}  // namespace quiver::cluster
