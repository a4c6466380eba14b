// One request, one reply, in each era. Expected replies are written out by hand from the schema.ts
// of each revision (modelcontextprotocol.io).

#include "mcp/server.h"

#include <set>
#include <string>

#include <catch2/catch.hpp>

#include "support.h"

namespace quiver::mcp {
namespace {

using test::World;

struct Peer {
  World world;
  Server server{world.offer(), test::inline_work};
  const Revision* revision = find_revision("2025-11-25");

  Reply reply(const std::string& text) const {
    auto json = read_json(text);
    auto message = read_message(std::get<Json>(std::move(json)));
    const auto request = std::get<Request>(std::get<Message>(std::move(message)));
    return test::answer(server, request, std::make_shared<Session>(*revision));
  }
  Json ask(const std::string& text) const { return test::parsed(reply(text).text); }
  Json legacy(const std::string& method, Json params = nullptr) const {
    return ask(test::request(1, method, std::move(params)));
  }
  Json modern(const std::string& method, Json params = Json::object()) const {
    return ask(test::modern(1, method, std::move(params)));
  }
};

Json error(int code, const std::string& message) {
  return {{"code", code}, {"message", message}};
}

const Json kServerInfo{{"name", "quiver"},
                       {"version", QV_VERSION},
                       {"title", "Quiver"},
                       {"description", "Vector database and long-term memory for agents."}};

std::set<std::string> keys(const Json& object) {
  std::set<std::string> names;
  for (const auto& item : object.items()) names.insert(item.key());
  return names;
}

TEST_CASE("initialize: agrees on the requested revision, else on the newest legacy one", "[mcp]") {
  Peer peer;
  const std::vector<std::pair<std::string, std::string>> cases{
      {"2024-11-05", "2024-11-05"}, {"2025-03-26", "2025-03-26"},
      {"2025-06-18", "2025-06-18"}, {"2025-11-25", "2025-11-25"},
      {"2026-07-28", "2025-11-25"}, {"2024-10-07", "2025-11-25"},
      {"2031-01-01", "2025-11-25"}, {"", "2025-11-25"}};
  for (const auto& [requested, agreed] : cases) {
    const Reply reply =
        peer.reply(test::request("i", "initialize",
                                 {{"protocolVersion", requested},
                                  {"capabilities", {{"roots", Json::object()}}},
                                  {"clientInfo", {{"name", "c"}, {"version", "1"}}}}));
    REQUIRE(reply.agreed != nullptr);
    CHECK(reply.agreed->version == agreed);
    const Json message = test::parsed(reply.text);
    CHECK(message["id"] == "i");
    const Json& result = message["result"];
    CHECK(keys(result) ==
          std::set<std::string>{"protocolVersion", "capabilities", "serverInfo", "instructions"});
    CHECK(result["protocolVersion"] == agreed);
    CHECK(result["capabilities"] == Json{{"tools", Json::object()}, {"logging", Json::object()}});
    Json info = kServerInfo;
    if (agreed < "2025-11-25") info.erase("description");
    if (agreed < "2025-06-18") info.erase("title");
    CHECK(result["serverInfo"] == info);
    const auto& text = result["instructions"].get_ref<const std::string&>();
    CHECK(text.find("memory_search") != std::string::npos);
    CHECK(text.find("collection_list") != std::string::npos);
    // English runs at four bytes a token and more; the budget is 300 tokens.
    CHECK(text.size() < 1200);
  }
}

TEST_CASE("initialize: its parameters are checked", "[mcp]") {
  Peer peer;
  CHECK(peer.legacy("initialize")["error"] ==
        error(-32602, "params.protocolVersion: must be a string, such as \"2025-11-25\""));
  CHECK(peer.legacy("initialize", {{"protocolVersion", 7}})["error"]["code"] == -32602);
  CHECK(peer.legacy("initialize",
                    {{"protocolVersion", "2025-11-25"}, {"capabilities", 1}})["error"] ==
        error(-32602, "params.capabilities: must be an object"));
  CHECK(peer.legacy("initialize",
                    {{"protocolVersion", "2025-11-25"}, {"clientInfo", "me"}})["error"] ==
        error(-32602, "params.clientInfo: must be an object"));
}

TEST_CASE("legacy: the methods there are, and no others", "[mcp]") {
  Peer peer;
  CHECK(peer.reply(R"({"jsonrpc":"2.0","id":"p","method":"ping"})").text ==
        R"({"jsonrpc":"2.0","id":"p","result":{}})");
  for (const char* method : {"resources/subscribe", "resources/list", "prompts/list", "tools",
                             "completion/complete", "subscriptions/listen", "", "Ping"}) {
    const Json reply = peer.legacy(method);
    CHECK(reply["error"] == error(-32601, "method not found: \"" + std::string(method) + "\""));
    CHECK(reply["id"] == 1);
  }
}

TEST_CASE("legacy: results carry nothing of 2026-07-28", "[mcp]") {
  Peer peer;
  for (const Json& reply :
       {peer.legacy("ping"), peer.legacy("tools/list"),
        peer.legacy("initialize", {{"protocolVersion", "2025-11-25"}}),
        peer.legacy("tools/call", {{"name", "echo"}, {"arguments", {{"text", "x"}}}})}) {
    for (const char* key : {"resultType", "ttlMs", "cacheScope", "_meta"}) {
      CHECK_FALSE(reply["result"].contains(key));
    }
  }
}

TEST_CASE("modern: server/discover says what there is", "[mcp]") {
  Peer peer;
  const Json result = peer.modern("server/discover")["result"];
  CHECK(keys(result) == std::set<std::string>{"resultType", "supportedVersions", "capabilities",
                                              "instructions", "ttlMs", "cacheScope", "_meta"});
  CHECK(result["resultType"] == "complete");
  CHECK(result["supportedVersions"] == Json{"2026-07-28"});
  // A write may take long, and then becomes a task.
  CHECK(result["capabilities"] ==
        Json{{"tools", Json::object()},
             {"logging", Json::object()},
             {"extensions", {{"io.modelcontextprotocol/tasks", Json::object()}}}});
  CHECK(result["ttlMs"] == 300'000);
  CHECK(result["cacheScope"] == "public");
  CHECK(result["_meta"] == Json{{"io.modelcontextprotocol/serverInfo", kServerInfo}});
}

TEST_CASE("modern: every result is complete and says who made it, lists may be kept", "[mcp]") {
  Peer peer;
  const Json list = peer.modern("tools/list")["result"];
  CHECK(keys(list) == std::set<std::string>{"resultType", "_meta", "tools", "ttlMs", "cacheScope"});
  CHECK(list["resultType"] == "complete");
  CHECK(list["ttlMs"] == 300'000);
  CHECK(list["cacheScope"] == "public");
  const Json call =
      peer.modern("tools/call", {{"name", "echo"}, {"arguments", {{"text", "x"}}}})["result"];
  CHECK(call == Json{{"resultType", "complete"},
                     {"_meta", {{"io.modelcontextprotocol/serverInfo", kServerInfo}}},
                     {"content", {{{"type", "text"}, {"text", R"({"text":"x"})"}}}},
                     {"structuredContent", {{"text", "x"}}}});
  const Json failed = peer.modern("tools/call", {{"name", "fail"}})["result"];
  CHECK(failed["resultType"] == "complete");
  CHECK(failed["isError"] == true);
}

TEST_CASE("modern: methods of the handshake are unknown", "[mcp]") {
  Peer peer;
  for (const char* method : {"initialize", "ping", "logging/setLevel", "resources/subscribe",
                             "notifications/initialized", "nonsense"}) {
    const Reply reply = peer.reply(test::modern("m", method, {{"protocolVersion", "2025-11-25"}}));
    CHECK(reply.refused);
    CHECK(reply.error == -32601);
    CHECK(reply.agreed == nullptr);
    CHECK(test::parsed(reply.text) ==
          Json{{"jsonrpc", "2.0"},
               {"id", "m"},
               {"error",
                error(-32601, "method not found: \"" + std::string(method) + "\" in 2026-07-28")}});
  }
}

TEST_CASE("modern: a version that is not served is named with those that are", "[mcp]") {
  Peer peer;
  for (const std::string version : {"1900-01-01", "2025-11-25", "2027-01-01", ""}) {
    const Reply reply = peer.reply(test::modern(
        1, "tools/list", {{"_meta", {{"io.modelcontextprotocol/protocolVersion", version}}}}));
    CHECK(reply.refused);
    const Json fault = test::parsed(reply.text)["error"];
    CHECK(fault["code"] == -32022);
    CHECK(fault["data"] == Json{{"supported", {"2026-07-28"}}, {"requested", version}});
    CHECK(fault["message"] ==
          "unsupported protocol version \"" + version +
              "\": in each request 2026-07-28, or by initialize 2025-11-25, 2025-06-18, "
              "2025-03-26, 2024-11-05");
  }
  CHECK(
      peer.modern("tools/list",
                  {{"_meta", {{"io.modelcontextprotocol/protocolVersion", 7}}}})["error"] ==
      error(-32602, "params._meta[\"io.modelcontextprotocol/protocolVersion\"]: must be a string"));
}

TEST_CASE("modern: metadata is checked, and what is missing is named", "[mcp]") {
  Peer peer;
  Json meta = test::modern_meta();
  meta.erase("io.modelcontextprotocol/clientCapabilities");
  const Reply missing = peer.reply(test::request(1, "tools/list", {{"_meta", meta}}));
  CHECK(missing.refused);
  CHECK(test::parsed(missing.text)["error"] ==
        error(-32602, "params._meta lacks io.modelcontextprotocol/clientCapabilities"));
  // Only the modern era has this method, so what is missing there is what makes it modern.
  CHECK(peer.legacy("server/discover")["error"] ==
        error(-32602,
              "params._meta lacks io.modelcontextprotocol/protocolVersion, "
              "io.modelcontextprotocol/clientCapabilities"));
  // The client's name is not demanded.
  meta = test::modern_meta();
  meta.erase("io.modelcontextprotocol/clientInfo");
  CHECK(peer.ask(test::request(1, "tools/list", {{"_meta", meta}})).contains("result"));
  for (const char* key : {"clientInfo", "clientCapabilities"}) {
    const std::string full = std::string("io.modelcontextprotocol/") + key;
    CHECK(peer.modern("tools/list", {{"_meta", {{full, "x"}}}})["error"] ==
          error(-32602, "params._meta[\"" + full + "\"]: must be an object"));
  }
  const auto level = [&](const Json& value) {
    return peer.modern("tools/list", {{"_meta", {{"io.modelcontextprotocol/logLevel", value}}}});
  };
  CHECK(level("warning").contains("result"));
  CHECK(level("loud")["error"]["code"] == -32602);
  CHECK(level(7)["error"]["code"] == -32602);
  CHECK(peer.legacy("tools/list", {{"_meta", "x"}})["error"] ==
        error(-32602, "params._meta: must be an object"));
}

TEST_CASE("tools/call: what an operation returns, in the form of each revision", "[mcp]") {
  Peer peer;
  const std::string call = test::request(
      1, "tools/call", {{"name", "echo"}, {"arguments", {{"text", "line\n\"two\" \xc3\xa9"}}}});
  const Json content{{{"type", "text"}, {"text", "{\"text\":\"line\\n\\\"two\\\" \xc3\xa9\"}"}}};
  for (const char* version : {"2024-11-05", "2025-03-26"}) {
    peer.revision = find_revision(version);
    CHECK(peer.ask(call)["result"] == Json{{"content", content}});
  }
  for (const char* version : {"2025-06-18", "2025-11-25"}) {
    peer.revision = find_revision(version);
    const Json result = peer.ask(call)["result"];
    CHECK(keys(result) == std::set<std::string>{"content", "structuredContent"});
    CHECK(result["content"] == content);
    // Each is complete by itself: clients show a model only one of them.
    CHECK(Json::parse(std::string(result["content"][0]["text"])) == result["structuredContent"]);
  }
  CHECK(peer.reply(call).text.find('\n') == std::string::npos);
}

TEST_CASE("tools/call: a failed operation is a result that a model can act on", "[mcp]") {
  Peer peer;
  for (const Revision& revision : kRevisions) {
    if (revision.era == Era::Modern) continue;
    peer.revision = &revision;
    const Json reply = peer.legacy("tools/call", {{"name", "fail"}});
    CHECK(reply["result"] ==
          Json{{"isError", true},
               {"content",
                {{{"type", "text"},
                  {"text", R"({"code":"not_found","message":"collection \"docz\" not found: )"
                           R"(did you mean \"docs\"?","retryable":false})"}}}}});
  }
}

TEST_CASE("tools/call: what is not a call of a tool is a protocol error", "[mcp]") {
  Peer peer;
  CHECK(peer.legacy("tools/call")["error"] ==
        error(-32602, "params.name: must be the name of a tool"));
  CHECK(peer.legacy("tools/call", {{"name", 7}})["error"]["code"] == -32602);
  CHECK(peer.legacy("tools/call", {{"name", "echo"}, {"arguments", Json::array()}})["error"] ==
        error(-32602, "params.arguments: must be an object"));
  CHECK(peer.legacy("tools/call", {{"name", "ecko"}})["error"] ==
        error(-32602, "unknown tool \"ecko\": did you mean \"echo\"?"));
  CHECK(peer.legacy("tools/call", {{"name", std::string(100'000, 'z')}})["error"] ==
        error(-32602, "unknown tool \"" + std::string(64, 'z') +
                          "...\": tools/list names the tools there are"));
  CHECK(peer.modern("tools/call", {{"name", "ecko"}})["error"]["code"] == -32602);
  for (const Json& token : {Json(1.5), Json(true), Json(nullptr), Json(std::string(1025, 't'))}) {
    CHECK(peer.legacy("tools/call",
                      {{"name", "echo"}, {"_meta", {{"progressToken", token}}}})["error"] ==
          error(-32602,
                "params._meta.progressToken: must be an integer or a string of at "
                "most 1024 bytes"));
  }
  CHECK(peer.legacy("tools/list", {{"cursor", "x"}})["error"]["code"] == -32602);
}

TEST_CASE("tools/call: writes are named, so that they take effect once, and all have a deadline",
          "[mcp]") {
  Peer peer;
  const auto before = std::chrono::steady_clock::now();
  CHECK(peer.legacy("tools/call", {{"name", "store"}})["result"]["structuredContent"] ==
        Json{{"stored", 1}});
  const RequestId first = peer.world.stored.request_id;
  CHECK_FALSE(first.empty());
  REQUIRE(peer.world.stored.deadline);
  CHECK(*peer.world.stored.deadline >= before + std::chrono::seconds(60));
  CHECK_FALSE(peer.world.stored.progress);
  peer.legacy("tools/call", {{"name", "store"}});
  CHECK(peer.world.stored.request_id != first);

  RequestId of_read = first;
  peer.world.executor.on("echo", [&](const CallContext& call, const Json&) -> Result<Json> {
    of_read = call.request_id;
    return Json::object();
  });
  peer.legacy("tools/call", {{"name", "echo"}});
  CHECK(of_read.empty());
}

TEST_CASE("tools/call: an exception costs the call, not the server", "[mcp]") {
  Peer peer;
  peer.world.executor.on(
      "echo", [](const CallContext&, const Json&) -> Result<Json> { throw std::bad_alloc(); });
  const Json result = peer.legacy("tools/call", {{"name", "echo"}})["result"];
  CHECK(result["isError"] == true);
  CHECK(Json::parse(std::string(result["content"][0]["text"])) ==
        Json{{"code", "internal"},
             {"message", "the server failed to carry out echo"},
             {"retryable", false}});
  CHECK(peer.legacy("ping").contains("result"));
}

TEST_CASE("tools/call: a result that no client could take is refused with advice", "[mcp]") {
  World world;
  const Server server(world.offer(100), test::inline_work);
  const auto ask = [&](std::size_t size) {
    const Request request{
        1, "tools/call", {{"name", "echo"}, {"arguments", {{"text", std::string(size, 'x')}}}}};
    const auto session = std::make_shared<Session>(kRevisions[3]);
    return test::parsed(test::answer(server, request, session).text)["result"];
  };
  CHECK_FALSE(ask(100 - 11).contains("isError"));
  const Json large = ask(100 - 10);
  CHECK(large["isError"] == true);
  CHECK(Json::parse(std::string(large["content"][0]["text"]))["message"] ==
        "the result has 101 bytes, at most 100: ask for less");
}

TEST_CASE("tools/call: a result that is no object stays text", "[mcp]") {
  Peer peer;
  peer.world.executor.on("echo", [](const CallContext&, const Json&) -> Result<Json> {
    return Json{1, 2};
  });
  CHECK(peer.legacy("tools/call", {{"name", "echo"}})["result"] ==
        Json{{"content", {{{"type", "text"}, {"text", "[1,2]"}}}}});
}

TEST_CASE("turn_down: a tool call fails in its own form, the rest is answered", "[mcp]") {
  Peer peer;
  const Error busy{ErrorCode::ResourceExhausted, "busy"};
  const auto turn_down = [&](const std::string& text) {
    auto message = read_message(test::parsed(text));
    const auto request = std::get<Request>(std::get<Message>(std::move(message)));
    const auto session = std::make_shared<Session>(*peer.revision);
    return test::parsed(test::answer(peer.server, request, session, &busy).text);
  };
  const Json content{
      {{"type", "text"},
       {"text", R"({"code":"resource_exhausted","message":"busy","retryable":true})"}}};
  CHECK(turn_down(test::request(1, "tools/call", {{"name", "echo"}}))["result"] ==
        Json{{"isError", true}, {"content", content}});
  const Json modern = turn_down(test::modern(1, "tools/call", {{"name", "echo"}}))["result"];
  CHECK(modern["resultType"] == "complete");
  CHECK(modern["content"] == content);
  CHECK(turn_down(test::request(1, "ping"))["result"] == Json::object());
  const Json meta{{"io.modelcontextprotocol/protocolVersion", "x"}};
  CHECK(turn_down(test::request(1, "tools/call",
                                {{"name", "echo"}, {"_meta", meta}}))["error"]["code"] == -32022);
}

}  // namespace
}  // namespace quiver::mcp
