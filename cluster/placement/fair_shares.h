#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace quiver::cluster {

/// A server that shares in the copies of a collection.
struct Seat {
  double weight = 1.0;
  /// Seats of equal number fail together.
  std::size_t zone = 0;
};

/// Most copies of one shard that a zone may hold: 1 if there are as many zones as copies, else the
/// least that lets every copy have a server of its own.
std::uint32_t zone_limit(const std::vector<Seat>& seats, std::uint32_t copies);

/// How many copies of a collection each seat should hold: by weight, but no seat more than one copy
/// and no zone more than `per_zone` copies of each shard; what that leaves over is for the others.
/// Sums to `copies`, which must fit. Seats of equal weight in zones that are not full get equal
/// numbers to the last bit.
std::vector<double> fair_shares(const std::vector<Seat>& seats, std::uint64_t shards,
                                std::uint64_t copies, std::uint32_t per_zone);

/// The whole copies in a share, and what is left in millionths: both immune to rounding errors.
std::uint64_t whole_part(double share) noexcept;
std::uint64_t fraction_part(double share) noexcept;

/// Room that rounding must respect.
struct RoundingLimits {
  /// Of a seat, and of a zone by its number.
  std::vector<std::uint64_t> seats;
  std::vector<std::uint64_t> zones;
};

/// Rounds shares to whole numbers of the sum `copies`: down, and what is left goes one by one to
/// the seats in `order`, as long as they and their zones have room.
std::vector<std::uint64_t> round_shares(const std::vector<double>& shares,
                                        const std::vector<Seat>& seats, std::uint64_t copies,
                                        const RoundingLimits& limits,
                                        const std::vector<std::size_t>& order);

}  // namespace quiver::cluster
