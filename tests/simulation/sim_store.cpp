#include "tests/simulation/sim_store.h"

#include <utility>

#include "tests/simulation/world.h"

namespace quiver::simulation {

SimStore::SimStore(World& world, ShardState first) : world_(world) {
  history_.push_back(std::make_shared<const ShardState>(std::move(first)));
}

bool SimStore::reaches(std::size_t who) const {
  return !down_ && (who == kController || !world_.network.cut_from_store(who));
}

void SimStore::swap(std::size_t who, Revision expected, std::shared_ptr<const ShardState> desired,
                    Answer answer) {
  Random& random = world_.random;
  const Profile& profile = world_.profile;
  if (!reaches(who)) {
    const bool known = random.chance(0.5);
    const auto outcome = known ? SwapOutcome::NotWritten : SwapOutcome::Unknown;
    const Micros delay = known ? kMillisecond : kSecond;
    world_.clock.after(delay, [outcome, answer = std::move(answer)] { answer(outcome, {}); });
    return;
  }
  ++under_way_;
  const bool late = world_.troubled && random.chance(profile.swap_late);
  const bool lost = world_.troubled && random.chance(profile.swap_answer_lost);
  const Micros way =
      late ? random.between(kSecond, 4 * kSecond) : random.between(kMillisecond, 30 * kMillisecond);
  if (late || lost) {
    ++world_.stats.ambiguous;
    // Some callers are told that nothing is known, some hear nothing at all.
    if (random.chance(0.7)) {
      world_.clock.after(random.between(20, 1200) * kMillisecond,
                         [answer] { answer(SwapOutcome::Unknown, {}); });
    }
  }
  world_.clock.after(
      way, [this, who, expected, desired = std::move(desired), answered = !late && !lost,
            answer = std::move(answer)] { arrive(who, expected, desired, answered, answer); });
}

void SimStore::arrive(std::size_t who, Revision expected,
                      const std::shared_ptr<const ShardState>& desired, bool answered,
                      const Answer& answer) {
  --under_way_;
  const bool done = expected == revision();
  if (done) {
    history_.push_back(desired);
    world_.record_changed();
    tell_watchers();
  }
  if (!answered || !reaches(who)) return;
  const Micros way = world_.random.between(kMillisecond, 30 * kMillisecond);
  world_.clock.after(way, [done, at = revision(), answer] {
    answer(done ? SwapOutcome::Done : SwapOutcome::Conflict, at);
  });
}

void SimStore::read(std::size_t who, Show show) {
  if (!reaches(who)) return;
  Random& random = world_.random;
  std::size_t at = history_.size() - 1;
  if (world_.troubled && random.chance(world_.profile.stale_record)) {
    at -= std::min<std::size_t>(at, random.below(3));
  }
  const Micros way = random.between(kMillisecond, 60 * kMillisecond);
  world_.clock.after(way, [record = history_[at], revision = Revision{at + 1},
                           show = std::move(show)] { show(*record, revision); });
}

void SimStore::tell_watchers() {
  const std::size_t at = history_.size();
  for (std::size_t who = 0; who < world_.copies.size(); ++who) {
    if (!reaches(who) || (world_.troubled && world_.random.chance(0.1))) continue;
    const Micros way = world_.random.chance(0.8) ? world_.random.between(1, 20) * kMillisecond
                                                 : world_.random.between(20, 1500) * kMillisecond;
    world_.clock.after(
        way, [this, who, at] { world_.copies[who]->see_record(*history_[at - 1], Revision{at}); });
  }
}

}  // namespace quiver::simulation
