#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "core/http.h"
#include "mcp/http_endpoint.h"
#include "support.h"
#include "tests/support/manual_clock.h"

/// A client of an HttpEndpoint, without a network.
namespace quiver::mcp::test {

/// A server-sent event, as a client reads it.
struct SseEvent {
  std::string id = {};
  std::string name = {};
  std::string data = {};
  std::string retry = {};
};

/// Reads a stream of whole events.
std::vector<SseEvent> read_events(const std::string& text);

/// What one request is answered with: whole or as a stream.
class FakeResponse final : public HttpResponder {
 public:
  void respond(HttpResponse response) override;
  std::shared_ptr<HttpStream> stream(HttpResponse head) override;
  void on_gone(std::function<void()> gone) override;

  /// The client disconnects.
  void hang_up();
  /// The client reads no more: writing fails.
  void stall();

  /// Waits for the response, or for the head of its stream.
  HttpResponse head();
  bool has_begun();
  bool is_stream();
  /// Waits for so many events.
  std::vector<SseEvent> events(std::size_t count);
  /// Waits for the stream to end in good order, and gives all that came.
  std::vector<SseEvent> all_events();
  bool has_ended();
  /// The server has let go of the stream without an end.
  bool was_cut();

 private:
  class Stream;
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<HttpResponse> head;
    std::string text;
    bool streams = false;
    bool ended = false;
    bool cut = false;
    bool gone = false;
    bool stalled = false;
    std::function<void()> on_gone;
  };

  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// An endpoint with the operations of a World, whose calls run on threads of their own.
class Site {
 public:
  explicit Site(HttpEndpointOptions options = {}, const std::function<void(Offer&)>& change = {});
  /// finish().
  ~Site();
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  static HttpRequest post(std::string body);
  /// A modern request with the headers it must have.
  static HttpRequest modern_post(const Json& id, const std::string& method,
                                 Json params = Json::object());
  /// A POST in a session.
  static HttpRequest in(const std::string& session, std::string body);
  static HttpRequest get(const std::string& session);

  std::shared_ptr<FakeResponse> begin(HttpRequest http);
  /// Waits for a whole response.
  HttpResponse send(HttpRequest http);
  int status(const HttpRequest& http) { return send(http).status; }
  int error(const HttpRequest& http) { return parsed(send(http).body)["error"]["code"]; }
  Json result(const HttpRequest& http) { return parsed(send(http).body)["result"]; }
  void wait_for_calls();
  /// Opens the gate and waits for all calls.
  void finish();
  /// Begins a session and returns its id.
  std::string open(const std::string& version = "2025-11-25");

  World world;
  const std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();

 private:
  HttpEndpointOptions timed(HttpEndpointOptions options) const;
  static Offer changed(Offer offer, const std::function<void(Offer&)>& change);

  std::mutex mutex_;
  std::vector<std::thread> workers_;

 public:
  /// Refuses all work while it is set.
  std::atomic<bool> busy{false};
  Server server;
  HttpEndpoint endpoint;
};

/// The params of a call.
Json call_of(const std::string& tool, Json arguments = Json::object(), Json token = nullptr);

}  // namespace quiver::mcp::test
