#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

#include <catch2/catch.hpp>

#include "app/http_listener.h"
#include "raw_socket.h"

namespace quiver::app::test {

inline const char* const kGet = "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n";

inline HttpResponse events(std::string first = "") {
  return {200, {{"content-type", "text/event-stream"}}, std::move(first)};
}

/// Counts what happens on other threads.
class Counter {
 public:
  void add() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  bool wait(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return count_ >= count; });
  }
  int count() {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

/// A listener that leaves its requests to the test, but for /echo.
class Desk {
 public:
  struct Asked {
    HttpRequest request;
    std::shared_ptr<HttpResponder> responder;
  };

  explicit Desk(HttpListenerOptions options = {}) {
    options.port = 0;
    auto started = HttpListener::start(
        options, [this](HttpRequest request, std::shared_ptr<HttpResponder> responder) {
          if (request.target == "/echo") return responder->respond({200, {}, request.body});
          if (request.target == "/burst") return burst(*responder);
          if (request.target == "/throw") throw std::runtime_error("thrown by a test");
          responder->on_gone([this] { gone.add(); });
          const std::lock_guard lock(mutex_);
          asked_.push_back({std::move(request), std::move(responder)});
          changed_.notify_all();
        });
    REQUIRE(started.ok());
    listener = *std::move(started);
  }

  std::uint16_t port() const { return listener->port(); }
  Asked next() {
    std::unique_lock lock(mutex_);
    const bool came = changed_.wait_for(lock, kPatience, [&] { return !asked_.empty(); });
    REQUIRE(came);
    Asked first = std::move(asked_.front());
    asked_.pop_front();
    return first;
  }

  Counter gone;
  std::unique_ptr<HttpListener> listener;

 private:
  /// On the thread that sends, so that nothing leaves in between.
  static void burst(HttpResponder& responder) {
    const auto stream = responder.stream(events());
    for (int i = 0; i < 2000; ++i) stream->write(std::to_string(i) + ",");
    stream->end();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Asked> asked_;
};

inline bool echoes(Socket& client, const std::string& body) {
  client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
              "\r\n\r\n" + body);
  const Received reply = client.receive();
  return reply.status == 200 && reply.body == body;
}

}  // namespace quiver::app::test
