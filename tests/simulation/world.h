#pragma once

#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "tests/simulation/clients.h"
#include "tests/simulation/controller.h"
#include "tests/simulation/judge.h"
#include "tests/simulation/network.h"
#include "tests/simulation/profile.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/sim_copy.h"
#include "tests/simulation/sim_store.h"
#include "tests/simulation/stats.h"
#include "tests/simulation/troubles.h"
#include "tests/simulation/variant.h"

namespace quiver::simulation {

std::string show(const ShardState& record);

/// One shard with its copies, clients, store and troubles. The seed decides everything.
struct World {
  World(std::uint64_t seed, const Variant& wanted, std::ostream* trace);

  /// Runs until all is judged.
  void run();

  std::size_t number_of(const CopyId& copy) const {
    return static_cast<std::size_t>(copy.text.front() - 'a');
  }
  SimCopy& copy_of(const CopyId& copy) { return *copies[number_of(copy)]; }
  /// The store has a new record: new copies are made, and the judge looks.
  void record_changed();
  /// Whoever the record calls in sync holds all that was acknowledged, durably.
  void check_in_sync();
  void acknowledged(LogPosition position, WriteId write);

  template <typename... Parts>
  void note(const Parts&... parts) {
    if (trace == nullptr) return;
    *trace << clock.now() / kMillisecond << " ms: ";
    (*trace << ... << parts) << '\n';
  }

  const Variant& variant;
  std::ostream* const trace;
  Random random;
  Profile profile;
  Scheduler clock;
  Judge judge;
  Stats stats;
  /// Whether things may still go wrong.
  bool troubled = true;
  std::vector<std::unique_ptr<SimCopy>> copies;
  Network network;
  SimStore store;
  Clients clients;
  Controller controller;
  Troubles troubles;

 private:
  void run_until(Micros end);
  /// Why the copies do not agree yet; nothing if they do.
  std::optional<std::string> unsettled() const;
  void settle(const char* when);
  void count_change();
  void check_states();
  void check_holds(const CopyId& copy, Seq seq, WriteId write);
};

struct Outcome {
  std::optional<std::string> violation;
  Stats stats;
  /// Of all that happened.
  std::uint64_t digest = 0;
};
Outcome simulate(std::uint64_t seed, const Variant& variant, std::ostream* trace = nullptr);

}  // namespace quiver::simulation
