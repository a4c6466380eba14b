#include "tests/simulation/sim_copy.h"

#include <utility>

#include "tests/simulation/world.h"

namespace quiver::simulation {

SimCopy::SimCopy(World& world, std::size_t number, Revision born)
    : world_(world),
      number_(number),
      born_(born),
      clock_began_(world.random.between(3600, 360'000) * kSecond),
      clock_rate_(0.95 + 0.0001 * static_cast<double>(world.random.below(1001))),
      disk_(Term{0}) {}

Time SimCopy::time() const {
  const auto passed = static_cast<Micros>(static_cast<double>(world_.clock.now()) * clock_rate_);
  return Time{std::chrono::microseconds{clock_began_ + passed}};
}

void SimCopy::boot() {
  if (up() || lost_ || retired_) return;
  ++incarnation_;
  // The state may have forgotten that it applied the newest entries.
  const std::uint64_t base = raw(disk_.first()) - 1;
  applied_ = Seq{base + world_.random.below(raw(applied_) - base + 1)};
  state_ = disk_.state_at(applied_, !world_.variant.forgets_requests);
  issued_ = synced_ = Ticket{0};
  Persisted persisted = disk_.load(applied_);
  persisted.born = born_;
  fsm_ = std::make_unique<ReplicationFsm>(id(), persisted, time(), world_.profile.options,
                                          *world_.variant.rules);
  world_.note(letter(), " boots, tail ", raw(disk_.tail()), ", applied ", raw(applied_), ", seen ",
              raw(disk_.seen()));
  later(world_.random.between(0, 100 * kMillisecond), [this] { tick(); });
  later(world_.random.between(0, 50 * kMillisecond), [this] { poll_record(); });
}

void SimCopy::crash() {
  if (!up()) return;
  world_.note(letter(), " crashes");
  ++incarnation_;
  fsm_.reset();
  paused_ = syncing_ = false;
  backlog_.clear();
  reads_.clear();
  applied_ = disk_.crash(world_.random, state_.at());
  world_.check_in_sync();
}

void SimCopy::pause() {
  world_.note(letter(), " pauses");
  paused_ = true;
}

void SimCopy::resume() {
  if (!paused_) return;
  world_.note(letter(), " resumes");
  paused_ = false;
  auto backlog = std::move(backlog_);
  backlog_.clear();
  for (auto& work : backlog) run(std::move(work));
}

void SimCopy::lose_disk() {
  crash();
  world_.note(letter(), " loses its disk");
  lost_ = true;
}

void SimCopy::fail_disk() {
  run([this] { step(DiskFailed{}); });
}

void SimCopy::trim() {
  if (!answers()) return;
  const Seq last = std::min({fsm_->log().applied(), state_.at(), disk_.durable()});
  if (last < disk_.first()) return;
  disk_.trim(Seq{raw(disk_.first()) + 1 + world_.random.below(raw(last) + 1 - raw(disk_.first()))});
  world_.note(letter(), " trims to ", raw(disk_.first()));
  step(Trimmed{disk_.first()});
}

void SimCopy::run(std::function<void()> work) {
  if (!up()) return;
  if (paused_) {
    backlog_.push_back(std::move(work));
  } else {
    work();
  }
}

void SimCopy::later(Micros delay, std::function<void()> work) {
  world_.clock.after(delay, [this, of = incarnation_, work = std::move(work)]() mutable {
    if (of == incarnation_) run(std::move(work));
  });
}

void SimCopy::step(const Event& event) {
  if (!up()) return;
  ++world_.stats.steps;
  Actions actions = std::move(spare_);
  actions.clear();
  const Seq applied = state_.at();
  fsm_->step(time(), event, actions);
  for (const Action& action : actions) {
    std::visit([this](const auto& what) { act(what); }, action);
  }
  spare_ = std::move(actions);
  if (state_.at() != applied) step(Applied{state_.at()});
  if (issued_ > synced_ && !syncing_) start_sync();
}

void SimCopy::start_sync() {
  syncing_ = true;
  const bool slow = world_.clock.now() < slow_until_;
  // A slow one may take longer than anybody waits.
  const Micros takes =
      slow ? world_.random.between(50, 6000) * kMillisecond : world_.random.between(100, 4000);
  const Ticket through = issued_;
  const double crashes = world_.profile.crash_in_sync * (slow ? 20 : 1);
  if (world_.troubled && world_.random.chance(crashes)) {
    later(world_.random.between(0, takes), [this] { world_.troubles.crash(*this); });
  }
  later(takes, [this, through] {
    syncing_ = false;
    synced_ = through;
    if (!failed()) disk_.synced(through);
    step(Synced{through});
    if (issued_ > synced_ && !syncing_) start_sync();
  });
  if (world_.variant.syncs_early) step(Synced{through});
}

void SimCopy::tick() {
  step(Tick{});
  later(world_.profile.options.tick / std::chrono::microseconds{1}, [this] { tick(); });
}

void SimCopy::poll_record() {
  act(ReadRecord{});
  later(world_.random.between(500, 1500) * kMillisecond, [this] { poll_record(); });
}

void SimCopy::receive(Packet packet) {
  run([this, packet = std::move(packet)] {
    arriving_ = &packet;
    step(packet.received);
    arriving_ = nullptr;
  });
}

void SimCopy::write(const WriteCall& call) {
  run([this, call] {
    call_ = &call;
    WriteAsked asked;
    asked.tag = call.tag;
    asked.request = request_id(call.write);
    asked.deadline = time() + std::chrono::microseconds{call.deadline};
    const bool known = state_.applied(call.write).term != Term{0};
    if (world_.variant.forgets_requests) {
      asked.request = {};
    } else if (known) {
      asked.seen = Seen::Applied;
    }
    step(asked);
    call_ = nullptr;
  });
}

void SimCopy::read(const ReadAsked& read, std::uint8_t key) {
  run([this, read, key] {
    reads_.push_back({read.tag, key});
    step(read);
  });
}

void SimCopy::see_record(const ShardState& record, Revision revision) {
  run([this, &record, revision] { step(RecordSeen{record, revision}); });
}

void SimCopy::command(const Event& event) {
  run([this, event] { step(event); });
}

}  // namespace quiver::simulation
