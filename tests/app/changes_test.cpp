// Changes on their way between processes that share a data directory: real owners that are killed,
// sockets, and a client that stops reading.

#include <algorithm>
#include <mutex>
#include <string>
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
using service::Change;

Change points(const std::string& name) {
  return {Change::Kind::PointsChanged, name};
}

/// What a subscriber has been told.
class Heard {
 public:
  service::ChangeListener listener() {
    return [this](const Change& change) {
      const std::lock_guard lock(mutex_);
      changes_.push_back(change);
    };
  }
  std::vector<Change> all() {
    const std::lock_guard lock(mutex_);
    return changes_;
  }
  bool has(const Change& wanted) {
    const auto heard = all();
    return std::find(heard.begin(), heard.end(), wanted) != heard.end();
  }
  bool wait_for(const Change& wanted) {
    return eventually([&] { return has(wanted); });
  }

 private:
  std::mutex mutex_;
  std::vector<Change> changes_;
};

struct Place {
  TempDir dir;
  fs::path data = dir.path() / "data";
  fs::path engine = dir.path() / "engine";
  Place() { fs::create_directories(engine); }
  std::unique_ptr<SharedExecutor> executor() const {
    return std::make_unique<SharedExecutor>(data, Environment{}, fake_engine(engine),
                                            SharingOptions{});
  }
};

void change(SharedExecutor& executor, const std::string& collection) {
  REQUIRE(executor.invoke({}, "change", {{"collection", collection}}).ok());
}

TEST_CASE("changes: an owner hears of its own calls and of those of other processes",
          "[app][changes]") {
  const Place place;
  const auto owner = place.executor();
  Heard heard;
  const auto subscription = owner->subscribe(heard.listener());
  change(*owner, "mine");
  CHECK(heard.wait_for(points("mine")));
  Peer other(place.data, place.engine);
  REQUIRE(other.role() == "client");
  other.call("change", {{"collection", "theirs"}});
  CHECK(heard.wait_for(points("theirs")));
}

TEST_CASE("changes: a client hears of calls of the owner, of others, and of its own",
          "[app][changes]") {
  const Place place;
  Peer owner(place.data, place.engine);
  const auto client = place.executor();
  Heard heard;
  const auto subscription = client->subscribe(heard.listener());
  REQUIRE(client->attach({}).value() == SharedExecutor::Role::Client);
  // A change may overtake the first call of who subscribes, not the calls after it.
  REQUIRE(client->invoke({}, "echo", {}).ok());
  owner.call("change", {{"collection", "of_owner"}});
  CHECK(heard.wait_for(points("of_owner")));
  Peer third(place.data, place.engine);
  third.call("change", {{"collection", "of_third"}});
  CHECK(heard.wait_for(points("of_third")));
  change(*client, "own");
  CHECK(heard.wait_for(points("own")));
  CHECK_FALSE(heard.has(points("")));
}

TEST_CASE("changes: subscribing touches no file", "[app][changes]") {
  const Place place;
  const auto executor = place.executor();
  Heard heard;
  const auto subscription = executor->subscribe(heard.listener());
  executor->close();
  CHECK_FALSE(fs::exists(place.data));
  CHECK(heard.all().empty());
}

TEST_CASE("changes: who follows hears without ever asking for anything", "[app][changes]") {
  const Place place;
  Peer owner(place.data, place.engine);
  const auto client = place.executor();
  Heard heard;
  const auto subscription = client->subscribe(heard.listener());
  client->follow();
  // What came before it listened may have been missed.
  CHECK(heard.wait_for(points("")));
  CHECK(heard.wait_for({Change::Kind::CollectionsChanged, ""}));
  CHECK(eventually([&] {
    owner.call("change", {{"collection", "theirs"}});
    return heard.has(points("theirs"));
  }));
  CHECK(client->attach({}).value() == SharedExecutor::Role::Client);
}

TEST_CASE("changes: who follows where nobody owns the data takes it", "[app][changes]") {
  const Place place;
  const auto alone = place.executor();
  Heard heard;
  const auto subscription = alone->subscribe(heard.listener());
  alone->follow();
  CHECK(heard.wait_for(points("")));
  CHECK(alone->attach({}).value() == SharedExecutor::Role::Owner);
  Peer other(place.data, place.engine);
  REQUIRE(other.role() == "client");
  other.call("change", {{"collection", "theirs"}});
  CHECK(heard.wait_for(points("theirs")));
}

TEST_CASE("changes: an idle subscriber hears of the next owner's calls", "[app][changes]") {
  const Place place;
  Peer first(place.data, place.engine);
  Peer second(place.data, place.engine);
  const auto client = place.executor();
  Heard heard;
  const auto subscription = client->subscribe(heard.listener());
  REQUIRE(client->invoke({}, "echo", {}).ok());
  first.signal(SIGKILL);
  REQUIRE(first.wait() == -SIGKILL);
  // Anything may have been changed meanwhile; after that, whoever owns the data now.
  CHECK(heard.wait_for(points("")));
  CHECK(heard.has({Change::Kind::CollectionsChanged, ""}));
  second.call("change", {{"collection", "after"}});
  CHECK(heard.wait_for(points("after")));
}

TEST_CASE("changes: owner after owner, each in a process of its own", "[app][changes]") {
  const Place place;
  auto owner = std::make_unique<Peer>(place.data, place.engine);
  const auto client = place.executor();
  REQUIRE(client->attach({}).value() == SharedExecutor::Role::Client);
  for (int i = 0; i < 3; ++i) {
    owner->signal(SIGKILL);
    REQUIRE(owner->wait() == -SIGKILL);
    // Nobody has subscribed yet, so the client does not take over.
    owner = std::make_unique<Peer>(place.data, place.engine);
    REQUIRE(owner->role() == "owner");
    Heard heard;
    const auto subscription = client->subscribe(heard.listener());
    REQUIRE(client->invoke({}, "echo", {}).ok());
    REQUIRE(heard.wait_for(points("")));
    const std::string name = "round" + std::to_string(i);
    owner->call("change", {{"collection", name}});
    CHECK(heard.wait_for(points(name)));
  }
}

TEST_CASE("changes: a client that does not read holds up nobody and costs little",
          "[app][changes]") {
  const Place place;
  const auto owner = place.executor();
  REQUIRE(owner->attach({}).ok());
  const auto client = place.executor();
  Heard heard;
  const auto subscription = client->subscribe(heard.listener());
  REQUIRE(client->invoke({}, "echo", {}).ok());

  Channel stuck(*connect_to_owner((place.data / "quiver.sock").string()));
  REQUIRE(stuck.send(*wire::encode(wire::Hello{wire::kProtocol, "x", 1})).ok());
  const std::string name(200, 'n');
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 300; ++i) change(*owner, name + std::to_string(i));
  }
  // Behind so many names it may itself be among "any"; not once those have been told.
  CHECK(eventually([&] {
    change(*owner, "last");
    return heard.has(points("last"));
  }));
  // What has been kept for it is told once it reads: each change once, or "any".
  std::vector<Change> told;
  const auto is_told = [&](const Change& wanted) {
    return std::find(told.begin(), told.end(), wanted) != told.end();
  };
  CHECK(eventually([&] {
    if (!stuck.receive().ok()) return false;
    while (auto message = *stuck.next(wire::kFrameBytesMax)) {
      const auto* changed = std::get_if<wire::Changed>(&*message);
      if (changed == nullptr) continue;
      CHECK(changed->changes.size() <= 2 * service::PendingChanges::kNamesMax);
      told.insert(told.end(), changed->changes.begin(), changed->changes.end());
    }
    return is_told(points("last")) || is_told(points(""));
  }));
}

}  // namespace
}  // namespace quiver::app
