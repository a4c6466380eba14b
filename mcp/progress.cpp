#include "mcp/progress.h"

#include <memory>
#include <optional>
#include <utility>

#include "core/text.h"
#include "mcp/json_rpc.h"

namespace quiver::mcp {
namespace {

using Clock = std::chrono::steady_clock;

/// A notification fits into one atomic write to a pipe, and so need not wait for the peer.
constexpr std::size_t kMessageBytesMax = 512;

struct Progress {
  Json token;
  bool with_message;
  std::chrono::milliseconds interval;
  CancelToken cancel;
  Notify notify;
  std::optional<std::uint64_t> told;
  Clock::time_point told_at;

  void tell(std::uint64_t done, std::uint64_t total, const std::string& message) {
    if (cancel.cancelled() || (told && done <= *told)) return;
    const auto now = Clock::now();
    const bool last = total > 0 && done >= total;
    if (told && !last && now - told_at < interval) return;
    told = done;
    told_at = now;
    Json params{{"progressToken", token}, {"progress", done}};
    if (total > 0) params["total"] = total;
    if (with_message && !message.empty()) {
      params["message"] = std::string(utf8_prefix(message, kMessageBytesMax));
    }
    notify(notification_text("notifications/progress", params));
  }
};

}  // namespace

ProgressSink progress_sink(Json token, const Revision& revision, std::chrono::milliseconds interval,
                           CancelToken cancel, Notify notify) {
  auto progress = std::make_shared<Progress>(
      Progress{std::move(token), revision.progress_message, interval, std::move(cancel),
               std::move(notify), std::nullopt, Clock::time_point{}});
  return [progress](std::uint64_t done, std::uint64_t total, const std::string& message) {
    progress->tell(done, total, message);
  };
}

}  // namespace quiver::mcp
