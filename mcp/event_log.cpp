#include "mcp/event_log.h"

#include <utility>

namespace quiver::mcp {

std::size_t EventLog::cost(const Event& event) noexcept {
  // A list node, its place in the session's queue, and the string's own block.
  constexpr std::size_t kOverhead = sizeof(Kept) + 48;
  return event.message.size() + kOverhead;
}

bool EventLog::add(Owner owner, Event event) {
  const std::size_t size = cost(event);
  if (size > limits_.total_bytes || limits_.session_events == 0) return false;
  const MutexLock lock(mutex_);
  for (auto found = sessions_.find(owner); found != sessions_.end();
       found = sessions_.find(owner)) {
    const Session& session = found->second;
    const bool fits = session.events.size() < limits_.session_events &&
                      session.bytes + size <= limits_.session_bytes;
    if (fits) break;
    drop_oldest(owner);
  }
  while (bytes_ + size > limits_.total_bytes) drop_oldest(kept_.front().owner);
  Session& session = sessions_[owner];
  session.events.push_back(kept_.insert(kept_.end(), {owner, std::move(event)}));
  session.bytes += size;
  bytes_ += size;
  return true;
}

void EventLog::drop_oldest(Owner owner) {
  const auto found = sessions_.find(owner);
  Session& session = found->second;
  const auto oldest = session.events.front();
  const std::size_t size = cost(oldest->event);
  session.events.pop_front();
  session.bytes -= size;
  bytes_ -= size;
  kept_.erase(oldest);
  if (session.events.empty()) sessions_.erase(found);
}

std::vector<EventLog::Event> EventLog::after(Owner owner, std::uint64_t stream,
                                             std::uint64_t number) const {
  std::vector<Event> events;
  const MutexLock lock(mutex_);
  const auto found = sessions_.find(owner);
  if (found == sessions_.end()) return events;
  for (const auto& kept : found->second.events) {
    const Event& event = kept->event;
    if (event.stream == stream && event.number > number) events.push_back(event);
  }
  return events;
}

void EventLog::forget(Owner owner) {
  const MutexLock lock(mutex_);
  while (sessions_.contains(owner)) drop_oldest(owner);
}

std::size_t EventLog::bytes() const {
  const MutexLock lock(mutex_);
  return bytes_;
}

}  // namespace quiver::mcp
