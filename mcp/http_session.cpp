#include "mcp/http_session.h"

#include <charconv>
#include <utility>

#include "mcp/hub.h"

namespace quiver::mcp {
namespace {

constexpr std::uint64_t kListening = 0;

std::optional<std::uint64_t> read_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::optional<EventPosition> read_event_id(std::string_view id) {
  const auto colon = id.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto stream = read_number(id.substr(0, colon));
  const auto number = read_number(id.substr(colon + 1));
  if (!stream || !number) return std::nullopt;
  return EventPosition{*stream, *number};
}

HttpSession::HttpSession(std::string id, std::shared_ptr<EventLog> log, EventLog::Owner number,
                         std::shared_ptr<const Clock> clock)
    : id_(std::move(id)),
      log_(std::move(log)),
      number_(number),
      clock_(std::move(clock)),
      last_used_(clock_->now()) {
  session_.set_push([this](const std::string& message) { return push(message); });
}

HttpSession::~HttpSession() {
  session_.end();
  log_->forget(number_);
}

bool HttpSession::in_use() const {
  if (uses_ > 0) return true;
  const MutexLock lock(mutex_);
  const auto found = streams_.find(kListening);
  return found != streams_.end() && found->second->is_attached();
}

std::shared_ptr<EventStream> HttpSession::make_stream(std::uint64_t number) {
  return std::make_shared<EventStream>(
      EventPlace{log_, number_, number, revision().stream_priming});
}

std::shared_ptr<EventStream> HttpSession::begin_stream() {
  const MutexLock lock(mutex_);
  const std::uint64_t number = ++streams_begun_;
  auto stream = make_stream(number);
  if (!ended_) streams_[number] = stream;
  return stream;
}

void HttpSession::end_stream(const EventStream& stream) {
  const MutexLock lock(mutex_);
  std::erase_if(streams_, [&](const auto& entry) { return entry.second.get() == &stream; });
}

void HttpSession::attach(EventStream& stream, const std::shared_ptr<HttpResponder>& responder,
                         std::uint64_t after) {
  stream.attach(responder, event_stream_head(), after, [weak = weak_from_this()] {
    if (const auto session = weak.lock()) session->touch();
  });
}

std::optional<HttpSession::Refusal> HttpSession::listen(
    const std::shared_ptr<HttpResponder>& responder) {
  {
    const MutexLock lock(mutex_);
    if (ended_) return Refusal::Ended;
    auto& stream = streams_[kListening];
    if (!stream) stream = make_stream(kListening);
    if (stream->is_attached()) return Refusal::AlreadyOpen;
    attach(*stream, responder, stream->last());
  }
  tell_what_is_kept();
  return std::nullopt;
}

std::optional<HttpSession::Refusal> HttpSession::resume(
    EventPosition seen, const std::shared_ptr<HttpResponder>& responder) {
  const bool has_gap = seen.stream == kListening && has_gap_after(seen.number);
  const auto refused = go_on(seen, responder);
  if (refused || seen.stream != kListening) return refused;
  const auto subscription = has_gap ? session_.subscription() : nullptr;
  if (subscription) {
    subscription->resume_from_scratch();
  } else {
    tell_what_is_kept();
  }
  return std::nullopt;
}

bool HttpSession::has_gap_after(std::uint64_t number) const {
  const MutexLock lock(mutex_);
  const auto found = streams_.find(kListening);
  if (found == streams_.end() || number >= found->second->last()) return false;
  const auto kept = log_->after(number_, kListening, number);
  return kept.empty() || kept.front().number != number + 1;
}

std::optional<HttpSession::Refusal> HttpSession::go_on(
    EventPosition seen, const std::shared_ptr<HttpResponder>& responder) {
  const MutexLock lock(mutex_);
  if (ended_) return Refusal::Ended;
  if (const auto found = streams_.find(seen.stream); found != streams_.end()) {
    if (seen.number > found->second->last()) return Refusal::UnknownEvent;
    attach(*found->second, responder, seen.number);
    return std::nullopt;
  }
  // It carries no more: what is left of it is sent, and that is all.
  if (log_->after(number_, seen.stream, seen.number).empty()) return Refusal::UnknownEvent;
  const auto rest = make_stream(seen.stream);
  rest->attach(responder, event_stream_head(), seen.number);
  rest->detach();
  return std::nullopt;
}

Told HttpSession::push(const std::string& message) {
  std::shared_ptr<EventStream> stream;
  {
    const MutexLock lock(mutex_);
    if (const auto found = streams_.find(kListening); found != streams_.end()) {
      stream = found->second;
    }
  }
  // Who never listened does not come back for it.
  return stream && stream->send(message) ? Told::Yes : Told::Nowhere;
}

void HttpSession::tell_what_is_kept() {
  if (const auto subscription = session_.subscription()) subscription->resume();
}

void HttpSession::stop_listening() {
  const MutexLock lock(mutex_);
  if (const auto found = streams_.find(kListening); found != streams_.end()) {
    found->second->detach();
  }
}

void HttpSession::end() {
  std::map<std::uint64_t, std::shared_ptr<EventStream>> streams;
  {
    const MutexLock lock(mutex_);
    ended_ = true;
    streams.swap(streams_);
  }
  session_.end();
  session_.cancel_all();
  for (const auto& [number, stream] : streams) stream->detach();
}

}  // namespace quiver::mcp
