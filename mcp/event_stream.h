#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/http.h"
#include "core/mutex.h"
#include "mcp/event_log.h"

namespace quiver::mcp {

/// One server-sent event, as bytes. `name` and `id` may be empty: then it has none.
///
/// Source: WHATWG HTML, 9.2.6 interpreting an event stream.
std::string event_text(std::string_view data, std::string_view name = {}, std::string_view id = {});

/// The head of a response that is a stream of events.
HttpResponse event_stream_head();

/// Where a stream of a session keeps its events, and under which name.
struct EventPlace {
  std::shared_ptr<EventLog> log;
  EventLog::Owner owner;
  std::uint64_t stream;
  /// Each connection is told the place in the stream before there is an event, and when to come
  /// back.
  bool primes;
};

/// A stream of messages to one client, which may outlast the connections that carry it.
///
/// Threads: any. No call blocks.
class EventStream : public std::enable_shared_from_this<EventStream> {
 public:
  /// Without a place its events have no ids and nothing is kept: it ends with its connection.
  EventStream() = default;
  explicit EventStream(const EventPlace& place)
      : place_(std::make_unique<const EventPlace>(place)) {}

  /// Goes on over this connection, with what came after event `after`. One that carries it still is
  /// ended. `head` is that of the response. `lost` is called when the connection breaks.
  void attach(const std::shared_ptr<HttpResponder>& responder, HttpResponse head,
              std::uint64_t after = 0, std::function<void()> lost = {}) QV_EXCLUDES(mutex_);
  bool is_attached() const QV_EXCLUDES(mutex_);
  /// Number of the last event; 0: there was none.
  std::uint64_t last() const QV_EXCLUDES(mutex_);

  /// Whether the message was sent, or kept for a client that comes back.
  bool send(const std::string& message) QV_EXCLUDES(mutex_);

  /// Ends the connection in good order; the stream goes on without.
  void detach() QV_EXCLUDES(mutex_);

 private:
  std::string id_of(std::uint64_t number) const;
  std::string priming(std::uint64_t number) const;

  /// Null: nothing is kept.
  const std::unique_ptr<const EventPlace> place_;
  mutable Mutex mutex_;
  std::shared_ptr<HttpStream> out_ QV_GUARDED_BY(mutex_);
  /// Of the last event.
  std::uint64_t number_ QV_GUARDED_BY(mutex_) = 0;
  /// Counts connections, so that the end of one is not taken for that of the next.
  std::uint64_t connections_ QV_GUARDED_BY(mutex_) = 0;
};

}  // namespace quiver::mcp
