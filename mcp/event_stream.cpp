#include "mcp/event_stream.h"

#include <utility>

namespace quiver::mcp {
namespace {

/// Before a client comes back.
constexpr std::string_view kRetryMs = "1000";

}  // namespace

std::string event_text(std::string_view data, std::string_view name, std::string_view id) {
  std::string text;
  text.reserve(data.size() + name.size() + id.size() + 32);
  if (!name.empty()) text.append("event: ").append(name).append("\n");
  if (!id.empty()) text.append("id: ").append(id).append("\n");
  for (;;) {
    const auto end = data.find_first_of("\r\n");
    text.append("data: ").append(data.substr(0, end)).append("\n");
    if (end == std::string_view::npos) break;
    data.remove_prefix(data.substr(end).starts_with("\r\n") ? end + 2 : end + 1);
  }
  return text.append("\n");
}

HttpResponse event_stream_head() {
  return {200,
          {{"content-type", "text/event-stream"},
           {"cache-control", "no-cache"},
           {"x-accel-buffering", "no"}},
          ""};
}

std::string EventStream::id_of(std::uint64_t number) const {
  if (!place_) return "";
  return std::to_string(place_->stream) + ":" + std::to_string(number);
}

std::string EventStream::priming(std::uint64_t number) const {
  if (!place_ || !place_->primes) return "";
  return "id: " + id_of(number) + "\nretry: " + std::string(kRetryMs) + "\ndata: \n\n";
}

void EventStream::attach(const std::shared_ptr<HttpResponder>& responder, HttpResponse head,
                         std::uint64_t after, std::function<void()> lost) {
  std::uint64_t connection = 0;
  {
    const MutexLock lock(mutex_);
    if (out_) out_->end();
    head.body = priming(after);
    if (place_) {
      for (const auto& event : place_->log->after(place_->owner, place_->stream, after)) {
        head.body += event_text(event.message, {}, id_of(event.number));
      }
    }
    out_ = responder->stream(std::move(head));
    connection = ++connections_;
  }
  if (!place_) return;
  responder->on_gone([weak = weak_from_this(), connection, lost = std::move(lost)] {
    const auto stream = weak.lock();
    if (!stream) return;
    {
      const MutexLock lock(stream->mutex_);
      if (stream->connections_ != connection) return;
      stream->out_.reset();
    }
    if (lost) lost();
  });
}

bool EventStream::is_attached() const {
  const MutexLock lock(mutex_);
  return out_ != nullptr;
}

std::uint64_t EventStream::last() const {
  const MutexLock lock(mutex_);
  return number_;
}

bool EventStream::send(const std::string& message) {
  const MutexLock lock(mutex_);
  ++number_;
  const bool kept = place_ && place_->log->add(place_->owner, {place_->stream, number_, message});
  const bool sent = out_ && out_->write(event_text(message, {}, id_of(number_)));
  if (!sent) out_.reset();
  return sent || kept;
}

void EventStream::detach() {
  const MutexLock lock(mutex_);
  if (out_) out_->end();
  out_.reset();
}

}  // namespace quiver::mcp
