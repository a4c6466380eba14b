// Peers that do not do what they should: each call must end in time, and say what it knows.

#include "tests/thrift/world.h"
#include "thrift/address.h"
#include "thrift/codec.h"

namespace {

using namespace quiver;
using namespace quiver::testing;
using Clock = std::chrono::steady_clock;

/// Reads one frame of the greeting and answers it as a server would, up to a point.
class FakeServer {
 public:
  explicit FakeServer(const RawSocket& socket)
      : stream_(std::make_shared<thrift::Stream>(::dup(socket.fd()), "client")),
        framed_(std::make_shared<thrift::FramedTransport>(stream_)),
        protocol_(thrift::make_protocol(framed_)) {
    stream_->limit(Clock::now() + 10s);
  }

  /// The whole greeting; false if the client went away.
  bool greet(const std::string& id = "server", const std::string& token = kToken) {
    try {
      wire::NodeWire_hello_args hello;
      const auto seq = read(hello);
      thrift::Greeting greeting;
      greeting.cluster = hello.request.cluster;
      greeting.client = thrift::decode_node(hello.request.node).value();
      greeting.server = {id, 7, "0.1.0"};
      greeting.purpose = static_cast<thrift::Purpose>(hello.request.purpose);
      greeting.client_nonce = hello.request.nonce;
      greeting.server_nonce = std::string(32, 'n');
      wire::NodeWire_hello_result result;
      result.success.node = thrift::encode_node(greeting.server);
      result.success.nonce = greeting.server_nonce;
      result.success.__set_proof(thrift::make_proof(token, thrift::Side::Server, greeting));
      result.__isset.success = true;
      answer("hello", seq, result);
      wire::NodeWire_prove_args prove;
      const auto next = read(prove);
      wire::NodeWire_prove_result proved;
      proved.__isset.success = true;
      answer("prove", next, proved);
      framed_->set_read_limit(thrift::kFrameBytesMax);
      return true;
    } catch (const apache::thrift::TException&) {
      return false;
    }
  }

  template <typename Args>
  std::int32_t read(Args& args) {
    std::string name;
    apache::thrift::protocol::TMessageType type{};
    std::int32_t seq = 0;
    protocol_->readMessageBegin(name, type, seq);
    args.read(protocol_.get());
    protocol_->readMessageEnd();
    framed_->readEnd();
    return seq;
  }
  template <typename Answer>
  void answer(const char* name, std::int32_t seq, const Answer& result) {
    protocol_->writeMessageBegin(name, apache::thrift::protocol::T_REPLY, seq);
    result.write(protocol_.get());
    protocol_->writeMessageEnd();
    framed_->writeEnd();
    framed_->flush();
  }
  thrift::WireProtocol& protocol() { return *protocol_; }
  thrift::FramedTransport& framed() { return *framed_; }

 private:
  std::shared_ptr<thrift::Stream> stream_;
  std::shared_ptr<thrift::FramedTransport> framed_;
  std::shared_ptr<thrift::WireProtocol> protocol_;
};

void wait_for(const std::atomic<bool>& stop) {
  while (!stop) std::this_thread::sleep_for(1ms);
}

void nothing(RawSocket&, const std::atomic<bool>& stop) {
  wait_for(stop);
}

thrift::ClientOptions patient() {
  thrift::ClientOptions options;
  options.connect_time = 30s;
  return options;
}

TEST_CASE("NodeClient: nobody listens", "[thrift]") {
  std::uint16_t port = 0;
  {
    const RawServer gone(nothing);
    port = gone.port();
  }
  const auto client = World::client_of(port);
  auto call = within(20s);
  call.context.request_id = RequestId::random();
  const auto reply = client->write(call, Mutation(ErasePoints{}));
  CHECK(reply.error().code == ErrorCode::Unavailable);
  CHECK_THAT(reply.error().message, Catch::Contains("cannot reach 127.0.0.1"));
  CHECK_FALSE(reply.info.outcome_unknown);
  CHECK(client->greet({}).error().code == ErrorCode::Unavailable);
}

TEST_CASE("NodeClient: a peer that accepts and never answers costs the deadline, no more",
          "[thrift]") {
  const RawServer silent(nothing);
  const auto client = World::client_of(silent.port(), patient());
  const auto started = Clock::now();
  const auto reply = client->stats(within(300ms));
  CHECK(reply.error().code == ErrorCode::DeadlineExceeded);
  CHECK_FALSE(reply.info.outcome_unknown);
  CHECK(Clock::now() >= started + 300ms);
  const auto write = client->write(within(100ms), Mutation(ErasePoints{}));
  CHECK(write.error().code == ErrorCode::DeadlineExceeded);
  // Nothing but a greeting had been sent.
  CHECK_FALSE(write.info.outcome_unknown);
}

TEST_CASE("NodeClient: a peer that does not greet in time is unavailable", "[thrift]") {
  const RawServer silent(nothing);
  thrift::ClientOptions options;
  options.connect_time = 50ms;
  options.attempts = 2;
  const auto client = World::client_of(silent.port(), options);
  CHECK(client->stats(within(20s)).error().code == ErrorCode::Unavailable);
  CHECK(eventually([&] { return silent.accepted() == 2; }));
}

TEST_CASE("NodeClient: who greets learns how the peer is now", "[thrift]") {
  std::atomic<bool> awake{true};
  const RawServer server([&](RawSocket& socket, const std::atomic<bool>& stop) {
    if (awake) FakeServer(socket).greet();
    wait_for(stop);
  });
  const auto client = World::client_of(server.port());
  CHECK(client->greet(within(20s).context).value().id == "server");
  // The connection stands, and nobody reads from it any more.
  awake = false;
  CHECK(client->greet(within(100ms).context).error().code == ErrorCode::DeadlineExceeded);
}

TEST_CASE("NodeClient: a peer that dribbles does not outlive the deadline", "[thrift]") {
  // A byte every few milliseconds: each system call succeeds well within its own time.
  const RawServer dribbling([](RawSocket& socket, const std::atomic<bool>& stop) {
    const std::string frame("\x00\x00\x20\x00", 4);
    if (!socket.send(frame)) return;
    while (!stop && socket.send("\x01")) std::this_thread::sleep_for(2ms);
  });
  const auto client = World::client_of(dribbling.port(), patient());
  CHECK(client->stats(within(300ms)).error().code == ErrorCode::DeadlineExceeded);

  const RawServer late([](RawSocket& socket, const std::atomic<bool>& stop) {
    FakeServer server(socket);
    if (!server.greet()) return;
    if (!socket.send(std::string("\x00\x00\x20\x00", 4))) return;
    while (!stop && socket.send("\x01")) std::this_thread::sleep_for(2ms);
  });
  const auto other = World::client_of(late.port(), patient());
  const auto reply = other->write(within(3s), Mutation(ErasePoints{}));
  CHECK(reply.error().code == ErrorCode::DeadlineExceeded);
  CHECK(reply.info.outcome_unknown);
}

TEST_CASE("NodeClient: a peer that does not read costs the deadline", "[thrift]") {
  const RawServer deaf([](RawSocket& socket, const std::atomic<bool>& stop) {
    FakeServer server(socket);
    if (server.greet()) wait_for(stop);
  });
  const auto client = World::client_of(deaf.port(), patient());
  Builder random(1);
  UpsertPoints upsert;
  for (std::uint64_t i = 0; i < 900; ++i) {
    Point point;
    point.id = PointId(i);
    point.vector = random.vector(4096);
    upsert.points.push_back(std::move(point));
  }
  // More than the buffers of the system take: the request is never sent whole.
  const auto reply = client->write(within(3s), Mutation(upsert));
  CHECK(reply.error().code == ErrorCode::DeadlineExceeded);
  CHECK_FALSE(reply.info.outcome_unknown);
}

TEST_CASE("NodeClient: lost behind a write without request id is an unknown outcome", "[thrift]") {
  std::atomic<int> requests{0};
  const RawServer closing([&](RawSocket& socket, const std::atomic<bool>&) {
    FakeServer server(socket);
    if (!server.greet()) return;
    wire::NodeWire_write_args args;
    server.read(args);
    ++requests;
  });
  const auto client = World::client_of(closing.port());
  auto call = within(20s);
  const auto reply = client->write(call, Mutation(ErasePoints{}));
  CHECK(reply.error().code == ErrorCode::DeadlineExceeded);
  CHECK(reply.info.outcome_unknown);
  CHECK(requests == 1);
  SECTION("with one it is repeated, and said to be unknown when that does not help") {
    call.context.request_id = RequestId::random();
    const auto again = client->write(call, Mutation(ErasePoints{}));
    CHECK(again.error().code == ErrorCode::DeadlineExceeded);
    CHECK(again.info.outcome_unknown);
    CHECK(requests == 5);
  }
}

TEST_CASE("NodeClient: a peer that closes within a reply is asked again", "[thrift]") {
  std::atomic<int> connections{0};
  const RawServer failing([&](RawSocket& socket, const std::atomic<bool>&) {
    FakeServer server(socket);
    if (!server.greet()) return;
    wire::NodeWire_stats_args args;
    const auto seq = server.read(args);
    if (++connections < 3) {
      socket.send(std::string("\x00\x00\x01\x00half of it", 14));
      return;
    }
    wire::NodeWire_stats_result result;
    result.success.points = 12;
    result.__isset.success = true;
    server.answer("stats", seq, result);
  });
  const auto client = World::client_of(failing.port());
  const auto reply = client->stats(within(20s));
  REQUIRE(reply.ok());
  CHECK(reply->points == 12);
  CHECK(connections == 3);
}

TEST_CASE("NodeClient: answers that cannot be understood are internal errors", "[thrift]") {
  std::atomic<int> kind{0};
  const RawServer odd([&](RawSocket& socket, const std::atomic<bool>& stop) {
    FakeServer server(socket);
    if (!server.greet()) return;
    wire::NodeWire_search_args args;
    const auto seq = server.read(args);
    wire::NodeWire_search_result result;
    result.__isset.success = true;
    if (kind == 0) {
      // A score without a hit.
      result.success.scores = "1234";
      server.answer("search", seq, result);
    } else if (kind == 1) {
      socket.send(std::string("\x40\x00\x00\x00", 4));  // A frame of 1 GB.
    } else if (kind == 2) {
      socket.send(
          std::string("\x00\x00\x00\x04"
                      "junk",
                      8));
    } else if (kind == 3) {
      server.answer("stats", seq, wire::NodeWire_stats_result());  // To another question.
    } else {
      apache::thrift::TApplicationException unknown(
          apache::thrift::TApplicationException::UNKNOWN_METHOD, "what?");
      server.protocol().writeMessageBegin("search", apache::thrift::protocol::T_EXCEPTION, seq);
      unknown.write(&server.protocol());
      server.protocol().writeMessageEnd();
      server.framed().writeEnd();
      server.framed().flush();
    }
    wait_for(stop);
  });
  const thrift::SearchCall query{{1.0F}, 1, 0, false, {}, {}};
  const auto code = [&](std::chrono::milliseconds time) {
    const auto client = World::client_of(odd.port());
    return client->search(within(time), query).error().code;
  };
  for (; kind < 3; ++kind) {
    INFO(kind);
    CHECK(code(20s) == ErrorCode::Internal);
  }
  // The answer to another question is skipped, and no other comes.
  CHECK(code(2s) == ErrorCode::DeadlineExceeded);
  // A newer question to an older node.
  ++kind;
  CHECK(code(20s) == ErrorCode::FailedPrecondition);
}

TEST_CASE("NodeClient: the peer must be who it should be", "[thrift]") {
  SECTION("another node") {
    const RawServer other(
        [](RawSocket& socket, const std::atomic<bool>&) { FakeServer(socket).greet("another"); });
    const auto reply = World::client_of(other.port())->stats(within(20s));
    CHECK(reply.error().code == ErrorCode::FailedPrecondition);
    CHECK_THAT(reply.error().message, Catch::Contains("is another, not server"));
    CHECK(other.accepted() == 1);
  }
  SECTION("one that does not know the token") {
    const RawServer other([](RawSocket& socket, const std::atomic<bool>&) {
      FakeServer(socket).greet("server", "another token of the cluster");
    });
    const auto reply = World::client_of(other.port())->stats(within(20s));
    CHECK(reply.error().code == ErrorCode::PermissionDenied);
    CHECK_THAT(reply.error().message, Catch::Contains("does not know the cluster token"));
  }
  SECTION("one without a proper name") {
    const RawServer other(
        [](RawSocket& socket, const std::atomic<bool>&) { FakeServer(socket).greet("a/b"); });
    const auto reply = World::client_of(other.port())->stats(within(20s));
    CHECK(reply.error().code == ErrorCode::FailedPrecondition);
  }
}

TEST_CASE("NodeClient: a call ends when its caller goes away", "[thrift]") {
  std::atomic<bool> running{false};
  std::atomic<bool> release{false};
  World world;
  world.handler.before = [&](const std::string&, const auto&) -> thrift::Answered {
    running = true;
    wait_for(release);
    return Done{};
  };
  const auto client = world.client();
  auto call = within(60s);
  call.context.cancel = CancelToken::make();
  std::thread caller([&] {
    wait_for(running);
    call.context.cancel.cancel();
  });
  const auto reply = client->write(call, Mutation(ErasePoints{}));
  caller.join();
  release = true;
  CHECK(reply.error().code == ErrorCode::DeadlineExceeded);
  CHECK(reply.info.outcome_unknown);
}

TEST_CASE("ConnectionPool: waiting for a connection obeys the deadline", "[thrift]") {
  std::atomic<bool> release{false};
  std::atomic<int> inside{0};
  World world;
  world.handler.before = [&](const std::string&, const auto&) -> thrift::Answered {
    ++inside;
    wait_for(release);
    return Done{};
  };
  thrift::ClientOptions options;
  options.connections = {1, 2, 1, 1, 1};
  const auto client = world.client(options);
  std::vector<std::thread> callers;
  std::atomic<int> served{0};
  for (int i = 0; i < 2; ++i) {
    callers.emplace_back([&] { served += client->stats(within(60s)).ok() ? 1 : 0; });
  }
  CHECK(eventually([&] { return inside == 2; }));
  const auto reply = client->stats(within(200ms));
  CHECK(reply.error().code == ErrorCode::DeadlineExceeded);
  CHECK_THAT(reply.error().message, Catch::Contains("all 2 connections"));
  // One that may wait gets the connection that is given back.
  callers.emplace_back([&] { served += client->stats(within(60s)).ok() ? 1 : 0; });
  release = true;
  for (auto& caller : callers) caller.join();
  CHECK(served == 3);
  CHECK(world.greetings == 2);
}

TEST_CASE("ConnectionPool: a connection that the peer closed is not used again", "[thrift]") {
  auto world = std::make_unique<World>();
  thrift::ServerOptions options;
  options.port = world->server->port();
  const auto client = world->client();
  REQUIRE(client->write(within(20s), Mutation(ErasePoints{})).ok());
  world.reset();
  world = std::make_unique<World>(options);
  // Without a request id: it may be sent once only, so the old connection must not be tried.
  const auto reply = client->write(within(20s), Mutation(ErasePoints{}));
  if (!reply.ok()) FAIL(reply.error().message);
  CHECK(world->handler.calls("write") == 1);
}

TEST_CASE("Resolver: names are looked up within the deadline", "[thrift]") {
  const thrift::Resolver here("localhost", 80);
  const auto found = here.resolve(Clock::now() + 20s, {});
  REQUIRE(found.ok());
  CHECK(found->front().port() == 80);
  CHECK(found->front().is_private());
  const thrift::Resolver nowhere("no-such-host.invalid", 80);
  CHECK_FALSE(nowhere.resolve(Clock::now() + 20s, {}).ok());
  CHECK(thrift::Resolver("localhost", 80).resolve(Clock::now() - 1s, {}).error().code ==
        ErrorCode::DeadlineExceeded);
  CHECK(thrift::Resolver("10.1.2.3", 9).resolve(Clock::now() - 1s, {})->front().display() ==
        "10.1.2.3:9");
}

TEST_CASE("SocketAddress: private is what is not routed between networks", "[thrift]") {
  const auto is_private = [](const char* host) {
    return thrift::SocketAddress::numeric(host, 1)->is_private();
  };
  for (const auto* host :
       {"127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.4.4",
        "169.254.1.1", "100.64.0.1", "::1", "fd00::1", "fe80::1", "::ffff:10.0.0.1"}) {
    INFO(host);
    CHECK(is_private(host));
  }
  for (const auto* host : {"0.0.0.0", "8.8.8.8", "172.15.0.1", "172.32.0.1", "11.0.0.1",
                           "::", "2001:db8::1", "::ffff:8.8.8.8", "192.169.0.1"}) {
    INFO(host);
    CHECK_FALSE(is_private(host));
  }
  CHECK(thrift::SocketAddress::numeric("::1", 7700)->display() == "[::1]:7700");
  CHECK_FALSE(thrift::SocketAddress::numeric("localhost", 1).ok());
}

}  // namespace
