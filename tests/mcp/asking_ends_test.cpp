// What is left of a call that waits for an answer of its client, once nobody does any more:
// nothing.

#include <chrono>
#include <future>
#include <memory>
#include <string>

#include <catch2/catch.hpp>

#include "features.h"
#include "support.h"

namespace quiver::mcp {
namespace {

using test::KeepingOutlet;
using test::kPatience;

const Json kElicits{{"elicitation", Json::object()}};
const Json kPolls{{"elicitation", Json::object()},
                  {"extensions", {{"io.modelcontextprotocol/tasks", Json::object()}}}};
const Json kAccepted{{"action", "accept"}};

/// Asks two questions at once.
Tool asking(const std::string& name, TaskUse tasks) {
  Tool tool;
  tool.name = name;
  tool.tasks = tasks;
  tool.run = [](Call& call) -> Outcome<ToolResult> {
    if (call.inputs.responses.size() == 2) return text_result("done");
    const Json question{{"message", "Sure?"}, {"requestedSchema", {{"type", "object"}}}};
    return InputRequired{
        {{"a", "elicitation/create", question}, {"b", "elicitation/create", question}}};
  };
  return tool;
}

/// A session, and word that nothing holds it any more.
struct Watched {
  explicit Watched(const std::shared_ptr<std::promise<void>>& ended)
      : session(new Session,
                [ended](const Session* it) {
                  delete it;
                  ended->set_value();
                }),
        gone(ended->get_future()) {
    session->agree(*find_revision("2025-11-25"), kElicits);
  }
  Watched() : Watched(std::make_shared<std::promise<void>>()) {}

  /// Lets go of it. Whether nothing else holds it, now or before `time` is over.
  bool ends(std::chrono::milliseconds time = std::chrono::milliseconds(0)) {
    session.reset();
    return gone.wait_for(time) == std::future_status::ready;
  }

  std::shared_ptr<Session> session;
  std::future<void> gone;
};

/// Work runs on the thread that brings it.
struct Desk {
  explicit Desk(const ServerOptions& options = {}) : server(offer(), test::inline_work, options) {}

  static Offer offer() {
    Offer offer;
    offer.tools = {asking("call", TaskUse::Never), asking("job", TaskUse::Always)};
    return offer;
  }
  /// A call of a legacy client, up to its two questions.
  std::shared_ptr<KeepingOutlet> call(const Watched& client) {
    auto outlet = std::make_shared<KeepingOutlet>();
    server.handle({7, "tools/call", {{"name", "call"}}}, {client.session, outlet});
    REQUIRE(outlet->wait(2).size() == 2);
    REQUIRE(client.session->asked() == 2);
    return outlet;
  }
  /// A call of a modern client that goes on as a task, and asks in it. Its id.
  Json task(const Watched& client) {
    const Json result = modern(client, "tools/call", {{"name", "job"}});
    REQUIRE(result["resultType"] == "task");
    const Json id{{"taskId", result["taskId"]}};
    REQUIRE(modern(client, "tasks/get", id)["status"] == "input_required");
    return id;
  }
  Json modern(const Watched& client, const std::string& method, Json params) {
    params["_meta"] = test::modern_meta();
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = kPolls;
    return test::parsed(
        test::answer(server, {8, method, std::move(params)}, client.session).text)["result"];
  }

  Server server;
};

TEST_CASE("asking ends: a server that goes takes the calls that wait along", "[mcp][ask]") {
  Watched legacy;
  Watched modern;
  {
    Desk desk;
    desk.call(legacy);
    desk.task(modern);
    CHECK_FALSE(legacy.ends());
    CHECK_FALSE(modern.ends());
  }
  CHECK(legacy.ends());
  CHECK(modern.ends());
}

TEST_CASE("asking ends: an answer that comes after the server has gone is nothing to anybody",
          "[mcp][ask]") {
  Watched client;
  std::shared_ptr<KeepingOutlet> outlet;
  {
    Desk desk;
    outlet = desk.call(client);
  }
  client.session->resolve({outlet->messages().at(0)["id"], kAccepted, nullptr});
  client.session->end();
  CHECK(outlet->messages().size() == 2);
  CHECK(client.ends());
}

TEST_CASE("asking ends: a call that is over holds its session no longer", "[mcp][ask]") {
  Desk desk;
  Watched client;
  const auto outlet = desk.call(client);
  SECTION("answered") {
    for (const Json& asked : outlet->messages()) {
      client.session->resolve({asked["id"], kAccepted, nullptr});
    }
    CHECK(outlet->replied());
  }
  SECTION("cancelled") {
    client.session->cancel(7);
    CHECK_FALSE(outlet->replied());
  }
  SECTION("its session has ended") {
    client.session->end();
    CHECK(outlet->replied());
  }
  CHECK(client.session->asked() == 0);
  CHECK(client.ends());
}

TEST_CASE("asking ends: a session that nobody ended goes with the time of its question",
          "[mcp][ask]") {
  ServerOptions options;
  options.ask_timeout = std::chrono::milliseconds(20);
  Desk desk(options);
  Watched client;
  const auto outlet = std::make_shared<KeepingOutlet>();
  desk.server.handle({7, "tools/call", {{"name", "call"}}}, {client.session, outlet});
  CHECK(client.ends(kPatience));
  CHECK(outlet->replied());
}

TEST_CASE("asking ends: questions that nobody waits for are forgotten", "[mcp][ask]") {
  ServerOptions options;
  SECTION("one was answered with an error") {
    Desk desk(options);
    const Watched client;
    const auto outlet = desk.call(client);
    const Json first = outlet->messages().at(0)["id"];
    const Json second = outlet->messages().at(1)["id"];
    client.session->resolve({first, nullptr, {{"code", -1}, {"message", "no"}}});
    CHECK(outlet->replied());
    CHECK(client.session->asked() == 0);
    client.session->resolve({second, kAccepted, nullptr});
    CHECK(outlet->messages().size() == 3);
  }
  SECTION("one was answered, and there was no more time") {
    options.ask_timeout = std::chrono::milliseconds(20);
    Desk desk(options);
    const Watched client;
    const auto outlet = std::make_shared<KeepingOutlet>();
    desk.server.handle({7, "tools/call", {{"name", "call"}}}, {client.session, outlet});
    client.session->resolve({outlet->wait(1).at(0)["id"], kAccepted, nullptr});
    CHECK(outlet->wait(3).at(2)["result"]["isError"] == true);
    CHECK(client.session->asked() == 0);
  }
  SECTION("one is still waited for") {
    Desk desk(options);
    const Watched client;
    const auto outlet = desk.call(client);
    client.session->resolve({outlet->messages().at(0)["id"], kAccepted, nullptr});
    CHECK_FALSE(outlet->replied());
    CHECK(client.session->asked() == 1);
  }
}

TEST_CASE("asking ends: a task that is over holds the session of its call no longer",
          "[mcp][task]") {
  Desk desk;
  Watched client;
  Json id = desk.task(client);
  std::string status;
  SECTION("answered") {
    id["inputResponses"] = {{"a", kAccepted}, {"b", kAccepted}};
    desk.modern(client, "tasks/update", id);
    status = "completed";
  }
  SECTION("cancelled") {
    desk.modern(client, "tasks/cancel", id);
    status = "cancelled";
  }
  SECTION("the server stops") {
    desk.server.stop();
    status = "cancelled";
  }
  id.erase("inputResponses");
  CHECK(desk.modern(client, "tasks/get", id)["status"] == status);
  CHECK(client.ends());
}

TEST_CASE("asking ends: a task that nobody asks about gives its call up in time", "[mcp][task]") {
  ServerOptions options;
  options.tasks.life = std::chrono::milliseconds(20);
  Desk desk(options);
  Watched client;
  CHECK(desk.modern(client, "tools/call", {{"name", "job"}})["resultType"] == "task");
  CHECK(client.ends(kPatience));
}

TEST_CASE("asking ends: who waits for the end of a round hears of it once", "[mcp][ask]") {
  int ends = 0;
  int dones = 0;
  const auto round = std::make_shared<Round>(1, [&](const auto&) {
    CHECK(ends == 1);
    ++dones;
  });
  round->on_end([&] { ++ends; });
  round->take("a", Json(1));
  round->fail({ErrorCode::Internal, "late"});
  round->drop();
  CHECK(ends == 1);
  CHECK(dones == 1);
  round->on_end([&] { ++ends; });
  CHECK(ends == 2);
}

}  // namespace
}  // namespace quiver::mcp
