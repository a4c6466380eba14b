#pragma once

#include <cstdint>

namespace quiver::simulation {

/// What happened in a run, so that it can be seen that something did.
struct Stats {
  std::uint64_t steps = 0, writes = 0, retries = 0, acknowledged = 0, unknown = 0, newest = 0,
                sessions = 0, eventual = 0, promotions = 0, claims = 0, ejections = 0, joins = 0,
                hand_offs = 0, snapshots = 0, truncations = 0, crashes = 0, pauses = 0, cuts = 0,
                lost_disks = 0, disk_failures = 0, moves = 0, ambiguous = 0;

  template <typename Visit>
  static void each(Visit visit) {
    visit("steps", &Stats::steps);
    visit("writes", &Stats::writes);
    visit("retries", &Stats::retries);
    visit("acknowledged", &Stats::acknowledged);
    visit("unknown", &Stats::unknown);
    visit("newest", &Stats::newest);
    visit("sessions", &Stats::sessions);
    visit("eventual", &Stats::eventual);
    visit("promotions", &Stats::promotions);
    visit("claims", &Stats::claims);
    visit("ejections", &Stats::ejections);
    visit("joins", &Stats::joins);
    visit("hand_offs", &Stats::hand_offs);
    visit("snapshots", &Stats::snapshots);
    visit("truncations", &Stats::truncations);
    visit("crashes", &Stats::crashes);
    visit("pauses", &Stats::pauses);
    visit("cuts", &Stats::cuts);
    visit("lost_disks", &Stats::lost_disks);
    visit("disk_failures", &Stats::disk_failures);
    visit("moves", &Stats::moves);
    visit("ambiguous", &Stats::ambiguous);
  }
  void add(const Stats& other) {
    each([&](const char*, std::uint64_t Stats::*field) { this->*field += other.*field; });
  }
};

}  // namespace quiver::simulation
