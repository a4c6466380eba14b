#include "mcp/session.h"

#include "mcp/json_rpc.h"

namespace quiver::mcp {

std::optional<CancelToken> Session::begin(const Json& id) {
  CancelToken token = CancelToken::make();
  const MutexLock lock(mutex_);
  if (!in_flight_.emplace(to_text(id), token).second) return std::nullopt;
  return token;
}

bool Session::finish(const Json& id) {
  const MutexLock lock(mutex_);
  const auto found = in_flight_.find(to_text(id));
  if (found == in_flight_.end()) return false;
  const bool wanted = !found->second.cancelled();
  in_flight_.erase(found);
  return wanted;
}

void Session::cancel(const Json& id) {
  const MutexLock lock(mutex_);
  if (const auto found = in_flight_.find(to_text(id)); found != in_flight_.end()) {
    found->second.cancel();
  }
}

void Session::cancel_all() {
  const MutexLock lock(mutex_);
  for (const auto& [id, token] : in_flight_) token.cancel();
}

}  // namespace quiver::mcp
