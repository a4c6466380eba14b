#include "mcp/http_sessions.h"

#include <utility>

#include "core/ids.h"

namespace quiver::mcp {

HttpSessions::HttpSessions(const HttpSessionLimits& limits)
    : limits_(limits), log_(std::make_shared<EventLog>(limits.events)) {}

HttpSessions::~HttpSessions() {
  end_all();
}

Result<std::shared_ptr<HttpSession>> HttpSessions::begin() {
  // 256 bits of the system's random source: whoever has the id has the session.
  std::string id = RequestId::random().hex() + RequestId::random().hex();
  std::vector<SessionPtr> ended;
  SessionPtr session;
  {
    const MutexLock lock(mutex_);
    sweep(ended);
    if (entries_.size() >= limits_.sessions) {
      if (auto idle = evict()) ended.push_back(std::move(idle));
    }
    if (entries_.size() < limits_.sessions) {
      session = std::make_shared<HttpSession>(std::move(id), log_, ++begun_, limits_.clock);
      const auto entry = entries_.insert(entries_.end(), {session, limits_.clock->now()});
      by_id_[session->id()] = entry;
    }
  }
  for (const auto& idle : ended) idle->end();
  if (session) return session;
  return Error{ErrorCode::ResourceExhausted,
               "all " + std::to_string(limits_.sessions) +
                   " sessions are in use: try again later, or end one with DELETE"};
}

std::shared_ptr<HttpSession> HttpSessions::find(std::string_view id) {
  std::vector<SessionPtr> ended;
  SessionPtr session;
  {
    const MutexLock lock(mutex_);
    sweep(ended);
    if (const auto found = by_id_.find(id); found != by_id_.end()) {
      session = found->second->session;
      session->touch();
      move_to_end(found->second);
    }
  }
  for (const auto& idle : ended) idle->end();
  return session;
}

bool HttpSessions::end(std::string_view id) {
  SessionPtr session;
  {
    const MutexLock lock(mutex_);
    if (const auto found = by_id_.find(id); found != by_id_.end()) session = take(found->second);
  }
  if (session) session->end();
  return session != nullptr;
}

void HttpSessions::end_all() {
  for (const auto& session : all()) end(session->id());
}

std::vector<std::shared_ptr<HttpSession>> HttpSessions::all() const {
  std::vector<SessionPtr> sessions;
  const MutexLock lock(mutex_);
  sessions.reserve(entries_.size());
  for (const Entry& entry : entries_) sessions.push_back(entry.session);
  return sessions;
}

std::size_t HttpSessions::size() const {
  const MutexLock lock(mutex_);
  return entries_.size();
}

void HttpSessions::sweep(std::vector<SessionPtr>& ended) {
  const auto now = limits_.clock->now();
  while (!entries_.empty() && now - entries_.front().seen > limits_.idle) {
    HttpSession& session = *entries_.front().session;
    if (!session.in_use() && now - session.last_used() > limits_.idle) {
      ended.push_back(take(entries_.begin()));
    } else {
      // It has a call or a stream, or they have ended since.
      move_to_end(entries_.begin());
    }
  }
}

HttpSessions::SessionPtr HttpSessions::evict() {
  for (std::size_t left = entries_.size(); left > 0; --left) {
    if (!entries_.front().session->in_use()) return take(entries_.begin());
    move_to_end(entries_.begin());
  }
  return nullptr;
}

HttpSessions::SessionPtr HttpSessions::take(Entries::iterator entry) {
  SessionPtr session = std::move(entry->session);
  by_id_.erase(session->id());
  entries_.erase(entry);
  return session;
}

void HttpSessions::move_to_end(Entries::iterator entry) {
  entry->seen = limits_.clock->now();
  entries_.splice(entries_.end(), entries_, entry);
}

}  // namespace quiver::mcp
