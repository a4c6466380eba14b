#include "cluster/calls_under_way.h"

#include <utility>
#include <vector>

namespace quiver::cluster {

struct CallsUnderWay::Call::Entry {
  NodeId node;
  CancelToken token = CancelToken::make();
  /// Guarded by the owner's mutex.
  std::optional<std::string> ended;
};

CallsUnderWay::Call::Call(CallsUnderWay* owner, std::shared_ptr<Entry> entry, CallContext context,
                          CancelWatch watch)
    : owner_(owner),
      entry_(std::move(entry)),
      context_(std::move(context)),
      watch_(std::move(watch)) {}

CallsUnderWay::Call::Call(Call&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr)),
      entry_(std::move(other.entry_)),
      context_(std::move(other.context_)),
      watch_(std::move(other.watch_)) {}

CallsUnderWay::Call::~Call() {
  if (owner_ == nullptr) return;
  const MutexLock lock(owner_->mutex_);
  const auto found = owner_->calls_.find(entry_->node);
  if (found == owner_->calls_.end()) return;
  found->second.erase(entry_);
  if (found->second.empty()) owner_->calls_.erase(found);
}

std::optional<std::string> CallsUnderWay::Call::ended() const {
  const MutexLock lock(owner_->mutex_);
  return entry_->ended;
}

Result<CallsUnderWay::Call> CallsUnderWay::begin(const NodeId& node, const CallContext& call) {
  auto entry = std::make_shared<Call::Entry>();
  entry->node = node;
  CallContext context = call;
  context.cancel = entry->token;
  // The caller's token keeps what it calls, and so must not keep the entry.
  auto watch = call.cancel.watch([token = entry->token] { token.cancel(); });
  const MutexLock lock(mutex_);
  if (const auto found = down_.find(node); found != down_.end()) {
    return Error{ErrorCode::Unavailable, found->second};
  }
  calls_[node].insert(entry);
  return Call(this, std::move(entry), std::move(context), std::move(watch));
}

void CallsUnderWay::down(const NodeId& node, std::string why) {
  std::vector<CancelToken> tokens;
  {
    const MutexLock lock(mutex_);
    if (const auto found = calls_.find(node); found != calls_.end()) {
      for (const auto& entry : found->second) {
        entry->ended = why;
        tokens.push_back(entry->token);
      }
    }
    down_.insert_or_assign(node, std::move(why));
  }
  // Without the lock: what waits for the tokens runs here.
  for (const auto& token : tokens) token.cancel();
}

void CallsUnderWay::up(const NodeId& node) {
  const MutexLock lock(mutex_);
  down_.erase(node);
}

}  // namespace quiver::cluster
