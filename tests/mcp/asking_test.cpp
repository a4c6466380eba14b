// Calls that need answers of the client, in both eras: the wire of each is written out by hand from
// its schema.ts. And calls that go on as tasks.

#include <memory>
#include <string>

#include <catch2/catch.hpp>

#include "features.h"
#include "support.h"
#include "tests/support/manual_clock.h"

namespace quiver::mcp {
namespace {

using test::KeepingOutlet;
using test::kPatience;

const Json kElicits{{"elicitation", Json::object()}};
const Json kPolls{{"elicitation", Json::object()},
                  {"extensions", {{"io.modelcontextprotocol/tasks", Json::object()}}}};

Json question() {
  return {{"message", "Sure?"}, {"requestedSchema", {{"type", "object"}}}};
}

/// Asks "sure", then, unless `once`, "really"; tells what was answered.
Tool asking(const std::string& name, TaskUse tasks, bool once) {
  Tool tool;
  tool.name = name;
  tool.tasks = tasks;
  tool.run = [once](Call& call) -> Outcome<ToolResult> {
    const auto& answers = call.inputs.responses;
    if (!answers.contains("sure")) {
      return InputRequired{{{"sure", "elicitation/create", question()}}, once ? Json() : Json(1)};
    }
    if (!once && !answers.contains("really")) {
      return InputRequired{{{"really", "elicitation/create", question()}}, 2};
    }
    std::string text = to_text(call.inputs.state);
    for (const auto& [key, answer] : answers) text += " " + key + ":" + to_text(answer["action"]);
    return text_result(text);
  };
  return tool;
}

/// Work runs on the thread that brings it.
struct Desk {
  explicit Desk(ServerOptions options = {}, Offer offered = offer())
      : server(std::move(offered), test::inline_work, options) {}

  static Offer offer() {
    Offer offer;
    offer.tools = {asking("twice", TaskUse::Never, false), asking("once", TaskUse::Never, true),
                   asking("job", TaskUse::Always, true)};
    return offer;
  }
  std::shared_ptr<Session> legacy(const Json& capabilities) {
    auto session = std::make_shared<Session>();
    session->agree(*find_revision("2025-11-25"), capabilities);
    return session;
  }
  std::shared_ptr<KeepingOutlet> begin(const std::shared_ptr<Session>& session,
                                       const std::string& tool) {
    auto outlet = std::make_shared<KeepingOutlet>();
    server.handle({7, "tools/call", {{"name", tool}}}, {session, outlet});
    return outlet;
  }
  /// Opens a subscriptions/listen by HTTP.
  std::shared_ptr<KeepingOutlet> listen(Json filter, const Json& capabilities = kPolls) {
    Json params{{"notifications", std::move(filter)}, {"_meta", test::modern_meta()}};
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities;
    auto outlet = std::make_shared<KeepingOutlet>();
    server.handle({"l", "subscriptions/listen", std::move(params)}, {nullptr, outlet});
    return outlet;
  }
  Json modern(const std::string& method, Json params, const Json& capabilities = kElicits) {
    params["_meta"] = test::modern_meta();
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities;
    return test::parsed(test::answer(server, {7, method, std::move(params)}, nullptr).text);
  }

  Server server;
};

Json accepted() {
  return {{"action", "accept"}};
}

TEST_CASE("asking: a legacy client is sent requests on the way of the call", "[mcp][ask]") {
  Desk desk;
  const auto session = desk.legacy(kElicits);
  const auto outlet = desk.begin(session, "twice");
  Json asked = outlet->wait(1).at(0);
  CHECK(asked["method"] == "elicitation/create");
  CHECK(asked["params"] == question());
  session->resolve({asked["id"], accepted(), nullptr});
  asked = outlet->wait(2).at(1);
  session->resolve({asked["id"], {{"action", "decline"}}, nullptr});
  const Json reply = outlet->wait(3).at(2);
  CHECK(reply["id"] == 7);
  CHECK(reply["result"]["content"][0]["text"] == R"(2 really:"decline" sure:"accept")");
}

TEST_CASE("asking: a legacy client that cannot be asked, errs or is gone fails the call",
          "[mcp][ask]") {
  Desk desk;
  const auto text = [](const Json& reply) {
    CHECK(reply["result"]["isError"] == true);
    return std::string(reply["result"]["content"][0]["text"]);
  };
  CHECK_THAT(text(desk.begin(desk.legacy(Json::object()), "once")->wait(1).at(0)),
             Catch::Contains("failed_precondition") && Catch::Contains("elicitation"));

  const auto session = desk.legacy(kElicits);
  auto outlet = desk.begin(session, "once");
  session->resolve({outlet->wait(1).at(0)["id"], nullptr, {{"code", -1}, {"message", "no"}}});
  CHECK_THAT(text(outlet->wait(2).at(1)), Catch::Contains("answered with an error"));

  outlet = desk.begin(session, "once");
  outlet->wait(1);
  session->end();
  CHECK_THAT(text(outlet->wait(2).at(1)), Catch::Contains("failed_precondition"));
}

TEST_CASE("asking: a cancelled legacy call forgets its questions and is not answered",
          "[mcp][ask]") {
  Desk desk;
  const auto session = desk.legacy(kElicits);
  const auto outlet = desk.begin(session, "once");
  const Json asked = outlet->wait(1).at(0);
  session->cancel(7);
  session->resolve({asked["id"], accepted(), nullptr});
  CHECK(outlet->messages().size() == 1);
  // Its id is free again.
  CHECK(desk.begin(session, "once")->wait(1).at(0)["method"] == "elicitation/create");
}

TEST_CASE("asking: a legacy client that never answers fails the call in time", "[mcp][ask]") {
  ServerOptions options;
  options.ask_timeout = std::chrono::milliseconds(20);
  Desk desk(options);
  const Json reply = desk.begin(desk.legacy(kElicits), "once")->wait(2).at(1);
  CHECK(reply["result"]["isError"] == true);
  CHECK_THAT(std::string(reply["result"]["content"][0]["text"]),
             Catch::Contains("did not answer in time"));
}

TEST_CASE("asking: a modern client repeats the call with answers and the sealed state",
          "[mcp][ask]") {
  Desk desk;
  Json result = desk.modern("tools/call", {{"name", "twice"}})["result"];
  CHECK(result["resultType"] == "input_required");
  CHECK(result["inputRequests"] ==
        Json{{"sure", {{"method", "elicitation/create"}, {"params", question()}}}});
  const Json first = result["requestState"];
  result = desk.modern("tools/call", {{"name", "twice"},
                                      {"inputResponses", {{"sure", accepted()}}},
                                      {"requestState", first}})["result"];
  CHECK(result["resultType"] == "input_required");
  CHECK(result["inputRequests"].contains("really"));
  CHECK(result["requestState"] != first);
  result = desk.modern("tools/call", {{"name", "twice"},
                                      {"inputResponses", {{"really", accepted()}}},
                                      {"requestState", result["requestState"]}})["result"];
  CHECK(result["resultType"] == "complete");
  CHECK(result["content"][0]["text"] == R"(2 really:"accept" sure:"accept")");
  // The state of one call is no good for another.
  CHECK(desk.modern("tools/call", {{"name", "once"}, {"requestState", first}})["error"]["code"] ==
        -32602);
}

TEST_CASE("asking: what a modern client answers wrongly", "[mcp][ask]") {
  Desk desk;
  const auto call = [&](Json params) {
    params["name"] = "once";
    return desk.modern("tools/call", std::move(params));
  };
  CHECK(call({{"inputResponses", {{"other", accepted()}}}})["result"]["resultType"] ==
        "input_required");
  CHECK(call({{"inputResponses", {{"sure", 5}}}})["error"]["code"] == -32602);
  CHECK(call({{"inputResponses", nullptr}})["error"]["code"] == -32602);
  CHECK(call({{"requestState", 5}})["error"]["code"] == -32602);
  CHECK(call({{"requestState", "a.b"}})["error"]["code"] == -32602);
  const Json refused = desk.modern("tools/call", {{"name", "once"}}, Json::object())["error"];
  CHECK(refused["code"] == -32021);
  CHECK(refused["data"]["requiredCapabilities"] == kElicits);
}

TEST_CASE("tasks: a call goes on as a task, asks in it, and is read by its id", "[mcp][task]") {
  Desk desk;
  const Json made = desk.modern("tools/call", {{"name", "job"}}, kPolls)["result"];
  CHECK(made["resultType"] == "task");
  CHECK(made["status"] == "working");
  const Json id{{"taskId", made["taskId"]}};
  Json task = desk.modern("tasks/get", id, kPolls)["result"];
  CHECK(task["status"] == "input_required");
  CHECK(task["inputRequests"].contains("sure"));
  CHECK_FALSE(task.contains("result"));

  Json answer = id;
  answer["inputResponses"] = {{"unknown", accepted()}};
  CHECK(desk.modern("tasks/update", answer, kPolls)["result"]["resultType"] == "complete");
  CHECK(desk.modern("tasks/get", id, kPolls)["result"]["status"] == "input_required");
  answer["inputResponses"] = {{"sure", accepted()}};
  desk.modern("tasks/update", answer, kPolls);
  task = desk.modern("tasks/get", id, kPolls)["result"];
  CHECK(task["status"] == "completed");
  CHECK(task["result"]["content"][0]["text"] == R"(null sure:"accept")");
  desk.modern("tasks/cancel", id, kPolls);
  CHECK(desk.modern("tasks/get", id, kPolls)["result"]["status"] == "completed");
}

TEST_CASE("tasks: who may not, or asks for what is not there", "[mcp][task]") {
  Desk desk;
  const Json refused = desk.modern("tasks/get", {{"taskId", "x"}})["error"];
  CHECK(refused["code"] == -32021);
  CHECK(refused["data"]["requiredCapabilities"] ==
        Json{{"extensions", {{"io.modelcontextprotocol/tasks", Json::object()}}}});
  for (const char* method : {"tasks/get", "tasks/update", "tasks/cancel"}) {
    CHECK(desk.modern(method, {{"taskId", "x"}}, kPolls)["error"]["code"] == -32602);
  }
  // Without the extension the call is not a task, and asks.
  CHECK(desk.modern("tools/call", {{"name", "job"}})["result"]["resultType"] == "input_required");
}

TEST_CASE("tasks: a cancelled one stays so, and its questions are dropped", "[mcp][task]") {
  Desk desk;
  const Json id{
      {"taskId", desk.modern("tools/call", {{"name", "job"}}, kPolls)["result"]["taskId"]}};
  desk.modern("tasks/cancel", id, kPolls);
  Json answer = id;
  answer["inputResponses"] = {{"sure", accepted()}};
  desk.modern("tasks/update", answer, kPolls);
  const Json task = desk.modern("tasks/get", id, kPolls)["result"];
  CHECK(task["status"] == "cancelled");
  CHECK_FALSE(task.contains("inputRequests"));
}

Offer offer_with_hub() {
  Offer offer = Desk::offer();
  offer.hub = std::make_shared<Hub>(HubOptions{.interval = std::chrono::milliseconds(1)});
  return offer;
}

TEST_CASE("tasks: who listens is told of each status, as tasks/get has it", "[mcp][task]") {
  Desk desk({}, offer_with_hub());
  const Json id{
      {"taskId", desk.modern("tools/call", {{"name", "job"}}, kPolls)["result"]["taskId"]}};
  const auto outlet = desk.listen({{"taskIds", {id["taskId"], "unknown"}}});
  const Json acknowledged = outlet->wait(1).at(0);
  CHECK(acknowledged["method"] == "notifications/subscriptions/acknowledged");
  CHECK(acknowledged["params"]["notifications"] == Json{{"taskIds", {id["taskId"]}}});
  // What it is now, since it may have changed before anybody listened.
  const Json first = outlet->wait(2).at(1);
  CHECK(first["method"] == "notifications/tasks");
  CHECK(first["params"]["status"] == "input_required");
  CHECK(first["params"]["inputRequests"].contains("sure"));
  CHECK(first["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == "l");

  Json answer = id;
  answer["inputResponses"] = {{"sure", accepted()}};
  desk.modern("tasks/update", answer, kPolls);
  Json last = Json::object();
  for (std::size_t count = 3; last.value("status", "") != "completed"; ++count) {
    const auto messages = outlet->wait(count);
    REQUIRE(messages.size() >= count);
    last = messages[count - 1]["params"];
  }
  Json task = desk.modern("tasks/get", id, kPolls)["result"];
  task.erase("resultType");
  task.erase("_meta");
  last.erase("_meta");
  CHECK(last == task);
  desk.server.stop();
}

TEST_CASE("tasks: who may not listen to them, or asks wrongly", "[mcp][task]") {
  Desk desk({}, offer_with_hub());
  const auto error = [&](const Json& filter, const Json& capabilities) {
    return desk.listen(filter, capabilities)->wait(1).at(0)["error"]["code"];
  };
  CHECK(error({{"taskIds", Json::array()}}, kElicits) == -32021);
  CHECK(error({{"taskIds", "x"}}, kPolls) == -32602);
  CHECK(error({{"taskIds", {7}}}, kPolls) == -32602);
  CHECK(error({{"taskIds", {std::string(129, 'x')}}}, kPolls) == -32602);
  const auto none = desk.listen({{"taskIds", {"unknown"}}});
  CHECK(none->wait(1).at(0)["params"]["notifications"] == Json{{"taskIds", Json::array()}});
  desk.server.stop();
}

TEST_CASE("tasks: there are so many and no more, and each has its time", "[mcp][task]") {
  const auto clock = std::make_shared<ManualClock>();
  ServerOptions options;
  options.clock = clock;
  options.tasks.tasks_max = 2;
  Desk desk(options);
  const auto make = [&] { return desk.modern("tools/call", {{"name", "job"}}, kPolls)["result"]; };
  const Json first{{"taskId", make()["taskId"]}};
  make();
  CHECK(make()["isError"] == true);
  // Nobody answered in time: the calls are given up, and after a minute forgotten.
  clock->advance_ms(options.tasks.life.count());
  CHECK(desk.modern("tasks/get", first, kPolls)["result"]["status"] == "cancelled");
  clock->advance_ms(60'000);
  CHECK(desk.modern("tasks/get", first, kPolls)["error"]["code"] == -32602);
  CHECK(make()["resultType"] == "task");
}

TEST_CASE("tasks: a write of the product becomes one once it has taken a while", "[mcp][task]") {
  test::World world;
  test::Gate gate;
  world.executor.on("store", [&](const CallContext& call, const Json&) -> Result<Json> {
    QV_CHECK(gate.pass(call));
    call.progress(3, 4, "embedding");
    return Json{{"stored", 1}};
  });
  ServerOptions options;
  options.task_after = std::chrono::milliseconds(10);
  std::thread worker;
  const Server server(
      world.offer(),
      [&](std::function<void()> work) -> Status {
        worker = std::thread(std::move(work));
        return Done{};
      },
      options);
  Json params{{"name", "store"}, {"_meta", test::modern_meta()}};
  params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = kPolls;
  const auto outlet = std::make_shared<KeepingOutlet>();
  server.handle({1, "tools/call", params}, {nullptr, outlet});
  const Json made = outlet->wait(1).at(0)["result"];
  CHECK(made["resultType"] == "task");
  gate.open();
  worker.join();
  Json get{{"taskId", made["taskId"]}, {"_meta", params["_meta"]}};
  const Json task =
      test::parsed(test::answer(server, {2, "tasks/get", get}, nullptr).text)["result"];
  CHECK(task["status"] == "completed");
  CHECK(task["statusMessage"] == "3 of 4: embedding");
  CHECK(task["result"]["structuredContent"] == Json{{"stored", 1}});
}

}  // namespace
}  // namespace quiver::mcp
