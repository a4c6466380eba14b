// One data directory, many processes: real child processes that are killed, stopped and ended, and
// executors of this process, all over a fake engine that records what reached it and where.

#include <future>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>
#include <sys/socket.h>

#include "app/channel.h"
#include "app/shared_executor.h"
#include "tests/app/fake_engine.h"
#include "tests/app/peer.h"
#include "tests/support/temp_dir.h"

namespace quiver::app {
namespace {

namespace fs = std::filesystem;
using Catch::Matchers::Contains;
using std::chrono::milliseconds;

struct Place {
  TempDir dir;
  fs::path data = dir.path() / "data";
  fs::path engine = dir.path() / "engine";
  Place() { fs::create_directories(engine); }

  std::unique_ptr<SharedExecutor> executor(const SharingOptions& options = {}) const {
    return std::make_unique<SharedExecutor>(data, Environment{}, fake_engine(engine), options);
  }
  bool has(const std::string& mark) const { return fs::exists(engine / mark); }
  void mark(const std::string& name) const { std::ofstream(engine / name) << "\n"; }
  std::vector<std::string> lines(const std::string& name) const {
    std::vector<std::string> out;
    std::ifstream file(engine / name);
    for (std::string line; std::getline(file, line);) out.push_back(line);
    return out;
  }
};

CallContext within(milliseconds time) {
  CallContext call;
  call.deadline = std::chrono::steady_clock::now() + time;
  return call;
}

pid_t pid_of(const Result<Json>& reply) {
  REQUIRE(reply.ok());
  return reply->at("pid").get<pid_t>();
}

Result<Json> echo(SharedExecutor& executor) {
  return executor.invoke({}, "echo", {});
}

std::future<Result<Json>> in_background(SharedExecutor& executor, const std::string& operation,
                                        const Json& arguments, const CallContext& call = {}) {
  return std::async(std::launch::async, [&executor, operation, arguments, call] {
    return executor.invoke(call, operation, arguments);
  });
}

std::string opened_by_me() {
  return "opened." + std::to_string(::getpid());
}
std::string closed_by_me() {
  return "closed." + std::to_string(::getpid());
}

TEST_CASE("sharing: nothing is touched before the first call, nothing opened before an operation",
          "[app][sharing]") {
  const Place place;
  const auto executor = place.executor();
  CHECK_FALSE(fs::exists(place.data));
  REQUIRE(executor->attach({}).ok());
  CHECK(fs::exists(place.data / "lock"));
  CHECK_FALSE(place.has(opened_by_me()));
  CHECK(pid_of(echo(*executor)) == ::getpid());
  CHECK(place.has(opened_by_me()));
  executor->close();
  CHECK(place.has(closed_by_me()));
  CHECK_FALSE(fs::exists(place.data / "quiver.sock"));
  CHECK(DataLock::try_acquire(place.data)->has_value());
  CHECK(echo(*executor).error().code == ErrorCode::Unavailable);
}

TEST_CASE("sharing: the second process sends its calls to the first", "[app][sharing]") {
  const Place place;
  Peer owner(place.data, place.engine);
  CHECK(owner.role() == "owner");
  Peer client(place.data, place.engine);
  CHECK(client.role() == "client");
  const Json reply = client.call("echo", {{"x", {1, 2.5, "drei"}}});
  CHECK(reply.at("result").at("pid") == owner.pid());
  CHECK(reply.at("result").at("arguments") == Json{{"x", {1, 2.5, "drei"}}});
  CHECK_FALSE(place.has("opened." + std::to_string(client.pid())));
}

TEST_CASE("sharing: errors keep their code and words on the way", "[app][sharing]") {
  const Place place;
  const auto owner = place.executor();
  REQUIRE(owner->attach({}).ok());
  const auto client = place.executor();
  const auto unknown = client->invoke({}, "dance", {});
  CHECK(unknown.error().code == ErrorCode::NotFound);
  CHECK(unknown.error().message == "operation dance is unknown");
  CHECK(client->invoke({}, "throw", {}).error().code == ErrorCode::Internal);
  CHECK(client->invoke({}, "not_utf8", {}).error().code == ErrorCode::InvalidArgument);
  CHECK(client->invoke({}, "echo", Json("\xff")).error().code == ErrorCode::InvalidArgument);
  CHECK(echo(*client).ok());
}

TEST_CASE("sharing: large arguments and replies pass, too large ones are refused",
          "[app][sharing]") {
  const Place place;
  const auto owner = place.executor();
  REQUIRE(owner->attach({}).ok());
  const auto client = place.executor();
  const std::string text(5'000'000, 'a');
  const auto reply = client->invoke({}, "echo", Json{{"text", text}});
  REQUIRE(reply.ok());
  CHECK(reply->at("arguments").at("text") == text);
  const auto big = client->invoke({}, "big", {{"bytes", wire::kFrameBytesMax}});
  REQUIRE_FALSE(big.ok());
  CHECK(big.error().code == ErrorCode::ResourceExhausted);
  CHECK(echo(*client).ok());
}

TEST_CASE("sharing: many calls of many threads share a connection without mixing up",
          "[app][sharing]") {
  const Place place;
  const auto owner = place.executor();
  REQUIRE(owner->attach({}).ok());
  const auto client = place.executor();
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 16; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 50; ++i) {
          const Json arguments{{"thread", t}, {"i", i}};
          const auto reply = client->invoke({}, "echo", arguments);
          if (reply.ok() && reply->at("arguments") == arguments) ++right;
        }
      });
    }
  }
  CHECK(right == 16 * 50);
}

TEST_CASE("sharing: the request id reaches the owner; a call without one gets one",
          "[app][sharing]") {
  const Place place;
  const auto owner = place.executor();
  REQUIRE(owner->attach({}).ok());
  const auto client = place.executor();
  CallContext call;
  call.request_id = RequestId::random();
  CHECK(client->invoke(call, "echo", {})->at("id") == call.request_id.hex());
  const std::string made = echo(*client)->at("id");
  CHECK(made != RequestId{}.hex());
  CHECK(echo(*client)->at("id") != made);
}

TEST_CASE("sharing: progress comes back in order, on the calling thread", "[app][sharing]") {
  const Place place;
  const auto owner = place.executor();
  REQUIRE(owner->attach({}).ok());
  const auto client = place.executor();
  std::vector<std::uint64_t> steps;
  CallContext call;
  call.progress = [&, caller = std::this_thread::get_id()](std::uint64_t done, std::uint64_t total,
                                                           const std::string& message) {
    CHECK(std::this_thread::get_id() == caller);
    CHECK(total == 10);
    CHECK(message == "step " + std::to_string(done));
    steps.push_back(done);
  };
  REQUIRE(client->invoke(call, "count", {{"to", 10}}).ok());
  CHECK(steps == std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
}

TEST_CASE("sharing: a cancelled call ends at once, here and at the owner", "[app][sharing]") {
  const Place place;
  const auto owner = place.executor();
  REQUIRE(owner->attach({}).ok());
  const auto client = place.executor();
  CallContext call;
  call.cancel = CancelToken::make();
  auto waiting = in_background(*client, "wait", {{"name", "w"}}, call);
  REQUIRE(eventually([&] { return place.has("w.started"); }));
  call.cancel.cancel();
  CHECK(waiting.get().error().code == ErrorCode::DeadlineExceeded);
  CHECK(eventually([&] { return place.has("w.given_up"); }));
}

TEST_CASE("sharing: a deadline holds on both sides", "[app][sharing]") {
  const Place place;
  const auto owner = place.executor();
  REQUIRE(owner->attach({}).ok());
  const auto client = place.executor();
  REQUIRE(echo(*client).ok());
  const auto late = client->invoke(within(milliseconds(100)), "wait", {{"name", "w"}});
  CHECK(late.error().code == ErrorCode::DeadlineExceeded);
  CHECK(eventually([&] { return place.has("w.given_up"); }));
}

TEST_CASE("sharing: calls of a process that dies are cancelled", "[app][sharing]") {
  const Place place;
  const auto owner = place.executor();
  REQUIRE(owner->attach({}).ok());
  Peer client(place.data, place.engine);
  client.ask("wait", {{"name", "w"}});
  REQUIRE(eventually([&] { return place.has("w.started"); }));
  client.signal(SIGKILL);
  CHECK(eventually([&] { return place.has("w.given_up"); }));
}

TEST_CASE("sharing: an owner killed in the middle of a write: the write takes effect once",
          "[app][sharing]") {
  const Place place;
  Peer owner(place.data, place.engine);
  const auto survivor = place.executor();
  REQUIRE(survivor->attach({}).value() == SharedExecutor::Role::Client);
  CallContext call;
  call.request_id = RequestId::random();
  const auto reply = survivor->invoke(call, "store", {{"die_mark", "died"}});
  REQUIRE(reply.ok());
  CHECK(reply->at("stored") == call.request_id.hex());
  CHECK(owner.wait() == -SIGKILL);
  CHECK(place.lines("attempts") ==
        std::vector<std::string>{call.request_id.hex(), call.request_id.hex()});
  CHECK(place.lines("effects") == std::vector<std::string>{call.request_id.hex()});
  CHECK(survivor->attach({}).value() == SharedExecutor::Role::Owner);
}

TEST_CASE("sharing: of many survivors one becomes the owner and serves the others",
          "[app][sharing]") {
  const Place place;
  auto first = std::make_unique<Peer>(place.data, place.engine);
  std::vector<std::unique_ptr<Peer>> survivors;
  for (int i = 0; i < 4; ++i) {
    survivors.push_back(std::make_unique<Peer>(place.data, place.engine));
    REQUIRE(survivors.back()->call("echo").at("result").at("pid") == first->pid());
  }
  for (auto& peer : survivors) peer->ask("wait", {{"name", "go"}});
  REQUIRE(eventually([&] { return place.has("go.started"); }));
  first->signal(SIGKILL);
  REQUIRE(first->wait() == -SIGKILL);
  place.mark("go");
  std::set<int> owners;
  for (auto& peer : survivors) owners.insert(peer->answer().at("result").at("pid").get<int>());
  REQUIRE(owners.size() == 1);
  CHECK(owners.count(first->pid()) == 0);
  int opened = 0;
  for (auto& peer : survivors) opened += place.has("opened." + std::to_string(peer->pid())) ? 1 : 0;
  CHECK(opened == 1);
}

TEST_CASE("sharing: an idle owner's death is noticed at the next call", "[app][sharing]") {
  const Place place;
  Peer owner(place.data, place.engine);
  const auto survivor = place.executor();
  CHECK(pid_of(echo(*survivor)) == owner.pid());
  owner.signal(SIGKILL);
  REQUIRE(owner.wait() == -SIGKILL);
  CHECK(fs::exists(place.data / "quiver.sock"));  // what it left behind
  CHECK(pid_of(echo(*survivor)) == ::getpid());
}

TEST_CASE("sharing: an owner that ends orderly hands over to a waiting client", "[app][sharing]") {
  const Place place;
  Peer owner(place.data, place.engine);
  const auto client = place.executor();
  CHECK(pid_of(echo(*client)) == owner.pid());
  const std::string closed = "closed." + std::to_string(owner.pid());
  owner.close_stdin();
  CHECK(owner.wait() == 0);
  CHECK(place.has(closed));
  CHECK(pid_of(echo(*client)) == ::getpid());
}

TEST_CASE("sharing: a stopped owner costs a deadline, not the data", "[app][sharing]") {
  const Place place;
  Peer owner(place.data, place.engine);
  SharingOptions options;
  options.client.hello = milliseconds(200);
  const auto connected = place.executor(options);
  const auto fresh = place.executor(options);
  REQUIRE(echo(*connected).ok());
  owner.signal(SIGSTOP);
  const auto late = connected->invoke(within(milliseconds(150)), "echo", {});
  CHECK(late.error().code == ErrorCode::DeadlineExceeded);
  CHECK_THAT(late.error().message, Contains(std::to_string(owner.pid())));
  const auto unanswered = fresh->invoke({}, "echo", {});
  CHECK(unanswered.error().code == ErrorCode::DeadlineExceeded);
  CHECK_THAT(unanswered.error().message, Contains(std::to_string(owner.pid())));
  owner.signal(SIGCONT);
  CHECK(pid_of(echo(*connected)) == owner.pid());
  CHECK(pid_of(echo(*fresh)) == owner.pid());
}

TEST_CASE("sharing: without a deadline a silent owner is given up, a busy one is not",
          "[app][sharing]") {
  const Place place;
  Peer owner(place.data, place.engine);
  SharingOptions options;
  options.client.silence = milliseconds(400);
  options.client.ping_after = milliseconds(50);
  const auto client = place.executor(options);
  auto busy = in_background(*client, "wait", {{"name", "go"}});
  // Longer than the silence that is borne: the pongs keep the call alive.
  CHECK(busy.wait_for(milliseconds(900)) == std::future_status::timeout);
  place.mark("go");
  REQUIRE(busy.get().ok());

  owner.signal(SIGSTOP);
  const auto silent = client->invoke({}, "echo", {});
  CHECK(silent.error().code == ErrorCode::DeadlineExceeded);
  CHECK_THAT(silent.error().message, Contains("has stopped answering"));
  owner.signal(SIGCONT);
  CHECK(echo(*client).ok());
}

TEST_CASE("sharing: closing finishes what runs before the directory is free", "[app][sharing]") {
  const Place place;
  const auto owner = place.executor();
  REQUIRE(owner->attach({}).ok());
  const auto client = place.executor();
  auto remote = in_background(*client, "wait", {{"name", "remote"}});
  auto local = in_background(*owner, "wait", {{"name", "local"}});
  REQUIRE(eventually([&] { return place.has("remote.started") && place.has("local.started"); }));
  auto closing = std::async(std::launch::async, [&] { owner->close(); });
  REQUIRE(eventually([&] { return !fs::exists(place.data / "quiver.sock"); }));
  // A call that comes now waits for the next owner, which is the client itself.
  auto next = in_background(*client, "echo", {});
  CHECK_FALSE(DataLock::try_acquire(place.data)->has_value());
  CHECK_FALSE(place.has(closed_by_me()));
  place.mark("remote");
  CHECK(remote.get().ok());
  place.mark("local");
  CHECK(local.get().ok());
  closing.get();
  CHECK(place.has(closed_by_me()));
  CHECK(next.get().ok());
  CHECK(client->attach({}).value() == SharedExecutor::Role::Owner);
}

TEST_CASE("sharing: closing cancels what does not finish in time", "[app][sharing]") {
  const Place place;
  SharingOptions options;
  options.server.drain = milliseconds(50);
  const auto owner = place.executor(options);
  REQUIRE(owner->attach({}).ok());
  const auto client = place.executor();
  auto stuck = in_background(*client, "wait", {{"name", "never"}});
  REQUIRE(eventually([&] { return place.has("never.started"); }));
  owner->close();
  CHECK(place.has("never.given_up"));
  CHECK(stuck.get().error().code == ErrorCode::DeadlineExceeded);
}

TEST_CASE("sharing: an owner takes on no more than its threads and its queue", "[app][sharing]") {
  const Place place;
  SharingOptions options;
  options.server.threads = 1;
  options.server.queue = 1;
  const auto owner = place.executor(options);
  REQUIRE(owner->attach({}).ok());
  const auto client = place.executor();
  auto running = in_background(*client, "wait", {{"name", "go"}});
  REQUIRE(eventually([&] { return place.has("go.started"); }));
  std::vector<std::future<Result<Json>>> more;
  for (int i = 0; i < 3; ++i) more.push_back(in_background(*client, "wait", {{"name", "go"}}));
  int refused = 0;
  REQUIRE(eventually([&] {
    refused = 0;
    for (auto& call : more) {
      refused += call.wait_for(milliseconds(0)) == std::future_status::ready ? 1 : 0;
    }
    return refused == 2;
  }));
  place.mark("go");
  int exhausted = 0;
  for (auto& call : more) {
    const auto reply = call.get();
    if (!reply.ok() && reply.error().code == ErrorCode::ResourceExhausted) ++exhausted;
  }
  CHECK(exhausted == 2);
  CHECK(running.get().ok());
}

TEST_CASE("sharing: an owner serves no more processes than allowed", "[app][sharing]") {
  const Place place;
  SharingOptions options;
  options.server.connections = 1;
  const auto owner = place.executor(options);
  REQUIRE(owner->attach({}).ok());
  auto first = place.executor();
  REQUIRE(echo(*first).ok());
  const auto second = place.executor();
  const auto refused = echo(*second);
  CHECK(refused.error().code == ErrorCode::FailedPrecondition);
  CHECK_THAT(refused.error().message, Contains("already serves 1"));
  first.reset();
  CHECK(eventually([&] { return echo(*second).ok(); }));
}

TEST_CASE("sharing: data that cannot be opened is an error now and a new attempt later",
          "[app][sharing]") {
  const Place place;
  int attempts = 0;
  const auto factory = [&]() -> Result<std::unique_ptr<service::Executor>> {
    ++attempts;
    if (attempts == 1) return Error{ErrorCode::Corruption, "torn"};
    if (attempts == 2) throw std::runtime_error("worse");
    return fake_engine(place.engine)();
  };
  SharedExecutor executor(place.data, {}, factory, {});
  CHECK(echo(executor).error().code == ErrorCode::Corruption);
  CHECK(echo(executor).error().code == ErrorCode::Internal);
  CHECK(echo(executor).ok());
  CHECK(attempts == 3);
}

TEST_CASE("sharing: a directory that cannot be used is an error at once", "[app][sharing]") {
  const TempDir dir;
  SharedExecutor executor(dir.write("file", ""), {}, fake_engine(dir.path()), {});
  CHECK(echo(executor).error().code == ErrorCode::FailedPrecondition);
}

TEST_CASE("sharing: a lock that nobody answers for is given up in time", "[app][sharing]") {
  const Place place;
  const auto lock = DataLock::try_acquire(place.data);
  REQUIRE((*lock)->publish((place.data / "absent.sock").string()).ok());
  SharingOptions options;
  options.attach = milliseconds(100);
  const auto executor = place.executor(options);
  const auto reply = echo(*executor);
  CHECK(reply.error().code == ErrorCode::Unavailable);
  CHECK_THAT(reply.error().message, Contains(std::to_string(::getpid())));
  CHECK(executor->invoke(within(milliseconds(20)), "echo", {}).ok() == false);
  // close() does not wait for a search in vain.
  options.attach = milliseconds(600'000);
  const auto patient = place.executor(options);
  auto waiting = in_background(*patient, "echo", {});
  auto second = in_background(*patient, "echo", {});
  patient->close();
  CHECK(waiting.get().error().code == ErrorCode::Unavailable);
  CHECK(second.get().error().code == ErrorCode::Unavailable);
}

/// An owner that breaks off after it has heard a call, and counts these.
struct BadOwner {
  explicit BadOwner(const fs::path& data)
      : lock(std::move(**DataLock::try_acquire(data))), socket(*OwnerSocket::listen(data, {})) {
    REQUIRE(lock.publish(socket.path()).ok());
    thread = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }

  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd entry{socket.fd(), POLLIN, 0};
      if (::poll(&entry, 1, 10) <= 0) continue;
      Channel channel(Fd(::accept4(socket.fd(), nullptr, nullptr, SOCK_NONBLOCK)));
      if (!channel.send(*wire::encode(wire::Hello{wire::kProtocol, "x", 1})).ok()) continue;
      for (bool heard = false; !heard;) {
        pollfd peer{channel.fd(), POLLIN, 0};
        ::poll(&peer, 1, 1000);
        const auto open = channel.receive();
        while (auto message = *channel.next(wire::kFrameBytesMax)) {
          if (std::holds_alternative<wire::Invoke>(*message)) heard = true;
        }
        if (!open.ok() || !*open) break;
        if (heard) ++calls;
      }
    }
  }

  DataLock lock;
  OwnerSocket socket;
  std::atomic<int> calls = 0;
  std::jthread thread;
};

TEST_CASE("sharing: a call that brings down one owner after the other ends", "[app][sharing]") {
  const Place place;
  BadOwner owner(place.data);
  SharingOptions options;
  options.repeats = 2;
  const auto client = place.executor(options);
  const auto reply = echo(*client);
  CHECK(reply.error().code == ErrorCode::Unavailable);
  CHECK_THAT(reply.error().message, Contains("3 times"));
  CHECK(owner.calls == 3);
}

/// Connects as any program could, says `bytes`, and reads until the owner hangs up.
std::string say(const fs::path& data, const std::string& bytes) {
  const auto socket = connect_to_owner((data / "quiver.sock").string());
  REQUIRE(socket.ok());
  [[maybe_unused]] const auto sent =
      ::send(socket->get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  std::string heard;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < until) {
    pollfd entry{socket->get(), POLLIN, 0};
    ::poll(&entry, 1, 1000);
    std::array<char, 4096> buffer{};
    const auto count = ::recv(socket->get(), buffer.data(), buffer.size(), 0);
    if (count > 0) heard.append(buffer.data(), static_cast<std::size_t>(count));
    if (count == 0 || (count < 0 && errno == ECONNRESET)) return heard;
  }
  FAIL("the owner keeps the connection open");
  return heard;
}

TEST_CASE("sharing: garbage costs its own connection only", "[app][sharing]") {
  const Place place;
  const auto owner = place.executor();
  REQUIRE(owner->attach({}).ok());
  const auto client = place.executor();
  REQUIRE(echo(*client).ok());
  const std::string hello = *wire::encode(wire::Hello{wire::kProtocol, "x", 1});
  const std::string ping = *wire::encode(wire::Ping{});
  wire::Invoke invoke;
  invoke.n = 1;
  invoke.operation = "wait";
  invoke.arguments = {{"name", "never"}};
  const std::string call = *wire::encode(invoke);

  say(place.data, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  say(place.data, std::string(100'000, '\xff'));
  say(place.data, std::string("\0\0\0\0", 4));
  say(place.data, ping);
  say(place.data, call);
  say(place.data, hello + std::string("\xff\xff\xff\xff", 4));
  say(place.data, hello + std::string("\x02\0\0\0{}", 6));
  say(place.data, hello + *wire::encode(wire::Reply{1, false, Json()}));
  say(place.data, hello + call + call);
  CHECK(eventually([&] { return place.has("never.given_up"); }));
  CHECK_THAT(say(place.data, *wire::encode(wire::Hello{wire::kProtocol + 1, "9.9", 1})),
             Contains("stop the other process or use the same version"));
  CHECK(echo(*client).ok());
}

TEST_CASE("sharing: a client of another version is told why it is refused", "[app][sharing]") {
  const Place place;
  const auto lock = DataLock::try_acquire(place.data);
  const auto socket = OwnerSocket::listen(place.data, {});
  REQUIRE((*lock)->publish(socket->path()).ok());
  const auto answer_with = [&](const wire::Message& message) {
    auto reply = std::async(std::launch::async, [&] {
      const auto client = place.executor();
      return echo(*client);
    });
    pollfd entry{socket->fd(), POLLIN, 0};
    REQUIRE(::poll(&entry, 1, 20'000) == 1);
    Channel channel(Fd(::accept4(socket->fd(), nullptr, nullptr, SOCK_NONBLOCK)));
    REQUIRE(channel.send(*wire::encode(message)).ok());
    return reply.get();
  };
  const auto refused = answer_with(wire::Refused{"use version 7"});
  CHECK(refused.error().code == ErrorCode::FailedPrecondition);
  CHECK_THAT(refused.error().message, Contains("use version 7"));
  CHECK(answer_with(wire::Hello{wire::kProtocol + 1, "x", 1}).error().code ==
        ErrorCode::FailedPrecondition);
  CHECK(answer_with(wire::Pong{}).error().code == ErrorCode::FailedPrecondition);
}

}  // namespace
}  // namespace quiver::app
