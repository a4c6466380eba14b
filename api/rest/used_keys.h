#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string_view>
#include <utility>

#include "core/ids.h"
#include "core/json.h"
#include "core/mutex.h"

namespace quiver::api {

/// The write that a key stands for: another operation or other arguments are another write, so that
/// none is taken for the repetition of another and dropped.
RequestId write_id(const RequestId& key, std::string_view operation, const Json& arguments);

/// Which write each key was used for: a client that uses one for two has made a mistake.
///
/// It remembers the newest kMost keys for kKept, of this process alone.
///
/// Threads: any.
class UsedKeys {
 public:
  static constexpr std::chrono::hours kKept{24};
  static constexpr std::size_t kMost = 100'000;

  enum class Use : std::uint8_t { First, Again, Other };
  /// Other: the key stands for another write, and goes on doing so.
  Use use(const RequestId& key, const RequestId& write) QV_EXCLUDES(mutex_);
  /// Frees a key whose first use changed nothing.
  void free(const RequestId& key) QV_EXCLUDES(mutex_);

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Known {
    RequestId write;
    Time since;
  };

  void forget_old(Time now) QV_REQUIRES(mutex_);

  Mutex mutex_;
  std::map<RequestId, Known> known_ QV_GUARDED_BY(mutex_);
  std::deque<std::pair<Time, RequestId>> order_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::api
