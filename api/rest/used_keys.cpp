#include "api/rest/used_keys.h"

#include <string>

#include "core/derived_request_id.h"
#include "core/text.h"

namespace quiver::api {

RequestId write_id(const RequestId& key, std::string_view operation, const Json& arguments) {
  std::string text(operation);
  text += ' ';
  text += arguments.dump(-1, ' ', false, Json::error_handler_t::replace);
  const std::string seed =
      key.hex() + '/' + std::to_string(stable_hash(text)) + '/' + std::to_string(text.size());
  return derived_request_id(seed);
}

UsedKeys::Use UsedKeys::use(const RequestId& key, const RequestId& write) {
  const auto now = std::chrono::steady_clock::now();
  const MutexLock lock(mutex_);
  forget_old(now);
  const auto [at, is_new] = known_.emplace(key, Known{write, now});
  if (!is_new) return at->second.write == write ? Use::Again : Use::Other;
  order_.emplace_back(now, key);
  return Use::First;
}

void UsedKeys::free(const RequestId& key) {
  const MutexLock lock(mutex_);
  known_.erase(key);
}

void UsedKeys::forget_old(Time now) {
  while (!order_.empty() && (order_.front().first + kKept < now || order_.size() >= kMost)) {
    const auto& [since, key] = order_.front();
    const auto found = known_.find(key);
    // It may have been freed, and used again since.
    if (found != known_.end() && found->second.since == since) known_.erase(found);
    order_.pop_front();
  }
}

}  // namespace quiver::api
