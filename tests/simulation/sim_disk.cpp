#include "tests/simulation/sim_disk.h"

#include <algorithm>
#include <utility>

namespace quiver::simulation {

void SimDisk::persist_term(Term term, Ticket ticket) {
  unsynced_.push_back({ticket, Persisting{seen_}});
  seen_ = term;
}

void SimDisk::append(std::span<const Entry> entries, Ticket ticket) {
  unsynced_.push_back({ticket, Appended{entries.size()}});
  log_.insert(log_.end(), entries.begin(), entries.end());
}

void SimDisk::truncate_after(Seq last, Ticket ticket) {
  const auto keep = log_.begin() + static_cast<std::ptrdiff_t>(raw(last) - raw(base_.state.at()));
  unsynced_.push_back({ticket, Truncated{{keep, log_.end()}}});
  log_.erase(keep, log_.end());
}

void SimDisk::install(const Image& image, Seq applied, Ticket ticket) {
  unsynced_.push_back({ticket, Installed{std::move(base_), std::move(log_), applied}});
  base_ = image;
  log_.clear();
}

void SimDisk::synced(Ticket through) {
  while (!unsynced_.empty() && unsynced_.front().ticket <= through) unsynced_.pop_front();
}

void SimDisk::undo(Undo& step) {
  if (const auto* appended = std::get_if<Appended>(&step.what)) {
    log_.resize(log_.size() - appended->count);
  } else if (auto* truncated = std::get_if<Truncated>(&step.what)) {
    log_.insert(log_.end(), truncated->removed.begin(), truncated->removed.end());
  } else if (auto* installed = std::get_if<Installed>(&step.what)) {
    base_ = std::move(installed->base);
    log_ = std::move(installed->log);
  } else {
    seen_ = std::get<Persisting>(step.what).before;
  }
}

Seq SimDisk::crash(Random& random, Seq applied) {
  const std::size_t keep = random.chance(0.5) ? 0 : random.below(unsynced_.size() + 1);
  while (unsynced_.size() > keep) {
    if (const auto* installed = std::get_if<Installed>(&unsynced_.back().what)) {
      applied = installed->applied;
    }
    undo(unsynced_.back());
    unsynced_.pop_back();
  }
  unsynced_.clear();
  return std::min(applied, tail());
}

void SimDisk::trim(Seq first) {
  const std::size_t count = raw(first) - raw(this->first());
  for (std::size_t i = 0; i < count; ++i) {
    base_.state.apply(log_[i], true);
    base_.history.append(log_[i].term);
  }
  log_.erase(log_.begin(), log_.begin() + static_cast<std::ptrdiff_t>(count));
}

std::span<const Entry> SimDisk::entries(Seq from, Seq through) const {
  const std::size_t begin = raw(from) - raw(first());
  return std::span{log_}.subspan(begin, raw(through) + 1 - raw(from));
}

Seq SimDisk::durable() const {
  // Undoing never leaves less than this: what was appended is undone first, and what was cut off
  // comes back behind it.
  Seq low = tail();
  std::uint64_t at = raw(low);
  for (auto step = unsynced_.rbegin(); step != unsynced_.rend(); ++step) {
    if (const auto* appended = std::get_if<Appended>(&step->what)) {
      at -= appended->count;
    } else if (const auto* truncated = std::get_if<Truncated>(&step->what)) {
      low = std::min(low, Seq{at});
      at += truncated->removed.size();
    } else if (std::holds_alternative<Installed>(step->what)) {
      return Seq{0};
    }
    low = std::min(low, Seq{at});
  }
  return low;
}

bool SimDisk::holds(LogPosition position, WriteId write) const {
  if (position.seq <= base_.state.at()) return base_.state.applied(write) == position;
  if (position.seq > durable()) return false;
  const Entry& found = entry(position.seq);
  return found.term == position.term && found.write == write;
}

State SimDisk::state_at(Seq applied, bool once) const {
  State state = base_.state;
  for (Seq seq = first(); seq <= applied; seq = next(seq)) state.apply(entry(seq), once);
  return state;
}

cluster::replication::History SimDisk::history() const {
  cluster::replication::History history = base_.history;
  for (const Entry& entry : log_) history.append(entry.term);
  return history;
}

Persisted SimDisk::load(Seq applied) const {
  Persisted persisted;
  persisted.seen = seen_;
  persisted.history = history();
  persisted.first = first();
  persisted.applied = applied;
  for (Seq seq = next(applied); seq <= tail(); seq = next(seq)) {
    persisted.unapplied.push_back(request_id(entry(seq).write));
  }
  return persisted;
}

}  // namespace quiver::simulation
