#include "tests/simulation/network.h"

#include <utility>

#include "tests/simulation/world.h"

namespace quiver::simulation {

void Network::send(std::size_t from, std::size_t to, Packet packet) {
  if (world_.troubled && world_.random.chance(world_.profile.drop)) return;
  if (world_.troubled && world_.random.chance(world_.profile.duplicate)) carry(from, to, packet);
  carry(from, to, std::move(packet));
}

void Network::carry(std::size_t from, std::size_t to, Packet packet) {
  Random& random = world_.random;
  const bool straggles = world_.troubled && random.chance(world_.profile.straggle);
  const Micros most = straggles ? world_.profile.delay_long : world_.profile.delay;
  Micros way = random.between(kMillisecond / 2, most);
  for (const Slow& slow : {slow_[from], slow_[to]}) {
    if (world_.clock.now() < slow.until) way += slow.delay;
  }
  world_.clock.after(way, [this, from, to, packet = std::move(packet)]() mutable {
    if (is_cut(from, to)) return;
    world_.copies[to]->receive(std::move(packet));
  });
}

}  // namespace quiver::simulation
