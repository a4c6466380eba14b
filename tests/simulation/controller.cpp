#include "tests/simulation/controller.h"

#include <algorithm>
#include <utility>

#include "tests/simulation/world.h"

namespace quiver::simulation {
namespace {

constexpr Micros kSuspectAfter = 3 * kSecond;

bool in_sync(const ShardState& record, const CopyId& copy) {
  return std::find(record.in_sync.begin(), record.in_sync.end(), copy) != record.in_sync.end();
}

}  // namespace

void Controller::start() {
  world_.clock.after(world_.random.between(150, 400) * kMillisecond, [this] {
    look();
    start();
  });
}

bool Controller::seems_gone(const CopyId& copy) {
  const SimCopy& looked = world_.copy_of(copy);
  Micros& answered = answered_[looked.number()];
  const bool answers = looked.answers() && !world_.network.cut_from_store(looked.number());
  if (answers) answered = world_.clock.now();
  return world_.clock.now() - answered > kSuspectAfter;
}

void Controller::look() {
  if (swapping_) return;
  const ShardState record = world_.store.record();
  const Revision revision = world_.store.revision();
  promote_if_gone(record, revision);
  if (swapping_ || replace_missing(record, revision)) return;
  if (move_) drive_move(record, revision);
}

void Controller::swap(Revision expected, const std::optional<ShardState>& desired) {
  if (!desired) return;
  swapping_ = true;
  // An answer that does not come ends the wait.
  world_.clock.after(2 * kSecond, [this] { swapping_ = false; });
  world_.note("controller asks for ", show(*desired));
  world_.store.swap(SimStore::kController, expected, std::make_shared<const ShardState>(*desired),
                    [this](SwapOutcome, Revision) { swapping_ = false; });
}

void Controller::promote_if_gone(const ShardState& record, Revision revision) {
  const bool suspected = std::exchange(suspects_, false);
  if (!seems_gone(record.primary) && !suspected) return;
  std::vector<CopyReport> reports;
  for (const auto& [id, place] : record.copies) {
    const SimCopy& copy = world_.copy_of(id);
    if (copy.answers()) reports.push_back({id, copy.fsm()->log().history().last()});
  }
  ShardState judged = record;
  if (world_.variant.promotes_anybody) {
    judged.in_sync.clear();
    for (const auto& [id, place] : record.copies) judged.in_sync.push_back(id);
  }
  auto desired = promote(judged, reports);
  if (!desired) return;
  if (world_.variant.promotes_anybody) {
    desired->in_sync = record.in_sync;
    std::erase(desired->in_sync, record.primary);
    if (!in_sync(*desired, desired->primary)) desired->in_sync.push_back(desired->primary);
  }
  swap(revision, desired);
}

std::optional<CopyId> Controller::fresh_copy() {
  if (world_.copies.size() >= kCopiesMax) return std::nullopt;
  return CopyId{std::string(1, static_cast<char>('a' + world_.copies.size()))};
}

bool Controller::replace_missing(const ShardState& record, Revision revision) {
  for (const auto& [id, place] : record.copies) {
    if (world_.copy_of(id).lost() && !in_sync(record, id)) {
      swap(revision, drop_copy(record, id));
      return true;
    }
  }
  if (record.copies.size() >= world_.profile.copies) return false;
  if (const auto fresh = fresh_copy()) swap(revision, add_copy(record, *fresh, {fresh->text}));
  return swapping_;
}

void Controller::move(const CopyId& source) {
  const auto target = fresh_copy();
  // Some are left for copies that are lost.
  if (move_ || !target || made_ >= 6) return;
  ++made_;
  ++world_.stats.moves;
  move_ = Move{source, *target, world_.random.chance(0.2)};
}

void Controller::drive_move(const ShardState& record, Revision revision) {
  const bool has_target = record.copies.count(move_->target) != 0;
  const bool made = world_.number_of(move_->target) < world_.copies.size();
  if (record.copies.count(move_->source) == 0 || (made && world_.copy_of(move_->target).lost())) {
    return move_.reset();
  }
  if (!has_target) {
    // Its name was given to another copy, or it was dropped.
    if (made) return move_.reset();
    return swap(revision, add_copy(record, move_->target, {move_->target.text}));
  }
  if (move_->aborts && world_.random.chance(0.3)) {
    if (const auto desired = drop_copy(record, move_->target)) return swap(revision, desired);
    move_->aborts = false;
  }
  if (in_sync(record, move_->target)) finish_move(record, revision);
}

void Controller::finish_move(const ShardState& record, Revision revision) {
  SimCopy& primary = world_.copy_of(record.primary);
  if (record.primary == move_->source) {
    return primary.command(HandOffAsked{move_->target});
  }
  if (in_sync(record, move_->source)) return primary.command(DropAsked{move_->source});
  swap(revision, drop_copy(record, move_->source));
}

}  // namespace quiver::simulation
