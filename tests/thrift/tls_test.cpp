// Mutual TLS, with certificates that the test makes itself by the openssl program.

#include <csignal>
#include <cstdlib>
#include <fstream>

#include "tests/support/temp_dir.h"
#include "tests/thrift/world.h"
#include "thrift/connection.h"

namespace {

using namespace quiver;
using namespace quiver::testing;
using thrift::Security;
using Clock = std::chrono::steady_clock;

/// An authority in a directory, and what it signs.
class Authority {
 public:
  explicit Authority(std::filesystem::path dir) : dir_(std::move(dir)) {
    std::filesystem::create_directories(dir_);
    run("req -x509 " + key("ca") + " -out ca.pem -days 2 -subj /CN=authority");
  }
  /// A certificate with a common name, and alternative names such as "DNS:a,DNS:b" or none.
  void sign(const std::string& file, const std::string& name, const std::string& others = "",
            int days = 2) const {
    run("req " + key(file) + " -out " + file + ".csr -subj /CN=" + name);
    std::ofstream extensions(dir_ / (file + ".ext"));
    extensions << "basicConstraints=CA:FALSE\n";
    if (!others.empty()) extensions << "subjectAltName=" << others << "\n";
    extensions.close();
    run("x509 -req -in " + file + ".csr -CA ca.pem -CAkey ca.key -CAcreateserial -days " +
        std::to_string(days) + " -extfile " + file + ".ext -out " + file + ".pem");
  }
  thrift::SecurityOptions options(const std::string& file) const {
    thrift::SecurityOptions out;
    out.ca_file = dir_ / "ca.pem";
    out.certificate_file = dir_ / (file + ".pem");
    out.key_file = dir_ / (file + ".key");
    return out;
  }
  Security security(const std::string& file) const {
    auto made = Security::make(options(file));
    if (!made.ok()) FAIL(made.error().message);
    return std::move(made).value();
  }
  const std::filesystem::path& dir() const { return dir_; }

 private:
  static std::string key(const std::string& file) {
    return "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout " + file + ".key";
  }
  void run(const std::string& arguments) const {
    const auto command = "cd '" + dir_.string() + "' && openssl " + arguments + " 2>>openssl.log";
    if (std::system(command.c_str()) != 0) FAIL("failed: " << command);
  }
  const std::filesystem::path dir_;
};

Result<std::unique_ptr<thrift::Connection>> dial(std::uint16_t port, const std::string& id,
                                                 Security security,
                                                 const std::string& expected = "server") {
  const thrift::Dialer dialer(local(id), {"127.0.0.1", port, expected}, std::move(security), 20s);
  auto connection = dialer.dial(thrift::Purpose::Search, Clock::now() + 20s, {});
  return connection;
}

TEST_CASE("TLS: nodes with certificates of their own talk, others do not", "[thrift]") {
  const TempDir temp;
  const Authority ours(temp.path() / "ours");
  ours.sign("server", "anything", "DNS:other-name,DNS:server");
  ours.sign("client", "client");
  ours.sign("thief", "client", "DNS:thief");
  ours.sign("old", "client", "DNS:client", 0);
  World world({}, ours.security("server"));
  const auto port = world.server->port();
  const auto works = [&] {
    return World::client_of(port, {}, "client", ours.security("client"))->stats(within(20s)).ok();
  };

  SECTION("both as they should be") {
    CHECK(works());
  }
  SECTION("by the common name, when there is no other") {
    const auto client = dial(port, "client", ours.security("client"));
    if (!client.ok()) FAIL(client.error().message);
  }
  SECTION("under the name of another node") {
    const auto reply = dial(port, "another", ours.security("client"));
    CHECK(reply.error().code == ErrorCode::PermissionDenied);
    CHECK_THAT(reply.error().message, Catch::Contains("claims to be"));
  }
  SECTION("a common name does not help against alternative names") {
    const auto reply = dial(port, "client", ours.security("thief"));
    CHECK(reply.error().code == ErrorCode::PermissionDenied);
  }
  SECTION("of another authority") {
    const Authority theirs(temp.path() / "theirs");
    theirs.sign("client", "client", "DNS:client");
    // Each side refuses the other.
    CHECK(dial(port, "client", theirs.security("client")).error().code ==
          ErrorCode::PermissionDenied);
    auto mixed = theirs.options("client");
    mixed.ca_file = ours.dir() / "ca.pem";
    CHECK_FALSE(dial(port, "client", Security::make(mixed).value()).ok());
  }
  SECTION("expired") {
    CHECK_FALSE(dial(port, "client", ours.security("old")).ok());
  }
  SECTION("without TLS") {
    const auto reply = dial(port, "client", with_token());
    REQUIRE_FALSE(reply.ok());
    CHECK_THAT(reply.error().message, Catch::Contains("if it uses TLS, this server must, too"));
  }
  SECTION("with TLS to a server without") {
    World plain;
    const auto reply = dial(plain.server->port(), "client", ours.security("client"));
    REQUIRE_FALSE(reply.ok());
    CHECK_THAT(reply.error().message, Catch::Contains("TLS"));
  }
  SECTION("a server that has the certificate of another node") {
    World impostor({}, ours.security("client"));
    const auto reply = dial(impostor.server->port(), "client", ours.security("client"));
    CHECK(reply.error().code == ErrorCode::PermissionDenied);
    CHECK_THAT(reply.error().message, Catch::Contains("no certificate of the node server"));
  }
  CHECK(works());
}

TEST_CASE("TLS: a token is asked for beside the certificates if there is one", "[thrift]") {
  const TempDir temp;
  const Authority ours(temp.path());
  ours.sign("server", "server");
  ours.sign("client", "client");
  const auto with = [&](const std::string& file, const std::string& token) {
    auto options = ours.options(file);
    options.token = token;
    return Security::make(options).value();
  };
  World world({}, with("server", kToken));
  const auto port = world.server->port();
  CHECK(dial(port, "client", with("client", kToken)).ok());
  CHECK(dial(port, "client", with("client", kToken), "").ok());
  CHECK(dial(port, "client", ours.security("client")).error().code == ErrorCode::PermissionDenied);
  CHECK(dial(port, "client", with("client", "another token of the cluster")).error().code ==
        ErrorCode::PermissionDenied);
  World without({}, ours.security("server"));
  CHECK(dial(without.server->port(), "client", with("client", kToken)).error().code ==
        ErrorCode::PermissionDenied);
}

TEST_CASE("TLS: large messages, and peers that go away or dribble in the handshake", "[thrift]") {
  const TempDir temp;
  const Authority ours(temp.path());
  ours.sign("server", "server");
  ours.sign("client", "client");
  thrift::ServerOptions options;
  options.greeting_time = 2s;
  World world(options, ours.security("server"));
  // Nobody ends this process by going away.
  struct sigaction pipe {};
  REQUIRE(::sigaction(SIGPIPE, nullptr, &pipe) == 0);
  CHECK(pipe.sa_handler == SIG_IGN);

  const auto client = World::client_of(world.server->port(), {}, "client", ours.security("client"));
  Builder random(1);
  UpsertPoints upsert{random.points(500, 1024)};
  for (int i = 0; i < 5; ++i) {
    const auto reply = client->write(within(60s), Mutation(upsert));
    if (!reply.ok()) FAIL(reply.error().message);
  }
  const Projection all{true, true, true};
  CHECK(client->scroll(within(60s), {{}, {}, 1000, all})->size() == 500);

  for (int i = 0; i < 20; ++i) {
    const auto leaver = RawSocket::to(world.server->port());
    leaver.send(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11));
  }
  const auto loris = RawSocket::to(world.server->port());
  CHECK(loris.send(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11)));
  std::atomic<bool> stop{false};
  std::thread dribbling([&] {
    while (!stop && loris.send("x")) std::this_thread::sleep_for(2ms);
  });
  CHECK(loris.read_to_end().has_value());
  stop = true;
  dribbling.join();
  CHECK(eventually([&] { return world.server->refused() == 21; }));
  CHECK(client->stats(within(20s)).ok());
}

TEST_CASE("TLS: a peer that never finishes the handshake costs the deadline", "[thrift]") {
  const TempDir temp;
  const Authority ours(temp.path());
  ours.sign("client", "client");
  const RawServer silent([](RawSocket& socket, const std::atomic<bool>& stop) {
    // A TLS record that never ends.
    if (!socket.send(std::string("\x16\x03\x03\x40\x00", 5))) return;
    while (!stop && socket.send("\x02")) std::this_thread::sleep_for(2ms);
  });
  thrift::ClientOptions options;
  options.connect_time = 30s;
  const auto client = World::client_of(silent.port(), options, "client", ours.security("client"));
  const auto reply = client->stats(within(300ms));
  CHECK_FALSE(reply.ok());
  CHECK_FALSE(reply.info.outcome_unknown);
}

TEST_CASE("TLS: files that cannot be used are named", "[thrift]") {
  const TempDir temp;
  const Authority ours(temp.path());
  ours.sign("one", "one");
  ours.sign("two", "two");
  auto options = ours.options("one");
  const auto problem = [&] {
    const auto made = Security::make(options);
    REQUIRE_FALSE(made.ok());
    CHECK(made.error().code == ErrorCode::InvalidArgument);
    return made.error().message;
  };
  options.key_file = temp.path() / "two.key";
  CHECK_THAT(problem(), Catch::Contains("the key") && Catch::Contains("two.key"));
  options.key_file = temp.path() / "absent.key";
  CHECK_THAT(problem(), Catch::Contains("absent.key"));
  options = ours.options("one");
  options.certificate_file = temp.path() / "one.key";
  CHECK_THAT(problem(), Catch::Contains("the certificate"));
  options = ours.options("one");
  options.ca_file = temp.path() / "one.key";
  CHECK_THAT(problem(), Catch::Contains("the authority's certificate"));
}

}  // namespace
