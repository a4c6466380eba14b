// What the server makes of strangers, floods and its own end.

#include <sys/resource.h>

#include "tests/thrift/world.h"
#include "thrift/codec.h"
#include "thrift/connection.h"

namespace {

using namespace quiver;
using namespace quiver::testing;
using thrift::NodeServer;
using thrift::Purpose;
using thrift::ServerOptions;
using Clock = std::chrono::steady_clock;

Result<std::unique_ptr<thrift::Connection>> dial(const World& world, Purpose purpose,
                                                 const thrift::LocalNode& self = local("client"),
                                                 const std::string& token = kToken) {
  const thrift::Dialer dialer(self, {"127.0.0.1", world.server->port(), ""}, with_token(token),
                              20s);
  return dialer.dial(purpose, Clock::now() + 20s, {});
}

/// A connection on which nothing has been said, that speaks the protocol.
struct Stranger {
  explicit Stranger(const World& world)
      : stream(thrift::Stream::connect(
                   thrift::SocketAddress::numeric("127.0.0.1", world.server->port()).value(),
                   Clock::now() + 20s, {})
                   .value()),
        framed(std::make_shared<thrift::FramedTransport>(stream)),
        wire(thrift::make_protocol(framed)) {
    stream->limit(Clock::now() + 20s);
    framed->set_read_limit(thrift::kFrameBytesMax);
    hello.protocol = thrift::kProtocolVersion;
    hello.cluster = "blue";
    hello.node.id = "client";
    hello.purpose = 2;
    hello.nonce = std::string(32, 'x');
    hello.proves = true;
  }

  /// What the server answers to `say`: the code of its refusal, 0 if it does not refuse.
  template <typename Say>
  int code(const Say& say) {
    try {
      say();
      return 0;
    } catch (const wire::QuiverError& refusal) {
      return refusal.code;
    }
  }
  int hello_code() {
    return code([&] {
      wire::HelloReply reply;
      wire.hello(reply, hello);
    });
  }
  /// Whether the server closes the connection.
  bool is_closed() {
    std::uint8_t byte = 0;
    try {
      return stream->read(&byte, 1) == 0;
    } catch (const apache::thrift::transport::TTransportException& problem) {
      return problem.getType() == apache::thrift::transport::TTransportException::NOT_OPEN;
    }
  }

  std::shared_ptr<thrift::Stream> stream;
  std::shared_ptr<thrift::FramedTransport> framed;
  wire::NodeWireClient wire;
  wire::HelloRequest hello;
};

constexpr int code_of(ErrorCode code) {
  return static_cast<int>(code);
}

TEST_CASE("NodeServer: those who cannot say who they are are refused", "[thrift]") {
  World world;
  Stranger stranger(world);
  SECTION("another protocol") {
    stranger.hello.protocol = 2;
    CHECK(stranger.hello_code() == code_of(ErrorCode::FailedPrecondition));
  }
  SECTION("another cluster") {
    stranger.hello.cluster = "green";
    CHECK(stranger.hello_code() == code_of(ErrorCode::FailedPrecondition));
  }
  SECTION("no proper id") {
    stranger.hello.node.id = "a b";
    CHECK(stranger.hello_code() == code_of(ErrorCode::InvalidArgument));
  }
  SECTION("no known purpose") {
    stranger.hello.purpose = GENERATE(0, static_cast<int>(thrift::kPurposes) + 1);
    CHECK(stranger.hello_code() == code_of(ErrorCode::InvalidArgument));
  }
  SECTION("a short nonce") {
    stranger.hello.nonce.pop_back();
    CHECK(stranger.hello_code() == code_of(ErrorCode::InvalidArgument));
  }
  SECTION("no token") {
    stranger.hello.proves = false;
    CHECK(stranger.hello_code() == code_of(ErrorCode::PermissionDenied));
  }
  SECTION("a wrong proof") {
    CHECK(stranger.hello_code() == 0);
    const auto proof = GENERATE(as<std::string>{}, "", std::string(32, 'p'));
    CHECK(stranger.code([&] {
      wire::Ack ack;
      stranger.wire.prove(ack, proof);
    }) == code_of(ErrorCode::PermissionDenied));
  }
  SECTION("the server's own proof, sent back") {
    wire::HelloReply reply;
    stranger.wire.hello(reply, stranger.hello);
    CHECK(stranger.code([&] {
      wire::Ack ack;
      stranger.wire.prove(ack, reply.proof);
    }) == code_of(ErrorCode::PermissionDenied));
  }
  SECTION("a proof that was not asked for") {
    CHECK(stranger.code([&] {
      wire::Ack ack;
      stranger.wire.prove(ack, "x");
    }) == code_of(ErrorCode::PermissionDenied));
  }
  SECTION("two greetings") {
    CHECK(stranger.hello_code() == 0);
    CHECK(stranger.hello_code() == code_of(ErrorCode::PermissionDenied));
  }
  SECTION("a call without a greeting") {
    CHECK(stranger.code([&] {
      wire::StatsReply reply;
      stranger.wire.stats(reply, {});
    }) == code_of(ErrorCode::PermissionDenied));
  }
  SECTION("a call between the greeting and the proof") {
    CHECK(stranger.hello_code() == 0);
    CHECK(stranger.code([&] {
      wire::StatsReply reply;
      stranger.wire.stats(reply, {});
    }) == code_of(ErrorCode::PermissionDenied));
  }
  CHECK(stranger.is_closed());
  CHECK(eventually([&] { return world.server->refused() == 1; }));
  CHECK(world.greetings == 0);
  CHECK(world.handler.calls("stats") == 0);
  // The others are served as before.
  CHECK(world.client()->stats(within(20s)).ok());
}

TEST_CASE("NodeServer: wrong token, wrong cluster, removed node: clear errors at the caller",
          "[thrift]") {
  World world;
  const auto token = dial(world, Purpose::Search, local("client"), "another token of the cluster");
  CHECK(token.error().code == ErrorCode::PermissionDenied);
  const auto cluster = dial(world, Purpose::Search, local("client", "green"));
  CHECK(cluster.error().code == ErrorCode::FailedPrecondition);
  CHECK_THAT(cluster.error().message, Catch::Contains("another cluster"));
  const auto removed = dial(world, Purpose::Search, local("removed"));
  CHECK(removed.error().code == ErrorCode::PermissionDenied);
  CHECK_THAT(removed.error().message, Catch::Contains("was removed"));
  CHECK(world.server->connections(Purpose::Search) == 0);
}

TEST_CASE("NodeServer: a connection stays what it was greeted as", "[thrift]") {
  World world;
  auto connection = dial(world, Purpose::Search).value();
  connection->stream().limit(Clock::now() + 20s);
  auto call = shard_call();
  auto header = thrift::encode_header("blue", "client", call, &call, 10s);
  int code = 0;
  const auto refused = [&] {
    try {
      wire::WriteReply reply;
      connection->wire().write(reply, header, {});
    } catch (const wire::QuiverError& refusal) {
      code = refusal.code;
    }
    return code;
  };
  SECTION("purpose") {
    CHECK(refused() == code_of(ErrorCode::InvalidArgument));
  }
  SECTION("node") {
    header.caller = "another";
    CHECK(refused() == code_of(ErrorCode::PermissionDenied));
  }
  SECTION("cluster") {
    header.cluster = "green";
    CHECK(refused() == code_of(ErrorCode::PermissionDenied));
  }
  CHECK(eventually([&] { return world.server->connections(Purpose::Search) == 0; }));
}

TEST_CASE("NodeServer: garbage is cut, and nothing is allocated for it", "[thrift]") {
  World world;
  rusage before{};
  ::getrusage(RUSAGE_SELF, &before);
  const std::string garbage =
      GENERATE(as<std::string>{}, "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
               std::string("\x40\x00\x00\x00xxxx", 8), std::string("\xff\xff\xff\xff", 4),
               std::string(4, '\0'), std::string("\x00\x00\x40\x01", 4),
               std::string("\x00\x00\x00\x08"
                           "abcdefgh",
                           12),
               // A call whose name is said to be 2 GB long, and one whose map never ends.
               std::string("\x00\x00\x00\x0c\x80\x01\x00\x01\x7f\xff\xff\xff"
                           "abcd",
                           16),
               std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11));
  const auto stranger = RawSocket::to(world.server->port());
  CHECK(stranger.send(garbage));
  CHECK(stranger.read_to_end().has_value());
  CHECK(eventually([&] { return world.server->refused() == 1; }));
  CHECK(eventually([&] { return world.server->strangers() == 0; }));
  rusage after{};
  ::getrusage(RUSAGE_SELF, &after);
  CHECK(after.ru_maxrss - before.ru_maxrss < 64 * 1024);
  CHECK(world.client()->stats(within(20s)).ok());
}

TEST_CASE("NodeServer: a container larger than its frame is cut", "[thrift]") {
  World world;
  auto connection = dial(world, Purpose::Search).value();
  // get(header {}, request {ids: list of 19,000 strings}) in a frame of some 40 bytes.
  std::string message("\x80\x01\x00\x01\x00\x00\x00\x03get\x00\x00\x00\x01", 15);
  message += std::string("\x0c\x00\x02\x0f\x00\x01\x0b\x00\x00\x4a\x38", 11);
  std::string frame("\x00\x00\x00", 3);
  frame += static_cast<char>(message.size());
  frame += message;
  connection->stream().limit(Clock::now() + 20s);
  connection->stream().write(reinterpret_cast<const std::uint8_t*>(frame.data()),
                             static_cast<std::uint32_t>(frame.size()));
  CHECK(eventually([&] { return world.server->refused() == 1; }));
}

/// Sends a byte now and then until the peer has enough.
void dribble_until_cut(const RawSocket& stranger) {
  std::atomic<bool> stop{false};
  std::thread loris([&] {
    while (!stop && stranger.send("x")) std::this_thread::sleep_for(2ms);
  });
  CHECK(stranger.read_to_end().has_value());
  stop = true;
  loris.join();
}

TEST_CASE("NodeServer: half-open connections and slow ones are cut", "[thrift]") {
  ServerOptions options;
  SECTION("silent") {
    options.greeting_time = 100ms;
    World world(options);
    const auto stranger = RawSocket::to(world.server->port());
    CHECK(stranger.read_to_end() == "");
    CHECK(eventually([&] { return world.server->refused() == 1; }));
    CHECK(eventually([&] { return world.server->strangers() == 0; }));
  }
  SECTION("slow") {
    options.greeting_time = 100ms;
    World world(options);
    const auto stranger = RawSocket::to(world.server->port());
    CHECK(stranger.send(std::string("\x00\x00\x10\x00", 4)));
    dribble_until_cut(stranger);
    CHECK(eventually([&] { return world.server->refused() == 1; }));
  }
  SECTION("slow behind the greeting") {
    options.frame_time = 500ms;
    World world(options);
    auto connection = dial(world, Purpose::Search).value();
    const std::uint8_t head[] = {0, 0x10, 0, 0, 1};
    connection->stream().limit(Clock::now() + 20s);
    connection->stream().write(head, sizeof(head));
    CHECK(connection->stream().wait_readable());
    CHECK(eventually([&] { return world.server->refused() == 1; }));
    CHECK(eventually([&] { return world.server->connections(Purpose::Search) == 0; }));
  }
  SECTION("idle behind the greeting, which is no refusal") {
    options.idle_time = 100ms;
    World world(options);
    const auto connection = dial(world, Purpose::Search);
    CHECK(eventually([&] { return world.server->connections(Purpose::Search) == 0; }));
    CHECK(world.server->refused() == 0);
  }
  SECTION("gone without a word, which is none either") {
    World world(options);
    { const auto stranger = RawSocket::to(world.server->port()); }
    CHECK(world.client()->stats(within(20s)).ok());
    CHECK(eventually([&] { return world.server->strangers() == 0; }));
    CHECK(world.server->refused() == 0);
  }
}

TEST_CASE("NodeServer: a peer that does not read its answer is cut", "[thrift]") {
  ServerOptions options;
  options.frame_time = 300ms;
  World world(options);
  world.handler.file.assign(thrift::kChunkBytesMax, 'x');
  auto connection = dial(world, Purpose::Bulk).value();
  auto call = shard_call();
  const auto header = thrift::encode_header("blue", "client", call, &call, 60s);
  wire::ChunkRequest request;
  request.checkpoint = "cp-1";
  request.file = "a";
  request.length = static_cast<std::int32_t>(thrift::kChunkBytesMax);
  connection->stream().limit(Clock::now() + 60s);
  for (int i = 0; i < 40; ++i) {
    try {
      connection->wire().send_read_chunk(header, request);
    } catch (const apache::thrift::transport::TTransportException&) {
      break;
    }
  }
  CHECK(eventually([&] { return world.server->connections(Purpose::Bulk) == 0; }));
  CHECK(world.server->refused() == 1);
}

TEST_CASE("NodeServer: full lanes refuse, and leave the others alone", "[thrift]") {
  ServerOptions options;
  options.connections = {1, 2, 1, 1, 1};
  World world(options);
  auto first = dial(world, Purpose::Search);
  auto second = dial(world, Purpose::Search);
  REQUIRE(first.ok());
  REQUIRE(second.ok());
  const auto third = dial(world, Purpose::Search);
  CHECK(third.error().code == ErrorCode::ResourceExhausted);
  CHECK_THAT(third.error().message, Catch::Contains("all 2 connections"));
  CHECK(dial(world, Purpose::Control).ok());
  CHECK(dial(world, Purpose::Write).ok());
  // A place that is given up is taken again: the client waits for it between its attempts.
  std::thread leaves([&] {
    eventually([&] { return world.server->refused() == 2; });
    first.value().reset();
  });
  thrift::ClientOptions patient;
  patient.attempts = 1000;
  patient.backoff_max = 20ms;
  CHECK(world.client(patient)->stats(within(20s)).ok());
  leaves.join();
}

TEST_CASE("NodeServer: strangers fill no more than their own places", "[thrift]") {
  ServerOptions options;
  options.greeting_connections = 2;
  World world(options);
  auto known = dial(world, Purpose::Health).value();
  const auto one = RawSocket::to(world.server->port());
  const auto two = RawSocket::to(world.server->port());
  CHECK(eventually([&] { return world.server->strangers() == 2; }));
  const auto three = RawSocket::to(world.server->port());
  CHECK(three.read_to_end() == "");
  CHECK(world.server->refused() == 1);
  // Who was there before is served.
  known->stream().limit(Clock::now() + 20s);
  wire::HeartbeatReply reply;
  known->wire().ping(reply, thrift::encode_header("blue", "client", {}, nullptr, 10s), {});
  CHECK(reply.node.id == "server");
}

TEST_CASE("NodeServer: a flood of calls does not hold up a heartbeat", "[thrift]") {
  ServerOptions options;
  options.connections = {8, 8, 2, 2, 1};
  World world(options);
  const std::string flood = GENERATE("search", "status");
  std::atomic<bool> release{false};
  std::atomic<int> inside{0};
  world.handler.before = [&](const std::string& method, const auto&) -> thrift::Answered {
    if (method != flood) return Done{};
    ++inside;
    while (!release) std::this_thread::sleep_for(1ms);
    return Done{};
  };
  thrift::ClientOptions many;
  many.connections = {8, 8, 1, 1, 1};
  const auto client = world.client(many);
  std::vector<std::thread> callers;
  for (int i = 0; i < 20; ++i) {
    callers.emplace_back([&] {
      if (flood == "search") {
        static_cast<void>(client->search(within(60s), {{1.0F}, 1, 0, false, {}, {}}));
      } else {
        static_cast<void>(client->status(within(60s, thrift::NodeCall{})));
      }
    });
  }
  CHECK(eventually([&] { return inside == 8; }));
  CHECK(client->ping(within(20s, thrift::NodeCall{}), {"active"}).ok());
  CHECK(client->write(within(20s), Mutation(ErasePoints{})).ok());
  release = true;
  for (auto& caller : callers) caller.join();
  CHECK(inside == 20);
}

TEST_CASE("NodeServer: a stop lets running calls end, and no new ones in", "[thrift]") {
  World world;
  const auto idle = world.client();
  REQUIRE(idle->ping(within(20s, thrift::NodeCall{}), {"active"}).ok());
  std::atomic<bool> release{false};
  std::atomic<bool> running{false};
  world.handler.before = [&](const std::string&, const auto&) -> thrift::Answered {
    running = true;
    while (!release) std::this_thread::sleep_for(1ms);
    return Done{};
  };
  const auto client = world.client();
  std::atomic<bool> served{false};
  std::thread caller([&] { served = client->stats(within(60s)).ok(); });
  CHECK(eventually([&] { return running.load(); }));
  std::atomic<bool> by_themselves{false};
  std::thread stopper([&] { by_themselves = world.server->stop(60s); });
  // The idle connection ends while the call goes on.
  CHECK(eventually([&] { return world.server->connections(Purpose::Control) == 0; }));
  release = true;
  stopper.join();
  caller.join();
  CHECK(served);
  CHECK(by_themselves);
  thrift::ClientOptions once;
  once.attempts = 1;
  CHECK(world.client(once)->stats(within(20s)).error().code == ErrorCode::Unavailable);
}

TEST_CASE("NodeServer: a stop cancels what does not end in time", "[thrift]") {
  World world;
  std::atomic<bool> running{false};
  world.handler.before = [&](const std::string&, const thrift::NodeCall& call) -> thrift::Answered {
    running = true;
    while (call.context.check().ok()) std::this_thread::sleep_for(1ms);
    return call.context.check().error();
  };
  const auto client = world.client();
  thrift::Answered reply{Done{}};
  std::thread caller([&] {
    auto call = within(60s);
    reply = client->drop_shard(call);
  });
  CHECK(eventually([&] { return running.load(); }));
  CHECK_FALSE(world.server->stop(10ms));
  caller.join();
  CHECK(reply.error().code == ErrorCode::DeadlineExceeded);
  CHECK(reply.info.outcome_unknown);
  CHECK(world.server->stop(10ms));
}

TEST_CASE("NodeServer: many clients at once", "[thrift]") {
  World world;
  Builder random(9);
  for (auto& point : random.points(20, 16)) world.handler.put(point);
  const auto client = world.client();
  std::atomic<int> good{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&, i] {
      Builder own(static_cast<std::uint64_t>(i));
      for (int round = 0; round < 25; ++round) {
        const auto hits =
            client->search(within(60s), {own.vector(16), 5, 0, false, {}, {true, true, true}});
        const auto got = client->ping(within(60s, thrift::NodeCall{}), {"active"});
        if (hits.ok() && hits->size() == 5 && got.ok()) ++good;
      }
    });
  }
  for (auto& caller : callers) caller.join();
  CHECK(good == 200);
  CHECK(world.greetings <= 12);
}

TEST_CASE("NodeServer: without TLS it listens on private addresses only", "[thrift]") {
  MemoryHandler handler;
  ServerOptions options;
  const auto start = [&] {
    return NodeServer::start(local("server"), with_token(), options, handler, {});
  };
  options.address = "0.0.0.0";
  CHECK(start().error().code == ErrorCode::FailedPrecondition);
  options.allow_public = true;
  CHECK(start().ok());
  options.address = "localhost";
  CHECK(start().error().code == ErrorCode::InvalidArgument);
  options.address = "127.0.0.1";
  const auto first = start().value();
  options.port = first->port();
  const auto second = start();
  CHECK(second.error().code == ErrorCode::Unavailable);
  CHECK_THAT(second.error().message, Catch::Contains("cannot listen on 127.0.0.1"));
}

TEST_CASE("Security: strangers must be told apart somehow", "[thrift]") {
  thrift::SecurityOptions options;
  CHECK(thrift::Security::make(options).error().code == ErrorCode::InvalidArgument);
  options.token = "too short";
  CHECK_THAT(thrift::Security::make(options).error().message, Catch::Contains("16 bytes"));
  options.token = kToken;
  CHECK(thrift::Security::make(options).ok());
  options.ca_file = "ca.pem";
  CHECK_THAT(thrift::Security::make(options).error().message, Catch::Contains("three files"));
}

}  // namespace
