// Lines over real pipes and sockets: what is a message, what is too much of one, and a peer that
// reads slowly, not at all, or goes away.

#include "mcp/stdio_transport.h"

#include <csignal>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mcp/connection.h"
#include "support.h"
#include "tests/support/sanitized.h"

namespace quiver::mcp {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

/// The two ends of what connects a client with a StdioTransport.
class Wire {
 public:
  enum class Kind { Pipe, Socket };

  explicit Wire(Kind kind = Kind::Pipe, StdioTransport::Options options = {}) {
    // As every process that owns a StdioTransport must.
    std::signal(SIGPIPE, SIG_IGN);
    int to_server[2];
    int to_client[2];
    if (kind == Kind::Pipe) {
      REQUIRE(::pipe2(to_server, O_CLOEXEC) == 0);
      REQUIRE(::pipe2(to_client, O_CLOEXEC) == 0);
    } else {
      int pair[2];
      REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
      to_server[1] = pair[0];
      to_client[0] = ::dup(pair[0]);
      to_server[0] = pair[1];
      to_client[1] = ::dup(pair[1]);
    }
    in_ = to_server[1];
    out_ = to_client[0];
    auto opened = StdioTransport::open(to_server[0], to_client[1], options);
    REQUIRE(opened.ok());
    transport = *std::move(opened);
  }
  ~Wire() {
    close_in();
    close_out();
  }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  /// Writes from the client; false once the server is gone.
  bool say(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t sent = ::write(in_, text.data(), text.size());
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  std::string hear(std::size_t bytes) const {
    std::string text(bytes, '\0');
    std::size_t got = 0;
    while (got < bytes) {
      const ssize_t part = ::read(out_, text.data() + got, bytes - got);
      if (part <= 0) break;
      got += static_cast<std::size_t>(part);
    }
    text.resize(got);
    return text;
  }
  std::string hear_line() const {
    std::string line;
    char byte = 0;
    while (::read(out_, &byte, 1) == 1 && byte != '\n') line += byte;
    return line;
  }
  void close_in() { close(in_); }
  void close_out() { close(out_); }

  std::unique_ptr<StdioTransport> transport;

 private:
  static void close(int& fd) {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
  int in_ = -1;
  int out_ = -1;
};

std::string next(Wire& wire) {
  auto message = wire.transport->read();
  REQUIRE(message.ok());
  REQUIRE(message->has_value());
  return **message;
}

bool closed(Wire& wire) {
  auto message = wire.transport->read();
  return message.ok() && !message->has_value();
}

TEST_CASE("StdioTransport: a message is a line, however it is cut in transit", "[mcp][stdio]") {
  Wire wire;
  wire.say("{\"a\":1}\n{\"b\"");
  CHECK(next(wire) == "{\"a\":1}");
  wire.say(":2}\r\n\n \t\r\n\r\n[3]\n");
  CHECK(next(wire) == "{\"b\":2}");
  CHECK(next(wire) == "[3]");
  wire.say("\"no newline at the end\"");
  wire.close_in();
  CHECK(next(wire) == "\"no newline at the end\"");
  CHECK(closed(wire));
  CHECK(closed(wire));
}

TEST_CASE("StdioTransport: lines longer than a read come whole", "[mcp][stdio]") {
  Wire wire;
  std::vector<std::string> lines;
  for (std::size_t size = 1; size < 300'000; size = size * 3 + 1) {
    lines.push_back(std::string(size, static_cast<char>('a' + lines.size())));
  }
  std::thread client([&] {
    for (const auto& line : lines) wire.say(line + "\n");
    wire.close_in();
  });
  for (const auto& line : lines) CHECK((next(wire) == line));
  CHECK(closed(wire));
  client.join();
}

TEST_CASE("StdioTransport: a line over the limit is skipped, and the next one is read",
          "[mcp][stdio]") {
  StdioTransport::Options options;
  options.message_bytes_max = 100;
  Wire wire(Wire::Kind::Pipe, options);
  wire.say(std::string(100, 'a') + "\n" + std::string(101, 'b') + "\n" + std::string(50'000, 'c') +
           "\nnext\n");
  CHECK(next(wire) == std::string(100, 'a'));
  for (const char* bytes : {"101", "50000"}) {
    const auto large = wire.transport->read();
    REQUIRE_FALSE(large.ok());
    CHECK(large.error().code == ErrorCode::ResourceExhausted);
    CHECK(large.error().message ==
          "message too large: " + std::string(bytes) + " bytes, 100 bytes max");
  }
  CHECK(next(wire) == "next");
}

TEST_CASE("StdioTransport: 200 MB in one line cost the limit, not 200 MB", "[mcp][stdio]") {
  const auto peak_bytes = [] {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
  };
  Wire wire;
  test::World world;
  const Server server(world.offer(), test::inline_work);
  Connection connection(server, *wire.transport);
  const std::size_t before = peak_bytes();
  std::thread client([&] {
    wire.say(R"({"jsonrpc":"2.0","id":1,"method":")");
    const std::string part(kMiB, 'x');
    for (int i = 0; i < 200; ++i) wire.say(part);
    wire.say("\"}\n" + test::request(2, "ping") + "\n");
    wire.close_in();
  });
  CHECK(connection.run().ok());
  client.join();
  const Json large = test::parsed(wire.hear_line());
  CHECK(large["id"].is_null());
  CHECK(large["error"] ==
        Json{{"code", -32600},
             {"message", "message too large: 209715236 bytes, 67108864 bytes max"}});
  CHECK(test::parsed(wire.hear_line())["id"] == 2);
  // Growing a string by doubling holds two copies for a moment.
  if (!quiver::test::kSanitized) CHECK(peak_bytes() - before < 150 * kMiB);
}

TEST_CASE("StdioTransport: writes of many threads are whole lines", "[mcp][stdio]") {
  const auto kind = GENERATE(Wire::Kind::Pipe, Wire::Kind::Socket);
  Wire wire(kind);
  constexpr std::size_t kThreads = 4;
  constexpr std::size_t kMessages = 20;
  // Far more than a pipe holds, and not a multiple of anything.
  constexpr std::size_t kBytes = 70'001;
  std::vector<std::thread> writers;
  for (std::size_t i = 0; i < kThreads; ++i) {
    writers.emplace_back([&wire, i] {
      const std::string message(kBytes, static_cast<char>('a' + i));
      for (std::size_t k = 0; k < kMessages; ++k) {
        if (!wire.transport->write(message).ok()) return;
      }
    });
  }
  std::vector<std::size_t> counts(kThreads);
  for (std::size_t i = 0; i < kThreads * kMessages; ++i) {
    const std::string line = wire.hear(kBytes + 1);
    REQUIRE(line.size() == kBytes + 1);
    CHECK(line.back() == '\n');
    CHECK(line.find_first_not_of(line.front()) == kBytes);
    ++counts[static_cast<std::size_t>(line.front() - 'a')];
  }
  for (auto& writer : writers) writer.join();
  CHECK(counts == std::vector<std::size_t>(kThreads, kMessages));
}

TEST_CASE("StdioTransport: descriptors that do not block serve as well", "[mcp][stdio]") {
  int to_server[2];
  int to_client[2];
  REQUIRE(::pipe2(to_server, O_NONBLOCK) == 0);
  REQUIRE(::pipe2(to_client, O_NONBLOCK) == 0);
  auto transport = *StdioTransport::open(to_server[0], to_client[1], {});
  const std::string large(300'000, 'x');
  std::thread writer([&] { CHECK(transport->write(large).ok()); });
  std::string heard;
  std::vector<char> part(8192);
  while (heard.size() <= large.size()) {
    const ssize_t got = ::read(to_client[0], part.data(), part.size());
    if (got > 0) heard.append(part.data(), static_cast<std::size_t>(got));
    if (got < 0) std::this_thread::yield();
  }
  writer.join();
  CHECK((heard == large + "\n"));
  std::thread reader([&] {
    auto message = transport->read();
    REQUIRE(message.ok());
    CHECK(**message == "late");
  });
  REQUIRE(::write(to_server[1], "late\n", 5) == 5);
  reader.join();
  for (const int fd : {to_server[1], to_client[0]}) ::close(fd);
}

TEST_CASE("StdioTransport: a peer that is gone fails the write, and all after it", "[mcp][stdio]") {
  const auto kind = GENERATE(Wire::Kind::Pipe, Wire::Kind::Socket);
  Wire wire(kind);
  wire.close_in();
  wire.close_out();
  for (int i = 0; i < 2; ++i) {
    const Status sent = wire.transport->write("{}");
    REQUIRE_FALSE(sent.ok());
    CHECK(sent.error().code == ErrorCode::Unavailable);
  }
  wire.transport->offer("{}");
}

TEST_CASE("StdioTransport: an offer is dropped when the peer is not reading", "[mcp][stdio]") {
  const auto kind = GENERATE(Wire::Kind::Pipe, Wire::Kind::Socket);
  Wire wire(kind);
  const std::string message(1000, 'o');
  // Would never end if offers waited: a pipe holds 64 KiB, a socket some 200.
  for (int i = 0; i < 10'000; ++i) wire.transport->offer(message);
  std::thread writer([&] { CHECK(wire.transport->write("end").ok()); });
  std::size_t lines = 0;
  for (std::string line = wire.hear_line(); line != "end"; line = wire.hear_line()) {
    CHECK((line == message));
    ++lines;
  }
  writer.join();
  CHECK(lines >= 1);
  CHECK(lines < 10'000);
  // One that could not be written in one piece is not begun.
  wire.transport->offer(std::string(5000, 'x'));
  CHECK(wire.transport->write("after").ok());
  CHECK(wire.hear_line() == "after");
}

TEST_CASE("StdioTransport: finish ends a read that waits, and what was half read", "[mcp][stdio]") {
  Wire wire;
  wire.say("{\"half\":");
  std::thread reader([&] { CHECK(closed(wire)); });
  wire.transport->finish();
  reader.join();
  CHECK(wire.transport->write("{}").ok());
  CHECK(wire.hear_line() == "{}");
}

TEST_CASE("StdioTransport: finish bounds a write that nobody reads", "[mcp][stdio]") {
  const auto kind = GENERATE(Wire::Kind::Pipe, Wire::Kind::Socket);
  StdioTransport::Options options;
  options.grace = std::chrono::milliseconds(10);
  Wire wire(kind, options);
  Status sent = Done{};
  std::thread writer([&] { sent = wire.transport->write(std::string(2 * kMiB, 'x')); });
  wire.transport->finish();
  writer.join();
  REQUIRE_FALSE(sent.ok());
  CHECK(sent.error().message == "the peer does not read");
  // Half a message is out: nothing can follow it.
  CHECK_FALSE(wire.transport->write("{}").ok());
}

TEST_CASE("StdioTransport: a broken descriptor is an error", "[mcp][stdio]") {
  std::signal(SIGPIPE, SIG_IGN);  // As the transport asks of its process.
  int pipe[2];
  REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
  ::close(pipe[0]);
  // The wrong way round: reading from a pipe's writing end, which nobody reads.
  auto transport = *StdioTransport::open(pipe[1], pipe[1], {});
  const auto message = transport->read();
  REQUIRE_FALSE(message.ok());
  CHECK(message.error().code == ErrorCode::Unavailable);
  CHECK_FALSE(transport->write("{}").ok());
}

}  // namespace
}  // namespace quiver::mcp
