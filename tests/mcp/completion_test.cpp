// completion/complete under every revision (schema.ts, CompleteRequest and CompleteResult).

#include <string>

#include <catch2/catch.hpp>

#include "features.h"

namespace quiver::mcp {
namespace {

using test::Featured;
using test::keys_of;

Json of_prompt(const std::string& value, const std::string& argument = "who") {
  return {{"ref", {{"type", "ref/prompt"}, {"name", "greet"}}},
          {"argument", {{"name", argument}, {"value", value}}}};
}

TEST_CASE("completion/complete: prompts and templates, in every revision", "[mcp]") {
  Featured peer;
  for (const Revision& revision : kRevisions) {
    const std::string version(revision.version);
    INFO(version);
    const Json result = peer.ask(version, "completion/complete", of_prompt("an"))["result"];
    CHECK(result.contains("resultType") == (version == "2026-07-28"));
    CHECK_FALSE(result.contains("ttlMs"));
    CHECK(result["completion"] ==
          Json{{"values", {"greet", "who", "an", "{}"}}, {"hasMore", false}});
    const Json with_context =
        peer.ask(version, "completion/complete",
                 {{"ref", {{"type", "ref/resource"}, {"uri", "test://items/{id}"}}},
                  {"argument", {{"name", "id"}, {"value", ""}}},
                  {"context", {{"arguments", {{"kind", "a"}}}}}})["result"];
    CHECK(with_context["completion"]["values"] ==
          Json{"test://items/{id}", "id", "", R"({"kind":"a"})"});
  }
}

TEST_CASE("completion/complete: at most 100 values, and whether there are more", "[mcp]") {
  Featured peer;
  const Json completion =
      peer.ask("2025-11-25", "completion/complete", of_prompt("many"))["result"]["completion"];
  CHECK(completion["values"].size() == 100);
  CHECK(completion["values"][99] == "v99");
  CHECK(completion["total"] == 150);
  CHECK(completion["hasMore"] == true);
}

TEST_CASE("completion/complete: what does not exist is named", "[mcp]") {
  Featured peer;
  const auto error = [&](Json params) {
    const Json reply = peer.ask("2026-07-28", "completion/complete", std::move(params));
    CHECK(reply["error"]["code"] == -32602);
    return reply["error"].value("message", "");
  };
  CHECK(error(Json::object()) == "params.ref: must be an object");
  CHECK(error({{"ref", {{"type", "ref/tool"}}}}) ==
        "params.ref.type: must be \"ref/prompt\" or \"ref/resource\", got \"ref/tool\"");
  CHECK(error({{"ref", {{"type", "ref/prompt"}}}}) ==
        "params.ref.name: must be a string of at most 256 bytes");
  Json params = of_prompt("a");
  params.erase("argument");
  CHECK(error(params) == "params.argument: must be an object");
  params["argument"] = {{"name", "who"}};
  CHECK(error(params) == "params.argument.value: must be a string of at most 8192 bytes");
  CHECK(error(of_prompt("a", "whom")) == "params.argument.name: greet has no argument \"whom\"");
  params = of_prompt("a");
  params["ref"]["name"] = "greed";
  CHECK(error(params) == "unknown prompt \"greed\": there are greet, broken, asks, throws");
  params["ref"] = {{"type", "ref/resource"}, {"uri", "test://things/{id}"}};
  CHECK(error(params).starts_with("params.ref.uri: unknown template"));
  params["ref"]["uri"] = "test://items/{id}";
  CHECK(error(params) == "params.argument.name: the template has no variable \"who\"");
  params = of_prompt("a");
  params["context"] = 1;
  CHECK(error(params) == "params.context: must be an object");
  params["context"] = {{"arguments", {{"tone", 1}}}};
  CHECK(error(params) == "params.context.arguments: must be an object of strings");
}

TEST_CASE("completion/complete: a failure of ours says whether to repeat", "[mcp]") {
  Featured peer;
  const Json error = peer.ask("2026-07-28", "completion/complete", of_prompt("fail"))["error"];
  CHECK(error == Json{{"code", -32603},
                      {"message", "the index is loading"},
                      {"data", {{"code", "unavailable"}, {"retryable", true}}}});
  Offer offer = test::featured_offer();
  offer.complete = nullptr;
  Featured without(std::move(offer));
  CHECK(without.ask("2026-07-28", "completion/complete", of_prompt("a"))["error"]["code"] ==
        -32601);
}

}  // namespace
}  // namespace quiver::mcp
