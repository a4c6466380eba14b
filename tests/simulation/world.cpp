#include "tests/simulation/world.h"

#include <algorithm>

namespace quiver::simulation {
namespace {

constexpr Micros kSettleTime = 60 * kSecond;

ShardState first_record(std::size_t copies) {
  ShardState record;
  for (std::size_t i = 0; i < copies; ++i) {
    const CopyId copy{std::string(1, static_cast<char>('a' + i))};
    record.in_sync.push_back(copy);
    record.copies.emplace(copy, cluster::CopyPlace{{copy.text}, cluster::CopyState::Active});
  }
  record.primary = record.in_sync.front();
  return record;
}

}  // namespace

std::string show(const ShardState& record) {
  std::string text = "term " + std::to_string(raw(record.term)) + " primary " + record.primary.text;
  text += " in sync ";
  for (const CopyId& copy : record.in_sync) text += copy.text;
  text += " of ";
  for (const auto& [copy, place] : record.copies) text += copy.text;
  return text;
}

World::World(std::uint64_t seed, const Variant& wanted, std::ostream* traced)
    : variant(wanted),
      trace(traced),
      random(seed),
      profile(draw_profile(random)),
      network(*this),
      store(*this, first_record(profile.copies)),
      clients(*this),
      controller(*this),
      troubles(*this) {
  if (variant.adjust != nullptr) variant.adjust(profile.options);
  record_changed();
}

void World::record_changed() {
  count_change();
  note("record ", static_cast<std::uint64_t>(store.revision()), ": ", show(store.record()));
  for (const auto& [copy, place] : store.record().copies) {
    while (copies.size() <= number_of(copy)) {
      copies.push_back(std::make_unique<SimCopy>(*this, copies.size(), store.revision()));
      copies.back()->boot();
    }
  }
  check_in_sync();
}

void World::count_change() {
  const ShardState& now = store.record();
  const ShardState& before = store.previous();
  if (now.term != before.term) {
    const bool resigned = std::count(now.in_sync.begin(), now.in_sync.end(), before.primary) != 0;
    ++(now.primary == before.primary ? stats.claims
       : resigned                    ? stats.hand_offs
                                     : stats.promotions);
  } else if (now.in_sync.size() != before.in_sync.size()) {
    ++(now.in_sync.size() > before.in_sync.size() ? stats.joins : stats.ejections);
  }
}

void World::check_holds(const CopyId& copy, Seq seq, WriteId write) {
  const Entry& entry = judge.committed(seq);
  if (copies[number_of(copy)]->disk().holds({entry.term, seq}, write)) return;
  judge.fail("copy " + copy.text + " is in sync without the acknowledged write " +
             std::to_string(write) + " at " + std::to_string(raw(seq)));
}

void World::check_in_sync() {
  if (judge.violation()) return;
  for (const CopyId& copy : store.record().in_sync) {
    if (copies[number_of(copy)]->lost()) continue;
    for (const auto& [seq, write] : judge.acknowledged()) check_holds(copy, seq, write);
  }
}

void World::acknowledged(LogPosition position, WriteId write) {
  judge.acknowledged(position, write);
  if (judge.violation()) return;
  for (const CopyId& copy : store.record().in_sync) {
    if (!copies[number_of(copy)]->lost()) check_holds(copy, position.seq, write);
  }
}

void World::run_until(Micros end) {
  while (!judge.violation() && clock.run_next(end)) {
  }
}

std::optional<std::string> World::unsettled() const {
  const ShardState& record = store.record();
  if (record.in_sync.size() != record.copies.size()) return "not all copies are in sync";
  if (record.copies.size() < profile.copies) return "there are too few copies";
  if (!controller.idle()) return "a move is not through";
  const SimCopy& primary = *copies[number_of(record.primary)];
  if (!primary.serves()) return "there is no primary";
  const LogPosition last = primary.fsm()->log().history().last();
  for (const auto& [id, place] : record.copies) {
    const SimCopy& copy = *copies[number_of(id)];
    if (!copy.up()) return "copy " + id.text + " is down";
    if (copy.fsm()->log().history().last() != last) return "copy " + id.text + " lags";
    if (copy.state().at() != last.seq) return "copy " + id.text + " did not apply all";
  }
  return std::nullopt;
}

void World::settle(const char* when) {
  const Micros end = clock.now() + kSettleTime;
  while (!judge.violation() && unsettled()) {
    if (clock.now() >= end) return judge.fail("stuck " + std::string{when} + ": " + *unsettled());
    run_until(clock.now() + 250 * kMillisecond);
  }
}

void World::check_states() {
  State expected;
  for (Seq seq{1}; seq <= judge.committed_through(); seq = next(seq)) {
    expected.apply(judge.committed(seq), !variant.forgets_requests);
  }
  for (const auto& [id, place] : store.record().copies) {
    if (copies[number_of(id)]->state() == expected) continue;
    judge.fail("copy " + id.text + " holds another state than the committed writes make");
  }
}

void World::run() {
  clients.start();
  controller.start();
  troubles.start();
  run_until(profile.length);
  troubles.heal();
  clients.stop();
  settle("after the troubles");
  clients.ask_for_everything();
  const Micros end = clock.now() + kSettleTime;
  while (!judge.violation() && !clients.answered_everything()) {
    if (clock.now() >= end) judge.fail("stuck: a client gets no answers in calm");
    run_until(clock.now() + 50 * kMillisecond);
  }
  settle("at the end");
  check_in_sync();
  if (judge.violation()) return;
  check_states();
  judge.finish();
  if (auto wrong = contradiction(clients.ops())) judge.fail(std::move(*wrong));
}

Outcome simulate(std::uint64_t seed, const Variant& variant, std::ostream* trace) {
  World world(seed, variant, trace);
  world.run();
  return {world.judge.violation(), world.stats, world.random.next()};
}

}  // namespace quiver::simulation
