// Many at once, in any order, and with too little of what the system gives.

#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>
#include <sys/resource.h>
#include <sys/socket.h>

#include "app/file_limit.h"
#include "app/http_listener.h"
#include "http_desk.h"
#include "raw_socket.h"

namespace quiver::app {
namespace {

using test::Desk;
using test::echoes;
using test::events;
using test::kGet;
using test::kPatience;
using test::Socket;
using Millis = std::chrono::milliseconds;

TEST_CASE("HttpListener: replies and disconnects may meet in any order", "[app][http]") {
  HttpListenerOptions options;
  options.io_threads = 2;
  std::atomic<int> told{0};
  std::atomic<int> rounds{0};
  std::vector<std::thread> handlers;
  std::mutex mutex;
  auto started = HttpListener::start(
      options, [&](const HttpRequest& request, std::shared_ptr<HttpResponder> responder) {
        responder->on_gone([&told] { ++told; });
        const std::lock_guard lock(mutex);
        handlers.emplace_back([responder = std::move(responder), kind = request.target]() mutable {
          if (kind == "/whole") responder->respond({200, {}, "whole"});
          if (kind == "/stream" || kind == "/drop") {
            const auto stream = responder->stream(events("first"));
            responder.reset();
            for (int i = 0; i < 5; ++i) stream->write("more");
            if (kind == "/stream") stream->end();
          }
        });
      });
  REQUIRE(started.ok());
  const std::vector<std::string> kinds{"/whole", "/stream", "/drop", "/nothing"};
  for (int round = 0; round < 400; ++round) {
    Socket client((*started)->port());
    client.send("GET " + kinds[static_cast<std::size_t>(round) % kinds.size()] +
                " HTTP/1.1\r\nHost: a\r\n\r\n");
    // The thread of this round runs while its client goes, now, later, or half.
    if (round % 3 == 1) client.finish_sending();
    if (round % 7 == 2) client.readable(kPatience);
    client.close();
    ++rounds;
  }
  CHECK(rounds == 400);
  Socket last((*started)->port());
  last.send("GET /whole HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(last.receive().body == "whole");
  (*started)->stop();
  for (auto& handler : handlers) handler.join();
  CHECK(told <= 400);
}

TEST_CASE("HttpListener: many threads write to many streams", "[app][http]") {
  HttpListenerOptions options;
  options.io_threads = 2;
  options.stream_ping = Millis(1);
  Desk desk(options);
  constexpr int kStreams = 8;
  std::vector<std::unique_ptr<Socket>> clients;
  std::vector<std::thread> writers;
  for (int s = 0; s < kStreams; ++s) {
    clients.push_back(std::make_unique<Socket>(desk.port()));
    clients.back()->send(kGet);
    auto asked = desk.next();
    writers.emplace_back([stream = asked.responder->stream(events())] {
      for (int i = 0; i < 500; ++i) stream->write("data: " + std::to_string(i) + "\n\n");
      stream->end();
    });
  }
  std::string expected;
  for (int i = 0; i < 500; ++i) expected += "data: " + std::to_string(i) + "\n\n";
  for (const auto& client : clients) {
    CHECK(client->receive().status == 200);
    std::string body;
    for (auto chunk = client->receive_chunk(); !chunk.empty(); chunk = client->receive_chunk()) {
      if (chunk != ":\n\n") body += chunk;
    }
    CHECK((body == expected));
    CHECK(echoes(*client, "kept"));
  }
  for (auto& writer : writers) writer.join();
}

std::size_t thread_count() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

std::size_t resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmRSS:", 0) == 0) return std::stoul(line.substr(6));
  }
  return 0;
}

TEST_CASE("HttpListener: 2,000 idle streams cost no threads and keep nobody waiting",
          "[app][http]") {
  Desk desk;
  Socket caller(desk.port());
  REQUIRE(echoes(caller, "before"));
  const std::size_t threads = thread_count();
  const std::size_t before = resident_kib();
  constexpr int kStreams = 2000;
  std::vector<std::unique_ptr<Socket>> clients;
  std::vector<std::shared_ptr<HttpStream>> streams;
  for (int i = 0; i < kStreams; ++i) {
    clients.push_back(std::make_unique<Socket>(desk.port()));
    REQUIRE(clients.back()->connected());
    clients.back()->send(kGet);
    streams.push_back(desk.next().responder->stream(events()));
  }
  for (const auto& client : clients) REQUIRE(client->receive().status == 200);
  CHECK(thread_count() == threads);
  std::cout << "2,000 idle streams: " << (resident_kib() - before) / kStreams
            << " KiB each, their clients included\n";
  for (int i = 0; i < 200; ++i) CHECK(echoes(caller, std::to_string(i)));
  for (std::size_t i = 0; i < streams.size(); ++i) {
    CHECK(streams[i]->write("data: " + std::to_string(i) + "\n\n"));
  }
  for (std::size_t i = 0; i < clients.size(); ++i) {
    CHECK(clients[i]->receive_chunk() == "data: " + std::to_string(i) + "\n\n");
  }
  clients.clear();
  CHECK(desk.gone.wait(kStreams));
  CHECK(desk.gone.count() == kStreams);
  CHECK(echoes(caller, "after"));
}

TEST_CASE("HttpListener: out of descriptors it waits until there are some", "[app][http]") {
  Desk desk;
  Socket first(desk.port());
  REQUIRE(echoes(first, "before"));
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const rlimit full = limit;
  // The lowest free descriptor is the client's; the server finds none.
  const int free_one = ::dup(0);
  REQUIRE(free_one >= 0);
  ::close(free_one);
  limit.rlim_cur = static_cast<rlim_t>(free_one) + 1;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  Socket starved(desk.port());
  const bool connected = starved.connected();
  const bool others_served = echoes(first, "meanwhile");
  const bool early = starved.readable(Millis(0));
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &full) == 0);
  CHECK(connected);
  CHECK(others_served);
  CHECK_FALSE(early);
  CHECK(echoes(starved, "after"));
}

TEST_CASE("HttpListener: connections fit under the limit of open files", "[app][http]") {
  CHECK(connections_within(10'000, 20'000) == 10'000);
  CHECK(connections_within(10'000, 4096) == 3584);
  CHECK(connections_within(10'000, 1024) == 512);
  CHECK(connections_within(100, 1024) == 100);
  CHECK(connections_within(10, 0) == 1);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit low = before;
  low.rlim_cur = 64;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  CHECK(raise_file_limit() == before.rlim_max);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
}

TEST_CASE("HttpListener: it serves sockets that others have connected", "[app][http]") {
  HttpListenerOptions options;
  options.connections_max = 1;
  Desk desk(options);
  const auto pair = [] {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    return ends;
  };
  const auto ends = pair();
  CHECK(desk.listener->adopt(ends[1]).ok());
  Socket client(Socket::Connected{ends[0]});
  CHECK(echoes(client, "by a pair"));
  const auto more = pair();
  const Status full = desk.listener->adopt(more[1]);
  REQUIRE_FALSE(full.ok());
  CHECK(full.error().code == ErrorCode::ResourceExhausted);
  Socket refused(Socket::Connected{more[0]});
  CHECK(refused.receive().status == 503);
  const Status none = desk.listener->adopt(-1);
  REQUIRE_FALSE(none.ok());
  CHECK(none.error().code == ErrorCode::InvalidArgument);
  desk.listener->stop();
  const auto late = pair();
  const Status stopped = desk.listener->adopt(late[1]);
  REQUIRE_FALSE(stopped.ok());
  CHECK(stopped.error().code == ErrorCode::Unavailable);
  ::close(late[0]);
}

}  // namespace
}  // namespace quiver::app
