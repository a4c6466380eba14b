// The HTTP client against a peer that says, byte for byte, what each test wants, and misbehaves.

#include "app/http_client.h"

#include <atomic>
#include <functional>
#include <thread>

#include <arpa/inet.h>
#include <catch2/catch.hpp>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "app/fd.h"
#include "tests/support/temp_dir.h"

namespace quiver::app {
namespace {

using State = HttpReply::State;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

/// One connection of the peer.
class Peer {
 public:
  Peer(int fd, const std::atomic<bool>& stop) : fd_(fd), stop_(stop) {}

  bool send(std::string_view bytes) const {
    return ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }
  /// Reads a request with its body; empty when the client has gone.
  std::string request() {
    while (true) {
      const auto head = buffer_.find("\r\n\r\n");
      if (head != std::string::npos) {
        const auto field = buffer_.find("Content-Length: ");
        const std::size_t body =
            field < head ? std::stoul(buffer_.substr(field + 16)) : std::size_t{0};
        if (buffer_.size() >= head + 4 + body) {
          std::string one = buffer_.substr(0, head + 4 + body);
          buffer_.erase(0, one.size());
          return one;
        }
      }
      if (!more()) return {};
    }
  }
  /// Until the client or the test goes.
  void hold() {
    while (more()) {
    }
  }
  bool stopped() const { return stop_; }

 private:
  bool more() {
    pollfd ready{fd_.get(), POLLIN, 0};
    while (!stop_) {
      if (::poll(&ready, 1, 10) == 0) continue;
      char bytes[4096];
      const auto size = ::recv(fd_.get(), bytes, sizeof bytes, 0);
      if (size <= 0) return false;
      buffer_.append(bytes, static_cast<std::size_t>(size));
      return true;
    }
    return false;
  }

  const Fd fd_;
  const std::atomic<bool>& stop_;
  std::string buffer_;
};

/// Listens on 127.0.0.1 and gives each connection to `behave`, one after the other.
class Server {
 public:
  explicit Server(std::function<void(Peer&)> behave) : behave_(std::move(behave)) {
    listener_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* where = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    REQUIRE(::bind(listener_.get(), where, size) == 0);
    REQUIRE(::listen(listener_.get(), 16) == 0);
    REQUIRE(::getsockname(listener_.get(), where, &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~Server() { stop(); }
  void stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    listener_.reset();
  }
  std::string origin() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int connections() const { return connections_; }

 private:
  void run() {
    pollfd ready{listener_.get(), POLLIN, 0};
    while (!stop_) {
      if (::poll(&ready, 1, 10) == 0) continue;
      Peer peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC), stop_);
      ++connections_;
      behave_(peer);
    }
  }

  const std::function<void(Peer&)> behave_;
  Fd listener_;
  int port_ = 0;
  std::atomic<bool> stop_{false};
  std::atomic<int> connections_{0};
  std::thread thread_;
};

std::string ok(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nX-Kind: Test\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

std::unique_ptr<HttpClient> client(HttpClientOptions options = {}) {
  auto made = make_http_client(options);
  REQUIRE(made.ok());
  return std::move(*made);
}

CallContext within(milliseconds time) {
  CallContext call;
  call.deadline = steady_clock::now() + time;
  return call;
}

const HttpRequest kPost{"POST", "/a%20b?c=%2F", {{"content-type", "text/plain"}}, "body"};

TEST_CASE("HttpClient: sends what it is given, on a connection that is kept", "[app][http]") {
  std::vector<std::string> requests;
  Server server([&](Peer& peer) {
    for (auto request = peer.request(); !request.empty(); request = peer.request()) {
      requests.push_back(request);
      peer.send(ok("answer " + std::to_string(requests.size())));
    }
  });
  const auto http = client();
  for (int i = 1; i <= 3; ++i) {
    const auto reply = http->send({}, server.origin(), kPost);
    REQUIRE(reply.answered());
    CHECK(reply.response.status == 200);
    CHECK(reply.response.body == "answer " + std::to_string(i));
    CHECK(reply.response.headers.at("x-kind") == "Test");
  }
  server.stop();
  CHECK(server.connections() == 1);
  REQUIRE(requests.size() == 3);
  CHECK_THAT(requests[0], Catch::StartsWith("POST /a%20b?c=%2F HTTP/1.1\r\n"));
  CHECK_THAT(requests[0], Catch::Contains("content-type: text/plain\r\n"));
  CHECK_THAT(requests[0], Catch::EndsWith("\r\n\r\nbody"));
}

TEST_CASE("HttpClient: an answer of any status is an answer", "[app][http]") {
  Server server([](Peer& peer) {
    peer.request();
    peer.send("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy");
    peer.hold();
  });
  const auto reply = client()->send({}, server.origin(), kPost);
  REQUIRE(reply.answered());
  CHECK(reply.response.status == 503);
  CHECK(reply.response.body == "busy");
}

TEST_CASE("HttpClient: a connection that the peer closed is not used again", "[app][http]") {
  Server server([](Peer& peer) {
    peer.request();
    peer.send(ok("once"));
  });
  const auto http = client();
  for (int i = 0; i < 5; ++i) {
    const auto reply = http->send(within(seconds(10)), server.origin(), kPost);
    // The close may come after the look at the connection and before the request.
    CHECK(reply.state != State::NotSent);
    if (reply.answered()) CHECK(reply.response.body == "once");
  }
}

TEST_CASE("HttpClient: nobody there is NotSent", "[app][http]") {
  std::string origin;
  {
    const Server gone([](Peer&) {});
    origin = gone.origin();
  }
  const auto http = client();
  const auto refused = http->send({}, origin, kPost);
  CHECK(refused.state == State::NotSent);
  CHECK_THAT(refused.why, Catch::Contains(origin));
  CHECK(http->stream({}, origin, kPost, seconds(1), [](std::string_view) { return true; }).state ==
        State::NotSent);
  CHECK(http->send({}, "https://127.0.0.1:1", kPost).state == State::NotSent);
  CHECK(http->send({}, "ftp://127.0.0.1:1", kPost).state == State::NotSent);
  CHECK(http->send(within(milliseconds(-1)), origin, kPost).why.find("out of time") !=
        std::string::npos);
}

TEST_CASE("HttpClient: a peer that does not answer is Lost at the deadline", "[app][http]") {
  std::function<void(Peer&)> behave;
  SECTION("says nothing") {
    behave = [](Peer& peer) { peer.hold(); };
  }
  SECTION("gives a byte of the head now and then, for ever") {
    behave = [](Peer& peer) {
      peer.request();
      while (!peer.stopped() && peer.send("x")) {
        std::this_thread::sleep_for(milliseconds(5));
      }
    };
  }
  SECTION("gives a byte of the body now and then, for ever") {
    behave = [](Peer& peer) {
      peer.request();
      peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
      while (!peer.stopped() && peer.send("x")) {
        std::this_thread::sleep_for(milliseconds(5));
      }
    };
  }
  Server server(behave);
  const auto reply = client()->send(within(milliseconds(300)), server.origin(), kPost);
  CHECK(reply.state == State::Lost);
  CHECK_THAT(reply.why, Catch::Contains("no answer in time") || Catch::Contains("silent"));
}

TEST_CASE("HttpClient: a broken answer is Lost, with what of it came", "[app][http]") {
  std::string answer;
  int status = 0;
  SECTION("closes without a word") {}
  SECTION("closes within the head") {
    answer = "HTTP/1.1 2";
  }
  SECTION("closes within the body") {
    answer = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
    status = 200;
  }
  SECTION("closes within the chunks") {
    answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n";
    status = 200;
  }
  SECTION("speaks something else") {
    answer = "220 mail.example.org ESMTP\r\n";
  }
  Server server([&](Peer& peer) {
    peer.request();
    peer.send(answer);
  });
  const auto reply = client()->send(within(seconds(10)), server.origin(), kPost);
  CHECK(reply.state == State::Lost);
  CHECK(reply.response.status == status);
  CHECK_FALSE(reply.why.empty());
}

TEST_CASE("HttpClient: a response has a bound", "[app][http]") {
  Server server([](Peer& peer) {
    peer.request();
    peer.send(ok(std::string(1001, 'x')));
    peer.hold();
  });
  HttpClientOptions options;
  options.response_bytes_max = 1000;
  const auto reply = client(options)->send({}, server.origin(), kPost);
  CHECK(reply.state == State::Lost);
  CHECK_THAT(reply.why, Catch::Contains("longer than 1000 bytes"));
}

TEST_CASE("HttpClient: cancelled from another thread, a call ends", "[app][http]") {
  std::atomic<bool> asked{false};
  Server server([&](Peer& peer) {
    peer.request();
    asked = true;
    peer.hold();
  });
  const auto http = client();
  CallContext call;
  call.cancel = CancelToken::make();
  std::thread canceller([&] {
    while (!asked) std::this_thread::yield();
    call.cancel.cancel();
  });
  const auto reply = http->send(call, server.origin(), kPost);
  canceller.join();
  CHECK(reply.state == State::Lost);
  CHECK_THAT(reply.why, Catch::Contains("cancelled"));
  CHECK(http->send(call, server.origin(), kPost).state == State::NotSent);
}

TEST_CASE("HttpClient: a stream comes piece by piece", "[app][http]") {
  Server server([](Peer& peer) {
    peer.request();
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n");
    peer.send("0\r\n\r\n");
    peer.hold();
  });
  std::string got;
  SECTION("to its end") {
    const auto reply =
        client()->stream({}, server.origin(), kPost, seconds(10), [&](std::string_view bytes) {
          got += bytes;
          return true;
        });
    CHECK(reply.answered());
    CHECK(got == "onetwo");
  }
  SECTION("until its reader has enough") {
    const auto reply =
        client()->stream({}, server.origin(), kPost, seconds(10), [&](std::string_view bytes) {
          got += bytes;
          return false;
        });
    CHECK(reply.answered());
    CHECK(got.size() <= 3);
  }
}

TEST_CASE("HttpClient: a stream that falls silent is Lost", "[app][http]") {
  Server server([](Peer& peer) {
    peer.request();
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    peer.hold();
  });
  std::string got;
  const auto reply =
      client()->stream({}, server.origin(), kPost, milliseconds(200), [&](std::string_view bytes) {
        got += bytes;
        return true;
      });
  CHECK(reply.state == State::Lost);
  CHECK(got == "one");
}

TEST_CASE("HttpClient: what is not a stream goes into the response", "[app][http]") {
  Server server([](Peer& peer) {
    peer.request();
    peer.send("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone");
    peer.hold();
  });
  const auto reply = client()->stream({}, server.origin(), kPost, seconds(10),
                                      [](std::string_view) -> bool { throw 0; });
  CHECK(reply.answered());
  CHECK(reply.response.status == 404);
  CHECK(reply.response.body == "none");
}

TEST_CASE("HttpClient: calls at the same time do not wait for each other", "[app][http]") {
  // The first connection is held; with one connection for all, the second call would wait.
  std::atomic<int> seen{0};
  Server holding([&](Peer& peer) {
    peer.request();
    ++seen;
    peer.hold();
  });
  Server answering([](Peer& peer) {
    while (!peer.request().empty()) peer.send(ok("yes"));
  });
  const auto http = client();
  CallContext call;
  call.cancel = CancelToken::make();
  std::thread held([&] { http->send(call, holding.origin(), kPost); });
  while (seen == 0) std::this_thread::yield();
  CHECK(http->send({}, answering.origin(), kPost).answered());
  call.cancel.cancel();
  held.join();
}

TEST_CASE("HttpClient: TLS files that cannot be used are refused", "[app][http]") {
  const TempDir dir;
  const auto file = dir.write("junk.pem", "not a certificate");
  HttpClientOptions options;
  options.tls.certificate = file;
  CHECK(make_http_client(options).error().code == ErrorCode::InvalidArgument);
  options.tls = {dir.path() / "none.pem", {}, {}};
  const auto missing = make_http_client(options);
  REQUIRE_FALSE(missing.ok());
  CHECK_THAT(missing.error().message, Catch::Contains("none.pem"));
  options.tls = {{}, file, file};
  const auto reply = client(options)->send({}, "https://127.0.0.1:1", kPost);
  CHECK(reply.state == State::NotSent);
  CHECK_THAT(reply.why, Catch::Contains("certificate or key"));
}

}  // namespace
}  // namespace quiver::app
