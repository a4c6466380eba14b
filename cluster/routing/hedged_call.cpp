#include "cluster/routing/hedged_call.h"

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/mutex.h"

namespace quiver::cluster {
namespace {

/// The second call, as the thread that asks it and the caller see it.
struct Second {
  Mutex mutex;
  CondVar ended_changed;
  /// It must not begin any more.
  bool too_late QV_GUARDED_BY(mutex) = false;
  bool begun QV_GUARDED_BY(mutex) = false;
  std::optional<Result<std::any>> answer QV_GUARDED_BY(mutex);

  bool begin() {
    const MutexLock lock(mutex);
    begun = !too_late;
    return begun;
  }
  void end(Result<std::any> result) {
    const MutexLock lock(mutex);
    answer = std::move(result);
    ended_changed.notify_all();
  }
  /// Whether it has begun: else it never does.
  bool stop() {
    const MutexLock lock(mutex);
    too_late = true;
    return begun;
  }
  Result<std::any> await() {
    const MutexLock lock(mutex);
    while (!answer) ended_changed.wait(mutex);
    return std::move(*answer);
  }
};

Result<std::any> ask(const AskCopy& copy, const CallContext& call) {
  try {
    return copy(call);
  } catch (const std::exception& problem) {
    // Out of memory, at worst: the call fails, not the thread and with it the process.
    return Error{ErrorCode::Internal, std::string("a shard failed: ") + problem.what()};
  }
}

/// As `call`, and can be cancelled by itself.
struct Cancellable {
  CallContext context;
  CancelWatch watch;
  explicit Cancellable(const CallContext& call) : context(call) {
    context.cancel = CancelToken::make();
    watch = call.cancel.watch([token = context.cancel] { token.cancel(); });
  }
};

}  // namespace

Hedged ask_hedged(const CallContext& call, const AskCopy& first, const AskCopy& second,
                  std::chrono::steady_clock::duration delay, Alarms& alarms, FanOut& fan_out) {
  const Cancellable one(call);
  const Cancellable other_one(call);
  const auto& first_call = one.context;
  const auto& second_call = other_one.context;
  const auto shared = std::make_shared<Second>();
  // What it refers to stays until stop() says that it has not begun, or it has ended.
  const auto ask_second = [&, shared] {
    if (!shared->begin()) return;
    auto answer = ask(second, second_call);
    if (answer.ok()) first_call.cancel.cancel();
    shared->end(std::move(answer));
  };
  const auto alarm = alarms.set(std::chrono::steady_clock::now() + delay, [&] {
    try {
      fan_out.offer(ask_second);
    } catch (const std::exception&) {
      // Neither memory nor a thread for it: the first goes on alone.
      return;
    }
  });
  auto answer = ask(first, first_call);
  const bool both = shared->stop();
  alarms.clear(alarm);
  if (!both) return {std::move(answer), false};
  if (answer.ok()) second_call.cancel.cancel();
  auto other = shared->await();
  return {answer.ok() ? std::move(answer) : std::move(other), true};
}

}  // namespace quiver::cluster
