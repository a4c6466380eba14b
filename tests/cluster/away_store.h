#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/coordination/store.h"

namespace quiver::cluster {

/// A store that cannot be reached while a test says so. Watches go on.
class AwayStore final : public CoordinationStore {
 public:
  explicit AwayStore(CoordinationStore& inner) : inner_(inner) {}

  void leave() { away_ = true; }
  void return_again() { away_ = false; }
  /// Lets so many calls through, and is away from then on.
  void leave_after(int calls) {
    left_ = calls;
    away_ = false;
  }

  Result<std::optional<Entry>> get(const CallContext& call, std::string_view key) override {
    QV_CHECK(reach());
    return inner_.get(call, key);
  }
  Result<Listing> list(const CallContext& call, std::string_view prefix) override {
    QV_CHECK(reach());
    return inner_.list(call, prefix);
  }
  Result<TxnResult> txn(const CallContext& call, const std::vector<Compare>& compares,
                        const std::vector<Put>& puts) override {
    QV_CHECK(reach());
    return inner_.txn(call, compares, puts);
  }
  Result<std::unique_ptr<Lease>> grant(const CallContext& call, std::chrono::seconds ttl,
                                       LeaseLost on_lost) override {
    QV_CHECK(reach());
    return inner_.grant(call, ttl, std::move(on_lost));
  }
  Result<std::unique_ptr<Watch>> watch(std::string_view prefix, Revision after,
                                       WatchCallback callback) override {
    return inner_.watch(prefix, after, std::move(callback));
  }

 private:
  static constexpr int kAlways = -1;

  Status reach() {
    if (!away_ && (left_ == kAlways || left_-- > 0)) return Done{};
    away_ = true;
    left_ = kAlways;
    return Error{ErrorCode::Unavailable, "the store is away"};
  }

  CoordinationStore& inner_;
  std::atomic<bool> away_ = false;
  std::atomic<int> left_ = kAlways;
};

}  // namespace quiver::cluster
