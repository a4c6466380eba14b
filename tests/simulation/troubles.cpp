#include "tests/simulation/troubles.h"

#include "tests/simulation/world.h"

namespace quiver::simulation {

void Troubles::start() {
  const Micros most = world_.profile.between_troubles * 2;
  world_.clock.after(world_.random.between(kMillisecond, most), [this] {
    if (!world_.troubled) return;
    cause();
    start();
  });
}

Micros Troubles::a_while() {
  Random& random = world_.random;
  return random.chance(0.5) ? random.between(10, 1000) * kMillisecond
                            : random.between(1000, 8000) * kMillisecond;
}

SimCopy& Troubles::any() {
  return *world_.copies[world_.random.below(world_.copies.size())];
}

SimCopy& Troubles::victim() {
  return world_.random.chance(0.5) ? world_.copy_of(world_.store.record().primary) : any();
}

void Troubles::crash(SimCopy& copy) {
  if (!copy.up()) return;
  ++world_.stats.crashes;
  copy.crash();
  world_.clock.after(a_while(), [&copy] { copy.boot(); });
}

void Troubles::break_disk(SimCopy& copy) {
  ++world_.stats.disk_failures;
  copy.fail_disk();
  world_.clock.after(a_while(), [this, &copy] {
    if (copy.failed()) crash(copy);
  });
}

void Troubles::cut_off(SimCopy& copy, Micros time, bool both) {
  ++world_.stats.cuts;
  world_.note(copy.letter(), " is cut off");
  for (std::size_t other = 0; other < world_.copies.size(); ++other) {
    const auto set = [this, one = copy.number(), other, both](int by) {
      world_.network.cut(one, other, by);
      if (both) world_.network.cut(other, one, by);
    };
    set(1);
    world_.clock.after(time, [this, set] {
      if (world_.troubled) set(-1);
    });
  }
}

void Troubles::cut_store(SimCopy& copy, Micros time) {
  ++world_.stats.cuts;
  world_.note(copy.letter(), " is cut from the store");
  world_.network.cut_store(copy.number(), 1);
  world_.clock.after(time, [this, number = copy.number()] {
    if (world_.troubled) world_.network.cut_store(number, -1);
  });
}

void Troubles::cut_one() {
  const std::size_t from = victim().number();
  const std::size_t to = any().number();
  world_.note("cut from ", from, " to ", to);
  ++world_.stats.cuts;
  world_.network.cut(from, to, 1);
  world_.clock.after(a_while(), [this, from, to] {
    if (world_.troubled) world_.network.cut(from, to, -1);
  });
}

void Troubles::cut_from_store() {
  if (world_.random.chance(0.8)) return cut_store(victim(), a_while());
  world_.note("the store is down");
  world_.store.set_down(true);
  world_.clock.after(a_while(), [this] { world_.store.set_down(false); });
}

void Troubles::lose_disk() {
  const ShardState& record = world_.store.record();
  SimCopy& copy = any();
  // What only one copy in sync holds is lost with it: that is not promised. So another one must
  // have it, now and after whatever the store is being asked for.
  if (copy.lost() || copy.id() == record.primary || !world_.store.idle()) return;
  std::size_t left = 0;
  for (const CopyId& id : record.in_sync) {
    if (id != copy.id() && !world_.copy_of(id).lost()) ++left;
  }
  if (left == 0 || world_.copy_of(record.primary).lost() || world_.stats.lost_disks >= 2) return;
  ++world_.stats.lost_disks;
  copy.lose_disk();
}

void Troubles::depose() {
  // The primary goes on, out of sight of the one that follows it.
  SimCopy& primary = world_.copy_of(world_.store.record().primary);
  const Micros time = world_.random.between(2, 10) * kSecond;
  cut_off(primary, time, true);
  if (world_.random.chance(0.7)) cut_store(primary, time);
  world_.clock.after(world_.random.between(10, 400) * kMillisecond, [this] {
    if (world_.troubled) world_.controller.suspect();
  });
}

void Troubles::hand_off(const CopyId& target) {
  SimCopy& primary = world_.copy_of(world_.store.record().primary);
  primary.command(HandOffAsked{target});
  if (world_.random.chance(0.5)) return;
  // It may not learn that it is through.
  world_.clock.after(world_.random.between(2, 60) * kMillisecond, [this, &primary] {
    if (!world_.troubled) return;
    const Micros time = world_.random.between(2, 10) * kSecond;
    cut_off(primary, time, true);
    cut_store(primary, time);
  });
}

void Troubles::cause() {
  const Profile::Weights& weights = world_.profile.weights;
  if (weights.total() == 0) return;
  unsigned chosen = static_cast<unsigned>(world_.random.below(weights.total()));
  const auto is = [&chosen](unsigned weight) {
    if (chosen < weight) return true;
    chosen -= weight;
    return false;
  };
  if (is(weights.crash)) return crash(victim());
  if (is(weights.crash_all)) {
    for (const auto& copy : world_.copies) crash(*copy);
    return;
  }
  if (is(weights.pause)) {
    SimCopy& copy = victim();
    ++world_.stats.pauses;
    copy.pause();
    world_.clock.after(a_while(), [&copy] { copy.resume(); });
    return;
  }
  if (is(weights.cut)) return cut_one();
  if (is(weights.isolate)) return cut_off(victim(), a_while(), world_.random.chance(0.6));
  if (is(weights.store_cut)) return cut_from_store();
  if (is(weights.slow_disk)) return victim().slow_down(world_.clock.now() + a_while());
  if (is(weights.disk_failure)) return break_disk(victim());
  if (is(weights.lost_disk)) return lose_disk();
  if (is(weights.suspicion)) return world_.controller.suspect();
  if (is(weights.trim)) return any().trim();
  if (is(weights.depose)) return depose();
  if (is(weights.slow_link)) {
    const Micros delay = world_.random.between(100, 2000) * kMillisecond;
    world_.note("slow link");
    return world_.network.slow_down(any().number(), world_.clock.now() + a_while(), delay);
  }
  SimCopy& copy = any();
  if (is(weights.hand_off)) return hand_off(copy.id());
  if (world_.store.record().copies.count(copy.id()) != 0) world_.controller.move(copy.id());
}

void Troubles::heal() {
  world_.note("all heals");
  world_.troubled = false;
  world_.network.heal();
  world_.store.set_down(false);
  for (const auto& copy : world_.copies) {
    copy->slow_down(0);
    copy->resume();
    if (copy->failed()) copy->crash();
    copy->boot();
  }
}

}  // namespace quiver::simulation
