#include "cluster/coordination/etcd_watch.h"

#include <algorithm>
#include <utility>

#include "core/log.h"

namespace quiver::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kFirstPause{25};
constexpr milliseconds kLongestPause{1'000};
// Events of one revision come in one line: the largest transaction in base64, with room to spare.
constexpr std::size_t kLineBytesMax = std::size_t{64} << 20U;

}  // namespace

bool LineSplitter::feed(std::string_view bytes, std::size_t line_bytes_max,
                        const std::function<bool(std::string_view)>& line) {
  while (true) {
    const std::size_t end = bytes.find('\n');
    if (rest_.size() + std::min(end, bytes.size()) > line_bytes_max) return false;
    if (end == std::string_view::npos) {
      rest_.append(bytes);
      return true;
    }
    rest_.append(bytes.substr(0, end));
    bytes.remove_prefix(end + 1);
    const bool go_on = rest_.empty() || line(rest_);
    rest_.clear();
    if (!go_on) return false;
  }
}

EtcdWatch::EtcdWatch(EtcdGateway& gateway, std::string prefix, Revision after, Relist relist,
                     WatchCallback callback)
    : gateway_(gateway),
      prefix_(std::move(prefix)),
      relist_(std::move(relist)),
      callback_(std::move(callback)),
      after_(after) {
  thread_ = std::thread([this] { run(); });
}

EtcdWatch::~EtcdWatch() {
  CancelToken under_way;
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
    stopping_.notify_all();
    under_way = under_way_;
  }
  under_way.cancel();
  thread_.join();
}

bool EtcdWatch::next_call(CallContext& call) {
  const MutexLock lock(mutex_);
  if (stopped_) return false;
  under_way_ = CancelToken::make();
  call.cancel = under_way_;
  return true;
}

void EtcdWatch::pause(milliseconds time) {
  const auto until = steady_clock::now() + time;
  const MutexLock lock(mutex_);
  while (!stopped_ && steady_clock::now() < until) stopping_.wait_until(mutex_, until);
}

void EtcdWatch::run() {
  CallContext call;
  milliseconds wait = kFirstPause;
  while (next_call(call)) {
    const auto began = steady_clock::now();
    const bool answered = missed_ ? list_again(call) : follow(call);
    // A stream that ends as soon as it is there is not one to ask for again at once.
    if (answered && (missed_ || steady_clock::now() - began > kFirstPause)) {
      wait = kFirstPause;
      continue;
    }
    pause(wait);
    wait = std::min(2 * wait, kLongestPause);
  }
}

bool EtcdWatch::list_again(const CallContext& call) {
  auto listing = relist_(call);
  if (!listing.ok()) {
    QV_LOG_DEBUG("watch_list_failed error=\"{}\"", listing.error().message);
    return false;
  }
  WatchBatch batch{true, {}, listing->revision};
  for (auto& entry : listing->entries) {
    batch.changes.push_back({std::move(entry.key), std::move(entry.value), entry.revision});
  }
  missed_ = false;
  after_ = listing->revision;
  callback_(batch);
  return true;
}

bool EtcdWatch::follow(const CallContext& call) {
  LineSplitter lines;
  heard_ = false;
  const auto reply = gateway_.stream(
      call, "/v3/watch", etcd::watch_request(prefix_, after_), [&](std::string_view bytes) {
        return lines.feed(bytes, kLineBytesMax,
                          [this](std::string_view line) { return take(line); });
      });
  if (heard_) return true;
  QV_LOG_DEBUG("watch_not_answered status={} why=\"{}\"", reply.response.status, reply.why);
  if (reply.state != HttpReply::State::NotSent) gateway_.turn_away();
  return false;
}

bool EtcdWatch::take(std::string_view line) {
  auto parsed = etcd::parse_watch_line(line, gateway_.options().prefix.size());
  if (!parsed.ok()) {
    QV_LOG_DEBUG("watch_failed error=\"{}\"", parsed.error().message);
    heard_ = false;
    return false;
  }
  // A store that is behind what was seen of it has lost its end, in a restore perhaps.
  missed_ = parsed->compacted != Revision{0} || (parsed->created && parsed->revision < after_);
  if (parsed->canceled || missed_) {
    heard_ = missed_;
    return false;
  }
  heard_ = true;
  if (parsed->changes.empty()) return true;
  after_ = parsed->changes.back().revision;
  callback_({false, std::move(parsed->changes), after_});
  return true;
}

}  // namespace quiver::cluster
