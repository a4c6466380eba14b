// Calls that destroy: the product's own operations, before an executor that only counts.

#include <memory>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "features.h"
#include "support.h"

namespace quiver::mcp {
namespace {

using test::KeepingOutlet;

const Json kForms{{"elicitation", Json::object()}};
const Json kYes{{"action", "accept"}, {"content", {{"confirm", true}}}};

struct Desk {
  Desk() : registry(service::catalogue()) {
    executor.on("collection_info", [this](const CallContext&, const Json&) -> Result<Json> {
      if (fault) return *fault;
      return Json{{"name", "docs"}, {"id", id}, {"count", points}};
    });
    executor.on("collection_delete",
                [this](const CallContext& call, const Json& arguments) -> Result<Json> {
                  CHECK_FALSE(call.request_id.hex() == RequestId().hex());
                  destroyed.push_back(arguments);
                  return Json{{"deleted", true}, {"points", points}};
                });
    executor.on("memory_delete", [this](const CallContext&, const Json& arguments) -> Result<Json> {
      const bool dry = arguments.value("dry_run", arguments.contains("filter"));
      if (!dry) destroyed.push_back(arguments);
      Json reply{{"deleted", dry ? 0 : points}, {"matched", points}};
      if (dry) reply["dry_run"] = true;
      return reply;
    });
    Offer offer;
    offer.tools = operation_tools(registry, executor);
    server = std::make_unique<Server>(std::move(offer), test::inline_work);
  }

  Json modern(const std::string& tool, const Json& arguments, Json more = Json::object(),
              const Json& capabilities = kForms) {
    more["name"] = tool;
    more["arguments"] = arguments;
    more["_meta"] = test::modern_meta();
    more["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities;
    return test::parsed(test::answer(*server, {7, "tools/call", std::move(more)}, nullptr).text);
  }
  static std::string key_of(const Json& asked) {
    CHECK(asked["inputRequests"].size() == 1);
    return asked["inputRequests"].begin().key();
  }
  /// The call again, with the answer to what `asked` asked.
  Json answered(const std::string& tool, const Json& arguments, const Json& asked,
                const Json& answer) {
    return modern(tool, arguments,
                  {{"inputResponses", {{key_of(asked), answer}}},
                   {"requestState", asked["requestState"]}})["result"];
  }

  test::FakeExecutor executor;
  service::Registry registry;
  std::unique_ptr<Server> server;
  std::uint64_t points = 37;
  std::string id = "c1";
  std::optional<Error> fault;
  /// Arguments of the calls that destroyed.
  std::vector<Json> destroyed;
};

std::string message_of(const Json& asked) {
  return asked["inputRequests"].begin()->at("params")["message"];
}

std::string text_of(const Json& result) {
  return result["content"][0]["text"];
}

TEST_CASE("confirm: a modern client's user is asked before a collection is deleted",
          "[mcp][confirm]") {
  Desk desk;
  const Json call{{"collection", "docs"}};
  const Json asked = desk.modern("collection_delete", call)["result"];
  CHECK(asked["resultType"] == "input_required");
  const Json& request = *asked["inputRequests"].begin();
  CHECK(request["method"] == "elicitation/create");
  CHECK(message_of(asked) == "Delete the collection \"docs\" for ever, with 37 points?");
  const Json& schema = request["params"]["requestedSchema"];
  CHECK(schema["properties"]["confirm"]["type"] == "boolean");
  CHECK(schema["required"] == Json{"confirm"});
  CHECK(desk.destroyed.empty());

  const Json done = desk.answered("collection_delete", call, asked, kYes);
  CHECK(done["structuredContent"] == Json{{"deleted", true}, {"points", 37}});
  CHECK(desk.destroyed == std::vector<Json>{{{"collection", "docs"}, {"confirm", "docs"}}});
}

TEST_CASE("confirm: who does not say yes keeps everything", "[mcp][confirm]") {
  Desk desk;
  const Json call{{"collection", "docs"}, {"confirm", "docs"}};
  const auto answered = [&](const Json& answer) {
    const Json asked = desk.modern("collection_delete", call)["result"];
    REQUIRE(asked["resultType"] == "input_required");
    return desk.answered("collection_delete", call, asked, answer);
  };
  for (const Json& answer : {Json{{"action", "decline"}},
                             Json{{"action", "accept"}, {"content", {{"confirm", false}}}}}) {
    const Json refused = answered(answer);
    CHECK(refused["isError"] == true);
    CHECK_THAT(text_of(refused), Catch::Contains("permission_denied") &&
                                     Catch::Contains("declined: nothing was deleted"));
  }
  for (const Json& answer :
       {Json{{"action", "accept"}}, Json{{"action", "accept"}, {"content", {{"confirm", "yes"}}}},
        Json{{"action", "accept"}, {"content", 5}}, Json{{"action", 5}}, Json::object()}) {
    const Json refused = answered(answer);
    CHECK(refused["isError"] == true);
    CHECK_THAT(text_of(refused), Catch::Contains("failed_precondition") &&
                                     Catch::Contains("no answer that can be read") &&
                                     Catch::Contains("nothing was deleted"));
  }
  const Json left = answered({{"action", "cancel"}});
  CHECK(left["isError"] == true);
  CHECK_THAT(text_of(left), Catch::Contains("gave no answer: nothing was deleted"));
  CHECK(desk.destroyed.empty());
}

TEST_CASE("confirm: a yes holds for no more than what was asked", "[mcp][confirm]") {
  Desk desk;
  const Json call{{"filter", {{"lang", "go"}}}};
  const Json asked = desk.modern("memory_delete", call)["result"];
  CHECK(message_of(asked) == R"(Delete 37 memories of "memory" matching {"lang":"go"} for ever?)");
  desk.points = 38;
  const Json again = desk.answered("memory_delete", call, asked, kYes);
  CHECK(again["resultType"] == "input_required");
  CHECK_THAT(message_of(again), Catch::Contains("38 memories"));
  CHECK(Desk::key_of(again) != Desk::key_of(asked));
  CHECK(desk.destroyed.empty());
  // An answer to a question that was never put is none.
  const Json unasked =
      desk.modern("memory_delete", call, {{"inputResponses", {{"confirm_38", kYes}}}})["result"];
  CHECK(unasked["resultType"] == "input_required");

  desk.points = 36;
  const Json done = desk.answered("memory_delete", call, again, kYes);
  CHECK(done["structuredContent"]["deleted"] == 36);
  Json confirmed = call;
  confirmed["dry_run"] = false;
  CHECK(desk.destroyed == std::vector<Json>{confirmed});
}

TEST_CASE("confirm: a yes is for one deletion of one collection", "[mcp][confirm]") {
  Desk desk;
  const Json call{{"collection", "docs"}};
  const Json asked = desk.modern("collection_delete", call)["result"];
  desk.id = "c2";
  const Json other = desk.answered("collection_delete", call, asked, kYes);
  CHECK(other["resultType"] == "input_required");
  CHECK(desk.destroyed.empty());
  // Nor does the old answer, which the new state holds, pass for one to the new question.
  const Json repeated =
      desk.modern("collection_delete", call, {{"requestState", other["requestState"]}})["result"];
  CHECK(repeated["resultType"] == "input_required");
  CHECK(desk.destroyed.empty());

  CHECK(desk.answered("collection_delete", call, other, kYes)["resultType"] == "complete");
  CHECK(desk.destroyed.size() == 1);
  const Json again = desk.answered("collection_delete", call, other, kYes);
  CHECK(again["resultType"] == "input_required");
  CHECK(desk.destroyed.size() == 1);
}

TEST_CASE("confirm: a yes to what a filter matches is for one collection", "[mcp][confirm]") {
  Desk desk;
  const Json call{{"collection", "docs"}, {"filter", {{"lang", "go"}}}};
  const Json asked = desk.modern("memory_delete", call)["result"];
  REQUIRE(asked["resultType"] == "input_required");
  // Another collection of the name, with as many matches.
  desk.id = "c2";
  const Json other = desk.answered("memory_delete", call, asked, kYes);
  CHECK(other["resultType"] == "input_required");
  CHECK(desk.destroyed.empty());
  CHECK(desk.answered("memory_delete", call, other, kYes)["resultType"] == "complete");
  CHECK(desk.destroyed.size() == 1);
}

TEST_CASE("confirm: a question that was answered with no is not answered with yes later",
          "[mcp][confirm]") {
  Desk desk;
  const Json call{{"collection", "docs"}};
  for (const char* action : {"decline", "cancel", "what"}) {
    const Json asked = desk.modern("collection_delete", call)["result"];
    CHECK(desk.answered("collection_delete", call, asked, {{"action", action}})["isError"] == true);
    const Json again = desk.answered("collection_delete", call, asked, kYes);
    CHECK(again["resultType"] == "input_required");
    CHECK(Desk::key_of(again) != Desk::key_of(asked));
  }
  CHECK(desk.destroyed.empty());
}

TEST_CASE("confirm: what cannot be read can be deleted, by who knows that", "[mcp][confirm]") {
  Desk desk;
  const Json arguments{{"collection", "docs"}};
  const auto code =
      GENERATE(ErrorCode::Unavailable, ErrorCode::Corruption, ErrorCode::DeadlineExceeded);
  desk.fault = Error{code, "shard 1 on server b: it is down"};
  const Json asked = desk.modern("collection_delete", arguments)["result"];
  CHECK(asked["resultType"] == "input_required");
  CHECK(message_of(asked) ==
        "Delete the collection \"docs\" for ever? How many points are in it cannot be told now.");
  CHECK(desk.destroyed.empty());
  if (GENERATE(false, true)) {
    // Now it can be told.
    desk.fault.reset();
    const Json again = desk.answered("collection_delete", arguments, asked, kYes);
    CHECK(message_of(again) == "Delete the collection \"docs\" for ever, with 37 points?");
    CHECK(desk.destroyed.empty());
  } else {
    const Json done = desk.answered("collection_delete", arguments, asked, kYes);
    CHECK(done["structuredContent"]["deleted"] == true);
    CHECK(desk.destroyed == std::vector<Json>{{{"collection", "docs"}, {"confirm", "docs"}}});
  }
  // A filter may match anything: there nobody can know what would go.
  desk.executor.on("memory_delete", [code](const CallContext&, const Json&) -> Result<Json> {
    return Error{code, "shard 1 on server b: it is down"};
  });
  const Json refused = desk.modern("memory_delete", {{"filter", {{"lang", "go"}}}})["result"];
  CHECK(refused["isError"] == true);
}

TEST_CASE("confirm: nobody is asked when nothing would go", "[mcp][confirm]") {
  Desk desk;
  const Json filter{{"lang", "go"}};
  const Json counted =
      desk.modern("memory_delete", {{"filter", filter}, {"dry_run", true}})["result"];
  CHECK(counted["structuredContent"]["matched"] == 37);
  CHECK(desk.modern("memory_delete", {{"ids", {1}}})["result"]["structuredContent"]["deleted"] ==
        37);
  desk.points = 0;
  const Json none = desk.modern("memory_delete", {{"filter", filter}})["result"];
  CHECK(none["structuredContent"]["dry_run"] == true);
  CHECK(desk.destroyed.size() == 1);
}

TEST_CASE("confirm: wrong calls fail before anybody is asked", "[mcp][confirm]") {
  Desk desk;
  const auto refused = [&](const char* tool, const Json& arguments) {
    const Json result = desk.modern(tool, arguments)["result"];
    CHECK(result["isError"] == true);
    return text_of(result);
  };
  CHECK_THAT(refused("collection_delete", {{"collection", 5}}), Catch::Contains("collection"));
  CHECK_THAT(refused("collection_delete", {{"collection", "docs"}, {"confirm", "dcos"}}),
             Catch::Contains("must repeat"));
  CHECK_THAT(refused("memory_delete", Json::object()), Catch::Contains("neither"));
  desk.fault = Error{ErrorCode::NotFound, "collection \"docs\" not found"};
  CHECK_THAT(refused("collection_delete", {{"collection", "docs"}}), Catch::Contains("not found"));
  CHECK(desk.destroyed.empty());
}

TEST_CASE("confirm: a client that cannot put a form before its user is left to the operation",
          "[mcp][confirm]") {
  Desk desk;
  for (const Json& capabilities :
       {Json::object(), Json{{"elicitation", {{"url", Json::object()}}}}}) {
    const Json done = desk.modern("collection_delete", {{"collection", "docs"}}, Json::object(),
                                  capabilities)["result"];
    CHECK(done["resultType"] == "complete");
    // Whether confirm repeats the name is for the operation to say.
    CHECK(desk.destroyed.back() == Json{{"collection", "docs"}});
  }
  const Json forms{{"elicitation", {{"form", Json::object()}, {"url", Json::object()}}}};
  CHECK(desk.modern("collection_delete", {{"collection", "docs"}}, Json::object(),
                    forms)["result"]["resultType"] == "input_required");
}

TEST_CASE("confirm: a legacy client is asked by a request of the server", "[mcp][confirm]") {
  Desk desk;
  const auto session = std::make_shared<Session>();
  session->agree(*find_revision("2025-11-25"), kForms);
  const auto call = [&](std::int64_t id) {
    const auto outlet = std::make_shared<KeepingOutlet>();
    const Json params{{"name", "collection_delete"}, {"arguments", {{"collection", "docs"}}}};
    desk.server->handle({id, "tools/call", params}, {session, outlet});
    return outlet;
  };
  auto outlet = call(1);
  Json asked = outlet->wait(1).at(0);
  CHECK(asked["method"] == "elicitation/create");
  CHECK_THAT(std::string(asked["params"]["message"]), Catch::Contains("37 points"));
  session->resolve({asked["id"], {{"action", "decline"}}, nullptr});
  CHECK(outlet->wait(2).at(1)["result"]["isError"] == true);
  CHECK(desk.destroyed.empty());

  std::int64_t next = 10;
  for (const Json& result : {Json{1, 2}, Json("str"), Json(nullptr)}) {
    outlet = call(next++);
    asked = outlet->wait(1).at(0);
    session->resolve({asked["id"], result, nullptr});
    const Json refused = outlet->wait(2).at(1)["result"];
    CHECK(refused["isError"] == true);
    CHECK_THAT(text_of(refused),
               Catch::Contains("failed_precondition") && Catch::Contains("nothing was deleted"));
  }
  CHECK(desk.destroyed.empty());

  outlet = call(2);
  asked = outlet->wait(1).at(0);
  session->resolve({asked["id"], kYes, nullptr});
  CHECK(outlet->wait(2).at(1)["result"]["structuredContent"]["deleted"] == true);
  CHECK(desk.destroyed.size() == 1);
}

}  // namespace
}  // namespace quiver::mcp
