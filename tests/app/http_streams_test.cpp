// Streams and late replies, by raw sockets and by hand: the test holds the responder of each
// request, so that every test says itself who replies, when, and from which thread.

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "app/http_listener.h"
#include "http_desk.h"
#include "raw_socket.h"

namespace quiver::app {
namespace {

using test::Counter;
using test::Desk;
using test::echoes;
using test::events;
using test::kGet;
using test::kPatience;
using test::Received;
using test::Socket;
using Millis = std::chrono::milliseconds;

const char* const kOldGet = "GET /stream HTTP/1.0\r\n\r\n";

/// Writes until that fails, as a handler does whose client does not read.
std::size_t write_until_cut(HttpStream& stream, std::size_t piece) {
  std::size_t total = 0;
  const std::string bytes(piece, 'x');
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (stream.write(bytes) && std::chrono::steady_clock::now() < until) total += piece;
  CHECK_FALSE(stream.write(bytes));
  return total;
}

/// The next reply that is not an interim one.
Received final_reply(Socket& client) {
  Received reply = client.receive();
  while (reply.status == 102) reply = client.receive();
  return reply;
}

TEST_CASE("HttpListener: a stream arrives as it is written, then the connection goes on",
          "[app][http]") {
  Desk desk;
  Socket client(desk.port());
  client.send(kGet);
  auto asked = desk.next();
  const auto stream = asked.responder->stream(events("data: 1\n\n"));
  const Received head = client.receive();
  CHECK(head.status == 200);
  CHECK(head.header("content-type") == "text/event-stream");
  CHECK(head.header("transfer-encoding") == "chunked");
  CHECK(head.header("content-length").empty());
  CHECK(client.receive_chunk() == "data: 1\n\n");
  for (int i = 2; i < 50; ++i) {
    const std::string event = "data: " + std::to_string(i) + "\n\n";
    CHECK(stream->write(event));
    CHECK(client.receive_chunk() == event);
  }
  CHECK(stream->write(""));
  stream->end();
  CHECK_FALSE(stream->write("late"));
  stream->end();
  CHECK(client.receive_chunk().empty());
  CHECK(echoes(client, "again"));
  CHECK(desk.gone.count() == 0);
}

TEST_CASE("HttpListener: writes that come together leave together", "[app][http]") {
  Desk desk;
  Socket client(desk.port());
  client.send("GET /burst HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(client.receive().status == 200);
  std::string all;
  for (int i = 0; i < 2000; ++i) all += std::to_string(i) + ",";
  CHECK((client.receive_chunk() == all));
  CHECK(client.receive_chunk().empty());
}

TEST_CASE("HttpListener: an HTTP/1.0 stream lasts as long as its connection", "[app][http]") {
  Desk desk;
  Socket client(desk.port());
  client.send(kOldGet);
  auto asked = desk.next();
  const auto stream = asked.responder->stream(events("one "));
  CHECK(stream->write("two"));
  stream->end();
  const Received head = client.receive();
  CHECK(head.status == 200);
  CHECK(head.header("transfer-encoding").empty());
  CHECK(head.header("connection") == "close");
  CHECK(client.rest() == "one two");

  Socket kept(desk.port());
  kept.send("POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx");
  const Received reply = kept.receive();
  CHECK(reply.body == "x");
  CHECK(reply.header("connection") == "keep-alive");
  CHECK(echoes(kept, "y"));
}

TEST_CASE("HttpListener: a stream in answer to HEAD has no body", "[app][http]") {
  Desk desk;
  Socket client(desk.port());
  client.send("HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  auto asked = desk.next();
  const auto stream = asked.responder->stream(events("unseen"));
  CHECK(stream->write("unseen"));
  stream->end();
  CHECK(client.receive(true).status == 200);
  CHECK(echoes(client, "next"));
}

TEST_CASE("HttpListener: requests behind a stream wait for its end", "[app][http]") {
  Desk desk;
  Socket client(desk.port());
  client.send(std::string(kGet) + "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok");
  auto asked = desk.next();
  const auto stream = asked.responder->stream(events("a"));
  CHECK(client.receive().status == 200);
  CHECK(client.receive_chunk() == "a");
  CHECK(stream->write("b"));
  CHECK(client.receive_chunk() == "b");
  stream->end();
  CHECK(client.receive_chunk().empty());
  CHECK(client.receive().body == "ok");
  CHECK(desk.gone.count() == 0);
}

TEST_CASE("HttpListener: a reader that is too slow is cut, not buffered for", "[app][http]") {
  HttpListenerOptions options;
  options.stream_bytes_max = 100'000;
  Desk desk(options);
  for (const char* const request : {kGet, kOldGet}) {
    Socket slow(desk.port(), 4096);
    slow.send(request);
    auto asked = desk.next();
    const auto stream = asked.responder->stream(events());
    const std::size_t written = write_until_cut(*stream, 1000);
    CHECK(written >= options.stream_bytes_max);
    CHECK(desk.gone.wait(1));
    slow.drain();
    CHECK(slow.was_reset());
    stream->end();
    Socket other(desk.port());
    CHECK(echoes(other, "served"));
  }
  CHECK(desk.gone.wait(2));
  CHECK(desk.gone.count() == 2);
}

TEST_CASE("HttpListener: one large write is not a slow reader", "[app][http]") {
  HttpListenerOptions options;
  options.stream_bytes_max = 1000;
  Desk desk(options);
  Socket client(desk.port());
  client.send(kOldGet);
  auto asked = desk.next();
  const auto stream = asked.responder->stream(events());
  CHECK(stream->write(std::string(3'000'000, 'l')));
  stream->end();
  CHECK(client.receive().status == 200);
  CHECK(client.rest().size() == 3'000'000);
}

TEST_CASE("HttpListener: a write without progress cuts", "[app][http]") {
  HttpListenerOptions options;
  options.write_timeout = Millis(50);
  options.stream_bytes_max = std::size_t{64} << 20;
  Desk desk(options);
  Socket stuck(desk.port(), 4096);
  stuck.send(kGet);
  auto asked = desk.next();
  const auto stream = asked.responder->stream(events());
  CHECK(stream->write(std::string(20'000'000, 'x')));
  CHECK(desk.gone.wait(1));
  CHECK_FALSE(stream->write("x"));

  Socket whole(desk.port(), 4096);
  whole.send(kGet);
  auto second = desk.next();
  second.responder->respond({200, {}, std::string(20'000'000, 'x')});
  CHECK(desk.gone.wait(2));
}

TEST_CASE("HttpListener: quiet event streams get a comment, between events", "[app][http]") {
  HttpListenerOptions options;
  options.stream_ping = Millis(20);
  // Streams outlast every other limit.
  options.idle_timeout = options.header_timeout = options.body_timeout = Millis(20);
  Desk desk(options);
  Socket client(desk.port());
  client.send(kGet);
  auto asked = desk.next();
  const auto stream = asked.responder->stream(events());
  CHECK(client.receive().status == 200);
  CHECK(client.receive_chunk() == ":\n\n");
  CHECK(client.receive_chunk() == ":\n\n");
  // Half an event must not be torn apart.
  CHECK(stream->write("data: half"));
  std::string chunk = client.receive_chunk();
  while (chunk == ":\n\n") chunk = client.receive_chunk();
  CHECK(chunk == "data: half");
  CHECK_FALSE(client.readable(Millis(100)));
  CHECK(stream->write("\n"));
  CHECK(client.receive_chunk() == "\n");
  CHECK_FALSE(client.readable(Millis(100)));
  CHECK(stream->write("\n"));
  CHECK(client.receive_chunk() == "\n");
  CHECK(client.receive_chunk() == ":\n\n");

  Socket plain(desk.port());
  plain.send(kGet);
  auto other = desk.next();
  const auto text = other.responder->stream({200, {{"content-type", "text/plain"}}, ""});
  CHECK(plain.receive().status == 200);
  CHECK_FALSE(plain.readable(Millis(100)));
}

TEST_CASE("HttpListener: who is gone is told so once, at once if it is late", "[app][http]") {
  Desk desk;
  {
    Socket client(desk.port());
    client.send(kGet);
    auto asked = desk.next();
    const auto stream = asked.responder->stream(events("x"));
    CHECK(client.receive().status == 200);
    client.close();
    CHECK(desk.gone.wait(1));
    CHECK_FALSE(stream->write("x"));
    Counter late;
    asked.responder->on_gone([&] { late.add(); });
    CHECK(late.count() == 1);
    asked.responder->respond({200, {}, "nobody"});
  }
  CHECK(desk.gone.count() == 1);

  // After a reply that was sent nobody is told, and a later call replaces an earlier.
  Socket client(desk.port());
  client.send(kGet);
  auto asked = desk.next();
  Counter second;
  asked.responder->on_gone([&] { second.add(); });
  asked.responder->respond({200, {}, "done"});
  CHECK(client.receive().body == "done");
  client.close();
  Socket next(desk.port());
  next.send(kGet);
  auto replaced = desk.next();
  Counter third;
  replaced.responder->on_gone([&] { third.add(); });
  next.close();
  CHECK(third.wait(1));
  CHECK(second.count() == 0);
  CHECK(desk.gone.count() == 1);
}

TEST_CASE("HttpListener: a client that only stops sending still gets its reply", "[app][http]") {
  Desk desk;
  Socket client(desk.port());
  client.send(kGet);
  auto asked = desk.next();
  client.finish_sending();
  // It is told that we are here, which it would refuse if it had gone.
  CHECK(client.receive().status == 102);
  CHECK(desk.gone.count() == 0);
  asked.responder->respond({200, {}, "still"});
  CHECK(final_reply(client).body == "still");
  CHECK(client.ended());
  CHECK(desk.gone.count() == 0);

  Socket streaming(desk.port());
  streaming.send(kGet);
  auto second = desk.next();
  streaming.finish_sending();
  const auto stream = second.responder->stream(events("data: a\n\n"));
  CHECK(final_reply(streaming).status == 200);
  // Quiet, it is probed with a comment.
  CHECK(streaming.receive_chunk() == "data: a\n\n");
  CHECK(streaming.receive_chunk() == ":\n\n");
  CHECK(stream->write("data: b\n\n"));
  stream->end();
  CHECK(desk.gone.count() == 0);
}

TEST_CASE("HttpListener: what is told of a disconnect may fail", "[app][http]") {
  Desk desk;
  Socket client(desk.port());
  client.send(kGet);
  auto asked = desk.next();
  Counter told;
  asked.responder->on_gone([&] {
    told.add();
    throw std::runtime_error("thrown by a test");
  });
  client.close();
  CHECK(told.wait(1));
  Socket other(desk.port());
  CHECK(echoes(other, "served"));
}

TEST_CASE("HttpListener: a stream that is let go of looks broken", "[app][http]") {
  Desk desk;
  for (const char* const request : {kGet, kOldGet}) {
    Socket client(desk.port());
    client.send(request);
    auto asked = desk.next();
    asked.responder->stream(events("half"));
    client.drain();
    CHECK(client.was_reset());
  }
  CHECK(desk.gone.count() == 0);
}

TEST_CASE("HttpListener: a responder that is let go of is a 500", "[app][http]") {
  Desk desk;
  Socket client(desk.port());
  client.send("GET /throw HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(client.receive().status == 500);
  client.send(kGet);
  desk.next();
  const Received reply = client.receive();
  CHECK(reply.status == 500);
  CHECK(reply.header("content-type") == "application/problem+json");
  CHECK(echoes(client, "goes on"));
}

TEST_CASE("HttpListener: only the first reply counts", "[app][http]") {
  Desk desk;
  Socket client(desk.port());
  client.send(kGet);
  auto asked = desk.next();
  asked.responder->respond({200, {}, "first"});
  asked.responder->respond({200, {}, "second"});
  CHECK_FALSE(asked.responder->stream(events("third"))->write("x"));
  CHECK(client.receive().body == "first");
  CHECK(echoes(client, "goes on"));
}

TEST_CASE("HttpListener: a head that would break the protocol is not sent", "[app][http]") {
  Desk desk;
  Socket client(desk.port());
  const std::vector<HttpResponse> bad{{200, {{"x", "a\r\nSet-Cookie: b"}}, ""},
                                      {200, {{"x y", "a"}}, ""},
                                      {200, {{"", "a"}}, ""},
                                      {101, {}, ""},
                                      {600, {}, ""}};
  for (const auto& response : bad) {
    for (const bool streams : {false, true}) {
      client.send(kGet);
      auto asked = desk.next();
      if (streams) {
        CHECK_FALSE(asked.responder->stream(response)->write("x"));
      } else {
        asked.responder->respond(response);
      }
      CHECK(client.receive().status == 500);
    }
  }
  client.send(kGet);
  auto asked = desk.next();
  asked.responder->respond({204, {{"Content-Length", "7"}, {"CONNECTION", "x"}}, "ignored"});
  const Received none = client.receive();
  CHECK(none.status == 204);
  CHECK(none.header("content-length").empty());
  CHECK(none.header("connection").empty());
  CHECK(echoes(client, "goes on"));
}

TEST_CASE("HttpListener: stop ends streams through their owner", "[app][http]") {
  Desk desk;
  std::vector<std::unique_ptr<Socket>> clients;
  std::vector<std::shared_ptr<HttpStream>> streams;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(std::make_unique<Socket>(desk.port()));
    clients.back()->send(kGet);
    auto asked = desk.next();
    streams.push_back(asked.responder->stream(events("a")));
  }
  desk.listener->stop([&] {
    Socket late(desk.port());
    late.send(kGet);
    CHECK(late.receive().status != 200);
    for (const auto& stream : streams) {
      CHECK(stream->write("bye"));
      stream->end();
    }
  });
  for (const auto& client : clients) {
    CHECK(client->receive().status == 200);
    std::string body;
    for (auto chunk = client->receive_chunk(); !chunk.empty(); chunk = client->receive_chunk()) {
      body += chunk;
    }
    CHECK(body == "abye");
    CHECK(client->ended());
  }
  CHECK(desk.gone.count() == 0);
}

TEST_CASE("HttpListener: stop does not wait for who does not read", "[app][http]") {
  HttpListenerOptions options;
  options.drain = Millis(20);
  Desk desk(options);
  Socket whole(desk.port(), 4096);
  whole.send(kGet);
  auto asked = desk.next();
  asked.responder->respond({200, {}, std::string(20'000'000, 'x')});
  Socket streaming(desk.port(), 4096);
  streaming.send(kGet);
  const auto stream = desk.next().responder->stream(events(std::string(20'000'000, 'x')));
  stream->end();
  desk.listener->stop();
  CHECK(desk.gone.count() == 2);
}

TEST_CASE("HttpListener: stop cuts what nobody ends", "[app][http]") {
  HttpListenerOptions options;
  options.drain = Millis(20);
  Desk desk(options);
  Socket streaming(desk.port());
  streaming.send(kGet);
  auto asked = desk.next();
  const auto stream = asked.responder->stream(events("a"));
  Socket pending(desk.port());
  pending.send(kGet);
  auto kept = desk.next();
  desk.listener->stop();
  CHECK(desk.gone.count() == 2);
  CHECK_FALSE(stream->write("x"));
  kept.responder->respond({200, {}, "late"});
  // What is left may outlive the listener.
  desk.listener.reset();
  kept.responder->on_gone([] {});
  CHECK_FALSE(stream->write("x"));
}

}  // namespace
}  // namespace quiver::app
