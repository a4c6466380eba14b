#include "mcp/coalescer.h"

#include <algorithm>

namespace quiver::mcp {

void Coalescer::add(const Event& event, Time now) {
  const auto [entry, fresh] = entries_.try_emplace(event, Entry{now, true});
  if (fresh) return;
  // Told long ago, and not yet forgotten by take().
  if (!entry->second.pending) entry->second.due = std::max(entry->second.due, now);
  entry->second.pending = true;
}

std::vector<Event> Coalescer::take(Time now) {
  std::vector<Event> due;
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    if (entry->second.due > now) {
      ++entry;
    } else if (!entry->second.pending) {
      entry = entries_.erase(entry);
    } else {
      due.push_back(entry->first);
      entry->second = {now + interval_, false};
      ++entry;
    }
  }
  return due;
}

std::optional<Coalescer::Time> Coalescer::next() const {
  std::optional<Time> next;
  for (const auto& [event, entry] : entries_) {
    if (entry.pending && (!next || entry.due < *next)) next = entry.due;
  }
  return next;
}

}  // namespace quiver::mcp
