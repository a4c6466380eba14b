// prompts/list and prompts/get under every revision. Expected fields are from the schema.ts of each
// revision (modelcontextprotocol.io).

#include <string>

#include <catch2/catch.hpp>

#include "features.h"

namespace quiver::mcp {
namespace {

using test::Featured;
using test::keys_of;
using Keys = std::set<std::string>;

TEST_CASE("prompts/list: the fields that each revision has", "[mcp]") {
  Featured peer;
  for (const Revision& revision : kRevisions) {
    const std::string version(revision.version);
    INFO(version);
    const Json result = peer.ask(version, "prompts/list")["result"];
    Keys fields{"prompts"};
    if (version == "2026-07-28") fields.insert({"resultType", "_meta", "ttlMs", "cacheScope"});
    CHECK(keys_of(result) == fields);
    REQUIRE(result["prompts"].size() == 4);
    const Json& greet = result["prompts"][0];
    Keys of_prompt{"name", "description", "arguments"};
    if (version >= "2025-06-18") of_prompt.insert("title");
    CHECK(keys_of(greet) == of_prompt);
    CHECK(greet["arguments"] ==
          Json::array({{{"name", "who"}, {"description", "Whom to greet"}, {"required", true}},
                       {{"name", "tone"}, {"description", "How"}, {"required", false}}}));
    CHECK(keys_of(result["prompts"][1]) == Keys{"name", "description"});
    CHECK(peer.ask(version, "prompts/list", {{"cursor", "x"}})["error"]["code"] == -32602);
  }
  const Json modern = peer.ask("2026-07-28", "prompts/list")["result"];
  CHECK(modern["ttlMs"] == 300'000);
  CHECK(modern["cacheScope"] == "public");
  CHECK(modern["resultType"] == "complete");
}

TEST_CASE("prompts/get: messages, with the content that each revision has", "[mcp]") {
  Featured peer;
  const Json params{{"name", "greet"}, {"arguments", {{"who", "Ann"}}}};
  for (const Revision& revision : kRevisions) {
    const std::string version(revision.version);
    INFO(version);
    const Json result = peer.ask(version, "prompts/get", params)["result"];
    Keys fields{"description", "messages"};
    if (version == "2026-07-28") fields.insert({"resultType", "_meta"});
    CHECK(keys_of(result) == fields);
    CHECK(result["description"] == "A greeting");
    const Json& messages = result["messages"];
    REQUIRE(messages.size() == 3);
    CHECK(messages[0] ==
          Json{{"role", "user"}, {"content", {{"type", "text"}, {"text", "Hello, Ann"}}}});
    const Json& audio = messages[1]["content"];
    CHECK(audio["type"] == (version == "2024-11-05" ? "text" : "audio"));
    const Json& link = messages[2]["content"];
    if (version < "2025-06-18") {
      CHECK(link == Json{{"type", "text"}, {"text", "full: test://full"}});
    } else {
      CHECK(link["type"] == "resource_link");
      CHECK(link.contains("icons") == (version >= "2025-11-25"));
    }
  }
}

TEST_CASE("prompts/get: everything that is wrong is named at once", "[mcp]") {
  Featured peer;
  const auto error = [&](Json params) {
    const Json reply = peer.ask("2025-11-25", "prompts/get", std::move(params));
    CHECK(reply["error"]["code"] == -32602);
    return reply["error"].value("message", "");
  };
  CHECK(error(Json::object()) == "params.name: required");
  CHECK(error({{"name", 7}}) == "params.name: must be a string of 1 to 256 bytes");
  CHECK(error({{"name", "greed"}}) ==
        "unknown prompt \"greed\": there are greet, broken, asks, throws");
  CHECK(error({{"name", "greet"}, {"arguments", {1}}}) == "params.arguments: must be an object");
  CHECK(error({{"name", "greet"}, {"arguments", {{"who", 1}}}}) ==
        "params.arguments: \"who\" must be a string");
  CHECK(error({{"name", "greet"}}) ==
        "params.arguments: \"who\" is required; greet takes the arguments who, tone");
  CHECK(error({{"name", "greet"}, {"arguments", {{"whom", "A"}, {"x", "B"}}}}) ==
        "params.arguments: \"who\" is required; \"whom\" is unknown; \"x\" is unknown; greet takes "
        "the arguments who, tone");
  CHECK(error({{"name", "broken"}, {"arguments", {{"x", "1"}}}}) ==
        "params.arguments: \"x\" is unknown; broken takes no arguments");
  CHECK(error({{"name", "broken"}}) == "collection \"docz\" not found");
}

TEST_CASE("prompts/get: may ask the client first", "[mcp]") {
  Featured peer;
  Json params{
      {"name", "asks"},
      {"_meta",
       {{"io.modelcontextprotocol/clientCapabilities", {{"elicitation", Json::object()}}}}}};
  const Json asked = peer.ask("2026-07-28", "prompts/get", params)["result"];
  CHECK(asked["resultType"] == "input_required");
  CHECK(asked["inputRequests"]["context"]["method"] == "elicitation/create");
  CHECK(asked["inputRequests"]["context"]["params"]["message"] == "Which?");
  const Json answer{{"action", "accept"}, {"content", {{"c", "x"}}}};
  params["inputResponses"] = {{"context", answer}};
  if (asked.contains("requestState")) params["requestState"] = asked["requestState"];
  const Json result = peer.ask("2026-07-28", "prompts/get", params)["result"];
  CHECK(result["resultType"] == "complete");
  CHECK(result["messages"][0]["content"]["text"] == answer.dump());
  // Of a client that cannot be asked, it asks nothing.
  CHECK(peer.ask("2026-07-28", "prompts/get", {{"name", "asks"}})["error"]["code"] == -32021);
  CHECK(peer.ask("2025-11-25", "prompts/get", {{"name", "asks"}})["error"]["code"] == -32603);
}

TEST_CASE("prompts/get: one that throws is an error of its request alone", "[mcp]") {
  Featured peer;
  CHECK(peer.ask("2025-11-25", "prompts/get", {{"name", "throws"}})["error"] ==
        Json{{"code", -32603}, {"message", "the server failed to answer"}});
  CHECK(peer.ask("2025-11-25", "prompts/list").contains("result"));
}

TEST_CASE("prompts: without any, the methods are not there", "[mcp]") {
  Offer offer = test::featured_offer();
  offer.prompts.clear();
  Featured peer(std::move(offer));
  for (const char* version : {"2025-11-25", "2026-07-28"}) {
    CHECK(peer.ask(version, "prompts/list")["error"]["code"] == -32601);
    CHECK(peer.ask(version, "prompts/get", {{"name", "greet"}})["error"]["code"] == -32601);
  }
  CHECK_FALSE(
      peer.ask("2026-07-28", "server/discover")["result"]["capabilities"].contains("prompts"));
}

}  // namespace
}  // namespace quiver::mcp
