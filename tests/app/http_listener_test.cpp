// Raw sockets against a listener on a port of the system's choice: what is sent is written out byte
// by byte, so that no client library smooths over what the listener does.

#include "app/http_listener.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "core/json.h"
#include "on_lane.h"
#include "raw_socket.h"

namespace quiver::app {
namespace {

using test::kPatience;
using test::Received;
using test::Socket;
using Millis = std::chrono::milliseconds;

std::string post(const std::string& body, const std::string& more = "") {
  return "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n" + more + "\r\n" + body;
}

/// A listener whose handler tells what it saw, or waits.
class Site {
 public:
  explicit Site(HttpListenerOptions options = {}, LaneOptions lane_options = {})
      : lane(lane_options) {
    options.port = 0;
    auto started = HttpListener::start(
        options, test::on_lane(lane, [this](const HttpRequest& request, const CancelToken& gone) {
          return handle(request, gone);
        }));
    REQUIRE(started.ok());
    listener = *std::move(started);
  }
  ~Site() {
    open_gate();
    listener->stop();
  }
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  std::uint16_t port() const { return listener->port(); }
  void open_gate() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  bool wait_waiting(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return waiting_ >= count; });
  }
  bool wait_gone(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return gone_ >= count; });
  }

  int gone() {
    const std::lock_guard lock(mutex_);
    return gone_;
  }

  Lane lane;
  std::unique_ptr<HttpListener> listener;

 private:
  HttpResponse handle(const HttpRequest& request, const CancelToken& gone) {
    if (request.target == "/throw") throw std::runtime_error("thrown by a test");
    if (request.target == "/large") return {200, {}, std::string(5'000'000, 'r')};
    if (request.target == "/nothing") return {202, {}, ""};
    if (request.target == "/wait") {
      std::unique_lock lock(mutex_);
      ++waiting_;
      changed_.notify_all();
      while (!open_ && !gone.cancelled()) changed_.wait_for(lock, Millis(2));
      gone_ += gone.cancelled() ? 1 : 0;
      changed_.notify_all();
    }
    Json seen{
        {"method", request.method}, {"target", request.target}, {"bytes", request.body.size()}};
    if (request.body.size() < 1000) seen["body"] = request.body;
    for (const auto& [name, value] : request.headers) seen["headers"][name] = value;
    return {200, {{"content-type", "application/json"}}, seen.dump()};
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int waiting_ = 0;
  int gone_ = 0;
};

TEST_CASE("HttpListener: a request arrives whole, its reply too", "[app][http]") {
  Site site;
  Socket client(site.port());
  client.send(
      "POST /mcp?x=%20y HTTP/1.1\r\nHOST: LocalHost\r\nX-Two: a\r\nx-two: b\r\n"
      "Content-Length: 5\r\n\r\nhello");
  const Received reply = client.receive();
  CHECK(reply.status == 200);
  CHECK(reply.header("content-type") == "application/json");
  CHECK(reply.header("content-length") == std::to_string(reply.body.size()));
  CHECK(reply.header("date").size() == std::string("Mon, 23 Nov 2026 00:00:00 GMT").size());
  CHECK(Json::parse(reply.body) ==
        Json{{"method", "POST"},
             {"target", "/mcp?x=%20y"},
             {"bytes", 5},
             {"body", "hello"},
             {"headers", {{"host", "LocalHost"}, {"x-two", "a, b"}, {"content-length", "5"}}}});
}

TEST_CASE("HttpListener: connections are kept, or not, as the client says", "[app][http]") {
  Site site;
  Socket client(site.port());
  for (int i = 0; i < 300; ++i) {
    client.send(post(std::to_string(i)));
    CHECK(Json::parse(client.receive().body)["body"] == std::to_string(i));
  }
  client.send(post("", "Connection: close\r\n"));
  const Received last = client.receive();
  CHECK(last.status == 200);
  CHECK(last.header("connection") == "close");
  CHECK(client.ended());

  Socket old(site.port());
  old.send("GET / HTTP/1.0\r\n\r\n");
  CHECK(old.receive().status == 200);
  CHECK(old.ended());
}

TEST_CASE("HttpListener: pipelined requests are answered in order", "[app][http]") {
  Site site;
  Socket client(site.port());
  std::string bytes;
  for (int i = 0; i < 50; ++i) bytes += post(std::to_string(i));
  client.send(bytes);
  for (int i = 0; i < 50; ++i) {
    CHECK(Json::parse(client.receive().body)["body"] == std::to_string(i));
  }
}

TEST_CASE("HttpListener: replies without a body, to HEAD, and large ones", "[app][http]") {
  Site site;
  Socket client(site.port());
  client.send("POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  const Received nothing = client.receive();
  CHECK(nothing.status == 202);
  CHECK(nothing.header("content-length") == "0");
  client.send("HEAD /large HTTP/1.1\r\nHost: a\r\n\r\n");
  const Received head = client.receive(true);
  CHECK(head.status == 200);
  CHECK(head.header("content-length") == "5000000");
  client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK((client.receive().body == std::string(5'000'000, 'r')));
}

TEST_CASE("HttpListener: bodies in chunks, and those that are announced", "[app][http]") {
  Site site;
  Socket client(site.port());
  client.send(
      "POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\n\r\n");
  CHECK(Json::parse(client.receive().body)["body"] == "abcdefg");

  client.send("POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  CHECK(client.receive().status == 100);
  client.send("ok");
  CHECK(Json::parse(client.receive().body)["body"] == "ok");

  client.send(post(std::string(10'000'000, 'x')));
  CHECK(Json::parse(client.receive().body)["bytes"] == 10'000'000);
}

TEST_CASE("HttpListener: a body over the limit is refused before it is sent", "[app][http]") {
  HttpListenerOptions options;
  options.body_bytes_max = 1000;
  Site site(options);
  Socket exact(site.port());
  exact.send(post(std::string(1000, 'x')));
  CHECK(exact.receive().status == 200);
  Socket announced(site.port());
  announced.send("POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n");
  const Received refused = announced.receive();
  CHECK(refused.status == 413);
  CHECK(refused.header("content-type") == "application/problem+json");
  const Json body = Json::parse(refused.body);
  CHECK(body["status"] == 413);
  CHECK(body["detail"] == "a body has at most 1000 bytes");
  CHECK(announced.ended());
  // In chunks its size shows only as it comes.
  Socket chunked(site.port());
  chunked.send("POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 3; ++i) chunked.send("190\r\n" + std::string(400, 'x') + "\r\n");
  CHECK(chunked.receive().status == 413);
  // A reply reaches a client that is still sending.
  Socket eager(site.port());
  eager.send(post(std::string(500'000, 'x')));
  CHECK(eager.receive().status == 413);
}

TEST_CASE("HttpListener: headers over the limit are refused", "[app][http]") {
  Site site;
  Socket fits(site.port());
  fits.send(post("", "X: " + std::string(8000, 'x') + "\r\n"));
  CHECK(fits.receive().status == 200);
  Socket large(site.port());
  large.send(post("", "X: " + std::string(8192, 'x') + "\r\n"));
  CHECK(large.receive().status == 431);
  CHECK(large.ended());
  Socket target(site.port());
  target.send("GET /" + std::string(100'000, 'x'));
  CHECK(target.receive().status == 431);
}

TEST_CASE("HttpListener: what is not HTTP is refused", "[app][http]") {
  Site site;
  for (const std::string bad :
       {"garbage\r\n\r\n", "GET / HTTP/1.1\r\nHost\r\n\r\n", "GET / HTTP/9.9\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"}) {
    INFO(bad);
    Socket client(site.port());
    client.send(bad);
    CHECK(client.receive().status == 400);
    CHECK(client.ended());
  }
}

// RFC 9110 9.3.2: the client reads none, and would take a body for the next response.
TEST_CASE("HttpListener: a HEAD that is refused is answered without a body", "[app][http]") {
  Site site;
  for (const std::string& bad : {std::string("HEAD / HTTP/1.1\r\n\r\n"),
                                 "HEAD / HTTP/1.1\r\nHost: a\r\nX: " + std::string(8192, 'x')}) {
    INFO(bad.substr(0, 40));
    Socket client(site.port());
    client.send(bad);
    const Received refused = client.receive(true);
    CHECK(refused.status >= 400);
    CHECK(refused.header("content-length") != "0");
    CHECK(client.ended());
  }
}

TEST_CASE("HttpListener: a body in another coding than chunks is refused", "[app][http]") {
  Site site;
  for (const std::string coding : {"gzip, chunked", "gzip", "chunked\r\nTransfer-Encoding: gzip"}) {
    INFO(coding);
    Socket client(site.port());
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: " + coding + "\r\n\r\n");
    const auto refused = client.receive();
    // Most of them the parser itself takes for no valid request.
    CHECK((refused.status == 501 || (coding != "gzip, chunked" && refused.status == 400)));
    CHECK(client.ended());
  }
  Socket client(site.port());
  client.send(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
  CHECK(client.receive().status == 200);
}

TEST_CASE("HttpListener: clients that are too slow are cut off, the others are served",
          "[app][http]") {
  HttpListenerOptions options;
  options.header_timeout = Millis(50);
  options.body_timeout = Millis(50);
  options.idle_timeout = Millis(50);
  Site site(options);
  Socket silent(site.port());
  Socket dripping(site.port());
  Socket half(site.port());
  Socket idle(site.port());
  half.send("POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
  idle.send(post(""));
  CHECK(idle.receive().status == 200);
  // A byte now and then does not buy more time.
  dripping.send("POST /mcp HTTP/1.1\r\nX: ");
  while (!dripping.readable(Millis(1)) && dripping.send("y")) {
  }
  CHECK(dripping.ended());
  CHECK(silent.ended());
  CHECK(half.ended());
  CHECK(idle.ended());
  Socket other(site.port());
  other.send(post("served"));
  CHECK(other.receive().status == 200);
}

TEST_CASE("HttpListener: more connections than allowed are told so", "[app][http]") {
  HttpListenerOptions options;
  options.connections_max = 2;
  Site site(options);
  Socket first(site.port());
  Socket second(site.port());
  for (Socket* client : {&first, &second}) {
    client->send(post(""));
    CHECK(client->receive().status == 200);
  }
  Socket third(site.port());
  CHECK(third.receive().status == 503);
  CHECK(third.ended());
  // Places come back.
  first.close();
  int status = 503;
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (status != 200 && std::chrono::steady_clock::now() < until) {
    Socket next(site.port());
    next.send(post(""));
    status = next.receive().status;
  }
  CHECK(status == 200);
}

TEST_CASE("HttpListener: bodies share a bounded memory", "[app][http]") {
  HttpListenerOptions options;
  options.bodies_bytes_max = 100'000;
  Site site(options);
  Socket large(site.port());
  large.send("POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n");
  large.send(std::string(80'000, 'x'));
  // Its share is taken when its headers are read, which may still be to come.
  int status = 0;
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (status != 503 && std::chrono::steady_clock::now() < until) {
    Socket other(site.port());
    other.send(post(std::string(20'000, 'y')));
    const Received reply = other.receive();
    status = reply.status;
    if (status == 503) CHECK(reply.header("retry-after") == "1");
  }
  CHECK(status == 503);
  Socket chunked(site.port());
  chunked.send("POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4e20\r\n" +
               std::string(20'000, 'z') + "\r\n");
  CHECK(chunked.receive().status == 503);
  large.send(std::string(10'000, 'x'));
  CHECK(large.receive().status == 200);
  Socket after(site.port());
  after.send(post(std::string(100'000, 'y')));
  CHECK(after.receive().status == 200);
}

TEST_CASE("HttpListener: a full lane is a reply, not a wait", "[app][http]") {
  Site site({}, {"request", 1, 1});
  Socket running(site.port());
  running.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  REQUIRE(site.wait_waiting(1));
  // One of two finds the only place in the queue.
  std::vector<std::unique_ptr<Socket>> clients;
  for (int i = 0; i < 2; ++i) {
    clients.push_back(std::make_unique<Socket>(site.port()));
    clients.back()->send(post(""));
  }
  std::vector<int> statuses(2);
  std::vector<std::thread> readers;
  std::atomic<int> busy{0};
  for (std::size_t i = 0; i < 2; ++i) {
    readers.emplace_back([&, i] {
      const Received reply = clients[i]->receive();
      statuses[i] = reply.status;
      if (reply.status != 429) return;
      ++busy;
      CHECK(reply.header("retry-after") == "1");
      site.open_gate();
    });
  }
  for (auto& reader : readers) reader.join();
  CHECK(busy == 1);
  std::sort(statuses.begin(), statuses.end());
  CHECK(statuses == std::vector<int>{200, 429});
  CHECK(running.receive().status == 200);
}

TEST_CASE("HttpListener: an exception of the handler is a reply", "[app][http]") {
  Site site;
  Socket client(site.port());
  client.send("GET /throw HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(client.receive().status == 500);
  client.send(post("after"));
  CHECK(client.receive().status == 200);
}

TEST_CASE("HttpListener: the handler learns that its client has gone", "[app][http]") {
  Site site;
  {
    Socket client(site.port());
    client.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    REQUIRE(site.wait_waiting(1));
  }
  CHECK(site.wait_gone(1));
  // One that has sent its next request already has not.
  Socket pipelining(site.port());
  pipelining.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n" + post("next"));
  REQUIRE(site.wait_waiting(2));
  site.open_gate();
  CHECK(pipelining.receive().status == 200);
  CHECK(Json::parse(pipelining.receive().body)["body"] == "next");
  CHECK(site.gone() == 1);
}

TEST_CASE("HttpListener: stop finishes what is in flight and takes nothing new", "[app][http]") {
  Site site;
  Socket waiting(site.port());
  waiting.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  Socket idle(site.port());
  idle.send(post(""));
  CHECK(idle.receive().status == 200);
  REQUIRE(site.wait_waiting(1));
  const std::uint16_t port = site.port();
  std::thread stopper([&] { site.listener->stop(); });
  CHECK(idle.ended());
  site.open_gate();
  const Received reply = waiting.receive();
  CHECK(reply.status == 200);
  CHECK(reply.header("connection") == "close");
  CHECK(waiting.ended());
  stopper.join();
  CHECK_FALSE(Socket(port).connected());
}

TEST_CASE("HttpListener: stop cancels what does not finish", "[app][http]") {
  HttpListenerOptions options;
  options.drain = Millis(20);
  Site site(options);
  Socket waiting(site.port());
  waiting.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  REQUIRE(site.wait_waiting(1));
  // The gate stays shut: only the token lets the handler go.
  site.listener->stop();
  CHECK(site.wait_gone(1));
  CHECK(waiting.ended());
}

TEST_CASE("HttpListener: where it cannot listen it says why", "[app][http]") {
  Site site;
  const auto error = [&](const std::string& host, std::uint16_t port) {
    HttpListenerOptions options;
    options.host = host;
    options.port = port;
    auto started = HttpListener::start(options, [](const auto&, const auto&) {});
    REQUIRE_FALSE(started.ok());
    return started.error();
  };
  const Error taken = error("127.0.0.1", site.port());
  CHECK(taken.code == ErrorCode::FailedPrecondition);
  CHECK(taken.message == "127.0.0.1 port " + std::to_string(site.port()) +
                             ": address in use: choose another with --port");
  CHECK(error("no such host", 0).code == ErrorCode::InvalidArgument);
  // A documentation address, RFC 5737: no machine has it.
  CHECK(error("192.0.2.1", 0).code == ErrorCode::InvalidArgument);
}

TEST_CASE("HttpListener: localhost is a host", "[app][http]") {
  HttpListenerOptions options;
  options.host = "localhost";
  options.port = 0;
  auto started = HttpListener::start(options, [](const auto&, const auto&) {});
  REQUIRE(started.ok());
  CHECK((*started)->port() != 0);
}

TEST_CASE("HttpListener: many clients at once, on more than one thread", "[app][http]") {
  HttpListenerOptions options;
  options.io_threads = 2;
  Site site(options);
  std::atomic<int> good{0};
  std::vector<std::thread> clients;
  for (int c = 0; c < 8; ++c) {
    clients.emplace_back([&, c] {
      Socket client(site.port());
      for (int i = 0; i < 50; ++i) {
        const std::string body = std::to_string(c * 1000 + i);
        client.send(post(body));
        const Received reply = client.receive();
        if (reply.status == 200 && Json::parse(reply.body)["body"] == body) ++good;
      }
    });
  }
  for (auto& client : clients) client.join();
  CHECK(good == 400);
}

}  // namespace
}  // namespace quiver::app
