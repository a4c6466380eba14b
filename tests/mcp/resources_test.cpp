// The resources methods, capabilities and logging/setLevel under every revision. Expected fields
// are from the schema.ts of each revision (modelcontextprotocol.io).

#include <string>

#include <catch2/catch.hpp>

#include "features.h"
#include "support.h"

namespace quiver::mcp {
namespace {

using test::Featured;
using test::keys_of;
using Keys = std::set<std::string>;

void check_cacheable(const Json& result, const std::string& version, const char* scope, int ttl) {
  if (version == "2026-07-28") {
    CHECK(result["ttlMs"] == ttl);
    CHECK(result["cacheScope"] == scope);
    CHECK(result["resultType"] == "complete");
  } else {
    for (const char* key : {"ttlMs", "cacheScope", "resultType", "_meta"}) {
      CHECK_FALSE(result.contains(key));
    }
  }
}

TEST_CASE("resources/list: pages, with the fields that each revision has", "[mcp]") {
  Featured peer;
  for (const Revision& revision : kRevisions) {
    const std::string version(revision.version);
    INFO(version);
    const Json first = peer.ask(version, "resources/list")["result"];
    check_cacheable(first, version, "private", 1000);
    CHECK(first["nextCursor"] == "two");
    REQUIRE(first["resources"].size() == 1);
    const Json& full = first["resources"][0];
    Keys fields{"uri", "name", "description", "mimeType", "size", "annotations"};
    if (version >= "2025-06-18") fields.insert({"title", "_meta"});
    if (version >= "2025-11-25") fields.insert("icons");
    CHECK(keys_of(full) == fields);
    CHECK(full["annotations"].contains("lastModified") == (version >= "2025-06-18"));
    const Json second = peer.ask(version, "resources/list", {{"cursor", "two"}})["result"];
    check_cacheable(second, version, "private", 1000);
    CHECK_FALSE(second.contains("nextCursor"));
    CHECK(second["resources"] == Json::array({{{"uri", "test://plain"}, {"name", "plain"}}}));
    for (const Json& cursor : {Json("three"), Json(""), Json(2), Json(nullptr)}) {
      CHECK(peer.ask(version, "resources/list", {{"cursor", cursor}})["error"]["code"] == -32602);
    }
  }
}

TEST_CASE("resources/templates/list: the fields that each revision has", "[mcp]") {
  Featured peer;
  for (const Revision& revision : kRevisions) {
    const std::string version(revision.version);
    INFO(version);
    const Json result = peer.ask(version, "resources/templates/list")["result"];
    check_cacheable(result, version, "public", 300'000);
    REQUIRE(result["resourceTemplates"].size() == 1);
    Keys fields{"uriTemplate", "name", "description", "mimeType"};
    if (version >= "2025-06-18") fields.insert("title");
    if (version >= "2025-11-25") fields.insert("icons");
    CHECK(keys_of(result["resourceTemplates"][0]) == fields);
    CHECK(peer.ask(version, "resources/templates/list", {{"cursor", "x"}})["error"]["code"] ==
          -32602);
  }
}

TEST_CASE("resources/read: contents, or the error of the revision", "[mcp]") {
  Featured peer;
  for (const Revision& revision : kRevisions) {
    const std::string version(revision.version);
    INFO(version);
    const Json result = peer.ask(version, "resources/read", {{"uri", "test://full"}})["result"];
    check_cacheable(result, version, "private", 1000);
    REQUIRE(result["contents"].size() == 1);
    Keys fields{"uri", "mimeType", "text"};
    if (version >= "2025-06-18") fields.insert("_meta");
    CHECK(keys_of(result["contents"][0]) == fields);
    // Nothing there, and nothing in it, are the same to a client.
    for (const char* uri : {"test://none", "test://empty"}) {
      const Json error = peer.ask(version, "resources/read", {{"uri", uri}})["error"];
      CHECK(error["code"] == (version == "2026-07-28" ? -32602 : -32002));
      CHECK(error["data"] == Json{{"uri", uri}});
    }
    CHECK(peer.ask(version, "resources/read", {{"uri", "test://busy"}})["error"] ==
          Json{{"code", -32603}, {"message", "not now"}});
    for (const Json& params : {Json::object(), Json{{"uri", 1}}, Json{{"uri", ""}},
                               Json{{"uri", std::string(2049, 'x')}}}) {
      const Json error = peer.ask(version, "resources/read", params)["error"];
      CHECK(error["code"] == -32602);
      CHECK_FALSE(error.contains("data"));
    }
  }
}

TEST_CASE("resources/subscribe: of legacy revisions alone", "[mcp]") {
  Featured peer;
  const Json reply = peer.ask("2025-06-18", "resources/subscribe", {{"uri", "test://full"}});
  CHECK(reply["result"] == Json::object());
  CHECK(peer.hub->watched() == std::vector<std::string>{"test://full"});
  // Twice is once.
  CHECK(peer.ask("2025-06-18", "resources/subscribe", {{"uri", "test://full"}})["result"] ==
        Json::object());
  const Json refused = peer.ask("2025-06-18", "resources/subscribe", {{"uri", "test://plain"}});
  CHECK(refused["error"]["code"] == -32002);
  CHECK(refused["error"]["data"]["uri"] == "test://plain");
  CHECK(peer.ask("2025-06-18", "resources/subscribe")["error"]["code"] == -32602);
  CHECK(peer.ask("2025-06-18", "resources/unsubscribe", {{"uri", "test://full"}})["result"] ==
        Json::object());
  CHECK(peer.hub->watched().empty());
  CHECK(peer.ask("2025-06-18", "resources/unsubscribe", {{"uri", "test://full"}})["result"] ==
        Json::object());
  for (const char* method : {"resources/subscribe", "resources/unsubscribe"}) {
    CHECK(peer.ask("2026-07-28", method, {{"uri", "test://full"}})["error"]["code"] == -32601);
  }
}

TEST_CASE("resources/subscribe: bounded for one client", "[mcp]") {
  Featured peer;
  for (int i = 0; i < 256; ++i) {
    const std::string uri = "test://" + std::to_string(i);
    REQUIRE(peer.ask("2025-11-25", "resources/subscribe", {{"uri", uri}}).contains("result"));
  }
  const Json error = peer.ask("2025-11-25", "resources/subscribe", {{"uri", "test://x"}})["error"];
  CHECK(error["code"] == -32603);
  CHECK(error["data"]["code"] == "resource_exhausted");
  CHECK(peer.hub->watched().size() == 256);
  // A client that goes takes its subscriptions along.
  peer.session = std::make_shared<Session>();
  CHECK(peer.hub->watched().empty());
}

TEST_CASE("capabilities: what is offered, by revision", "[mcp]") {
  const Json changing{{"listChanged", true}};
  for (const Revision& revision : kRevisions) {
    const std::string version(revision.version);
    INFO(version);
    Featured peer;
    const Json asked{{"protocolVersion", version}, {"capabilities", Json::object()}};
    const Json result = version == "2026-07-28" ? peer.ask(version, "server/discover")["result"]
                                                : peer.ask(version, "initialize", asked)["result"];
    Json expected{{"tools", changing},
                  {"prompts", changing},
                  {"resources", {{"listChanged", true}, {"subscribe", true}}},
                  {"logging", Json::object()},
                  {"completions", Json::object()}};
    if (version == "2024-11-05") expected.erase("completions");
    CHECK(result["capabilities"] == expected);
  }
  // Where nothing changes, nothing is promised.
  Featured still(test::featured_offer(nullptr));
  CHECK(still.ask("2026-07-28", "server/discover")["result"]["capabilities"]["resources"] ==
        Json::object());
  CHECK(still.ask("2026-07-28", "subscriptions/listen")["error"]["code"] == -32601);
  CHECK(still.ask("2025-11-25", "resources/subscribe")["error"]["code"] == -32601);
}

TEST_CASE("logging/setLevel: of legacy revisions alone, and it is kept", "[mcp]") {
  Featured peer;
  CHECK(peer.ask("2025-11-25", "logging/setLevel", {{"level", "debug"}})["result"] ==
        Json::object());
  CHECK(peer.session->log_level() == LogLevel::Debug);
  CHECK(peer.ask("2024-11-05", "logging/setLevel", {{"level", "emergency"}})["result"] ==
        Json::object());
  CHECK(peer.session->log_level() == LogLevel::Emergency);
  for (const Json& params : {Json::object(), Json{{"level", "loud"}}, Json{{"level", 3}}}) {
    const Json error = peer.ask("2025-11-25", "logging/setLevel", params)["error"];
    CHECK(error["code"] == -32602);
    CHECK(error["message"] ==
          "params.level: must be one of debug, info, notice, warning, error, critical, alert, "
          "emergency");
  }
  CHECK(peer.session->log_level() == LogLevel::Emergency);
  CHECK(peer.ask("2026-07-28", "logging/setLevel", {{"level", "debug"}})["error"]["code"] ==
        -32601);
}

}  // namespace
}  // namespace quiver::mcp
