#include "tests/simulation/profile.h"

namespace quiver::simulation {
namespace {

/// Zero in half of the runs.
double maybe(Random& random, double most) {
  return random.chance(0.5) ? 0.0 : most * static_cast<double>(random.below(1000)) / 1000.0;
}

unsigned weight(Random& random) {
  return random.chance(0.4) ? 0 : static_cast<unsigned>(1 + random.below(4));
}

void draw_weights(Random& random, Profile::Weights& weights) {
  weights.crash = weight(random);
  weights.crash_all = random.chance(0.25) ? 1 : 0;
  weights.pause = weight(random);
  weights.cut = weight(random);
  weights.isolate = weight(random);
  weights.store_cut = weight(random);
  weights.slow_disk = weight(random);
  weights.disk_failure = weight(random) / 2;
  weights.lost_disk = random.chance(0.2) ? 1 : 0;
  weights.suspicion = weight(random);
  weights.trim = weight(random);
  weights.slow_link = weight(random);
  weights.depose = weight(random);
  weights.hand_off = weight(random);
  weights.move = weight(random);
}

}  // namespace

Profile draw_profile(Random& random) {
  using std::chrono::milliseconds;
  Profile profile;
  profile.copies = 1 + random.below(4);
  profile.drop = maybe(random, 0.2);
  profile.duplicate = maybe(random, 0.2);
  profile.straggle = maybe(random, 0.1);
  profile.swap_answer_lost = maybe(random, 0.4);
  profile.swap_late = maybe(random, 0.3);
  profile.stale_record = maybe(random, 0.5);
  profile.crash_in_sync = maybe(random, 0.01);
  profile.between_troubles = random.between(300, 3000) * kMillisecond;
  draw_weights(random, profile.weights);

  auto& options = profile.options;
  options.min_in_sync = random.chance(0.2) ? 2 : 1;
  if (profile.copies < options.min_in_sync) options.min_in_sync = 1;
  // Without a limit to the lag of who joins, the gate alone has to hold.
  if (random.chance(0.3)) options.join_lag = std::chrono::hours{1};
  options.batch_entries = 1 + random.below(4);
  options.pipeline = 1 + random.below(3);
  if (random.chance(0.3)) {
    // Long leases show what they hold back for longer.
    options.lease = milliseconds{4000};
    options.grace = milliseconds{4500};
  }
  return profile;
}

}  // namespace quiver::simulation
