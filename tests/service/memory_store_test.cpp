#include <functional>
#include <string>
#include <vector>

#include "world.h"

namespace quiver::service {
namespace {

Json items(const std::vector<std::string>& texts) {
  Json list = Json::array();
  for (const auto& text : texts) list.push_back({{"text", text}});
  return {{"items", list}};
}

Json stored(World& world, const Json& id) {
  return world.ok("memory_get", {{"ids", {id}}, {"response_format", "detailed"}})["items"].at(0);
}

TEST_CASE("memory_store: long ids are not repeated to who gave them", "[service]") {
  World world;
  Json given = Json::array();
  for (int i = 0; i < 100; ++i) {
    given.push_back({{"id", std::to_string(i) + std::string(500, 'i')}, {"text", "cat"}});
  }
  given.push_back({{"text", "dog"}});
  const auto reply = world.ok("memory_store", {{"items", given}});
  CHECK(reply["stored"] == 101);
  CHECK(reply["given_ids_omitted"] == true);
  REQUIRE(reply["ids"].size() == 1);
  CHECK(world.ok("memory_get", {{"ids", reply["ids"]}})["items"][0]["text"] == "dog");
}

TEST_CASE("memory_store: the first call makes the default collection", "[service]") {
  World world;
  const auto reply = world.ok("memory_store", items({"a cat", "a dog"}));
  CHECK(reply["stored"] == 2);
  CHECK(reply["duplicates"] == 0);
  CHECK(reply["ids"].size() == 2);
  const auto& spec = world.collections.at("memory").spec();
  CHECK(spec.embedder == "words");
  CHECK(spec.dimension == 7);
  CHECK(spec.metric == Metric::Cosine);
  CHECK(world.embedder.calls == 1);
  CHECK(world.embedder.last_purpose == embedding::Purpose::Document);
}

TEST_CASE("memory_store: an id is made from the text, the same on every machine", "[service]") {
  World world;
  // xxHash64 of "a cat", five bits at a time from the lowest.
  const auto id = world.ok("memory_store", items({"a cat"}))["ids"][0].get<std::string>();
  CHECK(id.size() == 13);
  CHECK(id.find_first_not_of("0123456789abcdefghjkmnpqrstvwxyz") == std::string::npos);
  World other;
  CHECK(other.ok("memory_store", items({"a dog", "a cat"}))["ids"][1] == id);
}

TEST_CASE("memory_store: identical text without id is stored once", "[service]") {
  World world;
  const auto first = world.ok("memory_store", items({"a cat"}));
  world.clock.advance_ms(1000);
  const auto again = world.ok("memory_store", items({"a cat", "a dog", "a dog"}));
  CHECK(again["stored"] == 1);
  CHECK(again["duplicates"] == 2);
  CHECK(again["ids"][0] == first["ids"][0]);
  CHECK(again["ids"][1] == again["ids"][2]);
  CHECK(stored(world, first["ids"][0])["created_at"] == "2023-11-14T22:13:20Z");
  // Nothing is embedded for what is there.
  CHECK(world.embedder.embedded == 2);
  world.ok("memory_store", items({"a cat"}));
  CHECK(world.embedder.calls == 2);
}

TEST_CASE("memory_store: metadata given again is merged and told", "[service]") {
  World world;
  const auto store = [&](const Json& metadata) {
    auto reply =
        world.ok("memory_store", {{"items", {{{"text", "a cat"}, {"metadata", metadata}}}}});
    CHECK(reply["stored"].get<int>() + reply["updated"].get<int>() +
              reply["duplicates"].get<int>() ==
          1);
    return reply;
  };
  const auto id = store({{"n", 1}, {"lang", "de"}})["ids"][0];
  world.clock.advance_ms(1000);
  CHECK(store({{"n", 1}})["duplicates"] == 1);
  CHECK(store(Json::object())["duplicates"] == 1);
  CHECK(store({{"n", 2}, {"tag", "x"}})["updated"] == 1);
  CHECK(stored(world, id)["metadata"] == Json{{"n", 2}, {"lang", "de"}, {"tag", "x"}});
  CHECK(stored(world, id)["created_at"] == "2023-11-14T22:13:20Z");
  CHECK(world.ok("memory_search", {{"query", "cat"}})["hits"].size() == 1);
}

TEST_CASE("memory_store: the same text again without metadata wipes nothing", "[service]") {
  World world;
  Json request{{"items", {{{"text", "a cat"}, {"metadata", {{"n", 1}}}}}}, {"ttl_seconds", 60}};
  const auto id = world.ok("memory_store", request)["ids"][0];
  const auto before = stored(world, id);
  CHECK(world.ok("memory_store", items({"a cat"})) ==
        Json{{"stored", 0}, {"updated", 0}, {"duplicates", 1}, {"ids", {id}}});
  CHECK(stored(world, id) == before);
}

TEST_CASE("memory_store: the same text in a call with different metadata is refused", "[service]") {
  World world;
  const auto refused = [&](const Json& list) {
    return world.refused("memory_store", {{"items", list}}).message;
  };
  const Json one{{"text", "a cat"}, {"metadata", {{"n", 1}}}};
  const Json two{{"text", "a cat"}, {"metadata", {{"n", 2}}}};
  CHECK(
      refused({one, {{"text", "a dog"}}, two, {{"text", "a cat"}}}) ==
      "items[2]: its text is also that of items[0], with other metadata: give one of them, or ids "
      "to keep both; items[3]: its text is also that of items[0], with other metadata: give one "
      "of them, or ids to keep both");
  CHECK_FALSE(world.collections.has("memory"));
  const auto reply = world.ok("memory_store", {{"items", {one, one}}});
  CHECK(reply["stored"] == 1);
  CHECK(reply["duplicates"] == 1);
  auto named = two;
  named["id"] = 7;
  CHECK(world.ok("memory_store", {{"items", {one, named}}})["stored"] == 1);
}

TEST_CASE("memory_store: an id that is given is overwritten", "[service]") {
  World world;
  world.ok("memory_store", {{"items", {{{"text", "a cat"}, {"id", "pet"}}}}});
  const auto reply =
      world.ok("memory_store",
               {{"items", {{{"text", "a dog"}, {"id", "pet"}}, {{"text", "a fish"}, {"id", 7}}}}});
  CHECK(reply == Json{{"stored", 2}, {"ids", {"pet", 7}}, {"updated", 0}, {"duplicates", 0}});
  CHECK(stored(world, "pet")["text"] == "a dog");
}

TEST_CASE("memory_store: an id cannot be given twice in a call", "[service]") {
  World world;
  const auto error = world.refused(
      "memory_store", {{"items", {{{"text", "a"}, {"id", "x"}}, {{"text", "b"}, {"id", "x"}}}}});
  CHECK(error.code == ErrorCode::InvalidArgument);
  CHECK(error.message == "items[1].id: \"x\" is also the id of items[0]");
  CHECK_FALSE(world.collections.has("memory"));
}

TEST_CASE("memory_store: a text does not take the place of a better wording", "[service]") {
  World world;
  const auto id = world.ok("memory_store", items({"a cat"}))["ids"][0];
  world.ok("memory_store", {{"items", {{{"text", "a big cat"}, {"id", id}}}}});
  const auto again = world.ok("memory_store", items({"a cat"}));
  CHECK(again["stored"] == 1);
  CHECK(again["ids"][0] != id);
  CHECK(stored(world, id)["text"] == "a big cat");
  // From then on it is known by its second id.
  CHECK(world.ok("memory_store", items({"a cat"})) ==
        Json{{"stored", 0}, {"ids", again["ids"]}, {"updated", 0}, {"duplicates", 1}});
}

TEST_CASE("memory_store: an id given in the call is not made from a text again", "[service]") {
  World probe;
  const auto id = probe.ok("memory_store", items({"a cat"}))["ids"][0];
  World world;
  const auto reply =
      world.ok("memory_store", {{"items", {{{"text", "a dog"}, {"id", id}}, {{"text", "a cat"}}}}});
  CHECK(reply["stored"] == 2);
  CHECK(reply["ids"][0] == id);
  CHECK(reply["ids"][1] != id);
}

TEST_CASE("memory_store: gives up when all ids of a text are taken", "[service]") {
  World world;
  for (int i = 0; i < 8; ++i) {
    const auto id = world.ok("memory_store", items({"a cat"}))["ids"][0];
    world.ok("memory_store", {{"items", {{{"text", "no " + std::to_string(i)}, {"id", id}}}}});
  }
  const auto error = world.refused("memory_store", items({"a cat"}));
  CHECK(error.code == ErrorCode::FailedPrecondition);
  CHECK(error.message ==
        "items: the ids made from a text are all taken by other texts; give an id");
}

TEST_CASE("memory_store: what has a time to live is forgotten", "[service]") {
  World world;
  auto request = items({"a cat"});
  request["ttl_seconds"] = 60;
  const auto id = world.ok("memory_store", request)["ids"][0];
  CHECK(stored(world, id)["expires_at"] == "2023-11-14T22:14:20Z");
  world.clock.advance_ms(59'999);
  CHECK(world.ok("memory_search", {{"query", "cat"}})["hits"].size() == 1);
  world.clock.advance_ms(1);
  CHECK(world.ok("memory_search", {{"query", "cat"}})["hits"].empty());
  CHECK(world.ok("memory_get", {{"ids", {id}}})["missing"] == Json::array({id}));
}

TEST_CASE("memory_store: a time to live is renewed by another, and kept otherwise", "[service]") {
  World world;
  auto request = items({"a cat"});
  request["items"][0]["metadata"] = {{"n", 1}};
  request["ttl_seconds"] = 60;
  const auto id = world.ok("memory_store", request)["ids"][0];
  world.clock.advance_ms(30'000);
  auto renewed = items({"a cat"});
  renewed["ttl_seconds"] = 60;
  CHECK(world.ok("memory_store", renewed)["updated"] == 1);
  CHECK(stored(world, id)["expires_at"] == "2023-11-14T22:14:50Z");
  CHECK(stored(world, id)["metadata"] == Json{{"n", 1}});
  auto more = items({"a cat"});
  more["items"][0]["metadata"] = {{"m", 2}};
  CHECK(world.ok("memory_store", more)["updated"] == 1);
  CHECK(stored(world, id)["expires_at"] == "2023-11-14T22:14:50Z");
  world.clock.advance_ms(60'000);
  CHECK(world.ok("memory_store", items({"a cat"}))["stored"] == 1);
  CHECK_FALSE(stored(world, id).contains("expires_at"));
  CHECK_FALSE(stored(world, id).contains("metadata"));
}

TEST_CASE("memory_store: bounds", "[service]") {
  World world;
  CHECK(world.refused("memory_store", {{"items", Json::array()}}).message ==
        "items: must have 1 to 256 items, got 0");
  CHECK(world.refused("memory_store", items(std::vector<std::string>(257, "x"))).message ==
        "items: must have 1 to 256 items, got 257");
  CHECK(world.refused("memory_store", items({"a", ""})).message ==
        "items[1].text: must have 1 to 65536 bytes, got 0");
  CHECK(world.refused("memory_store", items({std::string(65537, 'x')})).message ==
        "items[0].text: must have 1 to 65536 bytes, got 65537");
  auto request = items({"a"});
  request["ttl_seconds"] = 0;
  CHECK(world.refused("memory_store", request).message ==
        "ttl_seconds: must be between 1 and 315360000, got 0");
  CHECK(world.refused("memory_store", {{"items", {{{"content", "a"}}}}}).message ==
        "items[0].text: required; "
        "items[0].content: unknown field; did you mean text? (fields: text, id, metadata)");
  CHECK_FALSE(world.collections.has("memory"));
}

TEST_CASE("memory_store: a text that cannot be embedded changes nothing", "[service]") {
  World world;
  world.embedder.fail = Error{ErrorCode::FailedPrecondition, "the model's files are missing"};
  CHECK(world.refused("memory_store", items({"a"})).message == "the model's files are missing");
  CHECK_FALSE(world.collections.has("memory"));
  world.embedder.fail.reset();
  world.embedder.drop_one = true;
  CHECK(world.refused("memory_store", items({"a"})).code == ErrorCode::Internal);
}

TEST_CASE("memory_store: an error about a text names the item that it came with", "[service]") {
  World world;
  world.ok("memory_store", items({"a"}));
  // Stored already, and so not embedded: the second item is the first text.
  const auto request = items({"a", "b", "c"});
  const auto refused_with = [&](const std::string& message) {
    world.embedder.fail = Error{ErrorCode::InvalidArgument, message};
    return world.refused("memory_store", request).message;
  };
  CHECK(refused_with("texts[0]: holds no word") == "items[1].text: holds no word");
  CHECK(refused_with("texts[1]: holds no word") == "items[2].text: holds no word");
  for (const std::string other : {"texts[2]: none", "texts[", "texts[1", "texts: x", "texts[x]"}) {
    CHECK(refused_with(other) == other);
  }
  world.embedder.fail = Error{ErrorCode::InvalidArgument, "texts[0]: holds no word"};
  CHECK(world.refused("memory_search", {{"query", "a"}}).message == "query: holds no word");
}

TEST_CASE("memory_store: errors of the collection come through", "[service]") {
  World world;
  world.ok("memory_store", items({"a"}));
  world.collections.at("memory").fail = Error{ErrorCode::Unavailable, "shard 0 is away"};
  CHECK(world.refused("memory_store", items({"b"})).code == ErrorCode::Unavailable);
  CHECK(world.refused("memory_store", {{"items", {{{"text", "b"}, {"id", 1}}}}}).code ==
        ErrorCode::Unavailable);
}

TEST_CASE("memory_store: a collection that is named must be there", "[service]") {
  World world;
  auto request = items({"a"});
  request["collection"] = "notes";
  CHECK(world.refused("memory_store", request).code == ErrorCode::NotFound);
}

TEST_CASE("memory_store: a request is carried out once", "[service]") {
  World world;
  world.ok("memory_store", items({"a dog"}));
  world.call.request_id = RequestId::random();
  const Json request = {{"items", {{{"text", "a cat"}, {"id", 1}}}}};
  world.ok("memory_store", request);
  const auto repeat = world.call;
  world.call = {};
  world.ok("memory_store", {{"items", {{{"text", "a fish"}, {"id", 1}}}}});
  world.call = repeat;
  CHECK(world.ok("memory_store", request)["ids"] == Json{1});
  CHECK(stored(world, 1)["text"] == "a fish");
}

Json told(const std::string& text, const Json& metadata) {
  return {{"items", {{{"text", text}, {"metadata", metadata}}}}};
}

TEST_CASE("memory_store: what others write meanwhile is merged into, not lost", "[service]") {
  World world;
  const auto id = world.ok("memory_store", told("a cat", {{"n", 1}}))["ids"][0];
  auto& collection = world.collections.at("memory");

  collection.before_upsert_if = [&] { world.ok("memory_store", told("a cat", {{"theirs", 1}})); };
  const auto reply = world.ok("memory_store", told("a cat", {{"ours", 1}}));
  CHECK(reply["updated"] == 1);
  CHECK(stored(world, id)["metadata"] == Json{{"n", 1}, {"theirs", 1}, {"ours", 1}});
  // Each call embeds its text once, however often it tries.
  CHECK(world.embedder.embedded == 3);

  collection.before_upsert_if = [&] { world.ok("memory_store", told("a cat", {{"same", 1}})); };
  CHECK(world.ok("memory_store", told("a cat", {{"same", 1}}))["duplicates"] == 1);

  collection.before_upsert_if = [&] { world.ok("memory_store", told("a dog", {{"theirs", 1}})); };
  const auto second = world.ok("memory_store", told("a dog", {{"ours", 1}}));
  CHECK(second["stored"] == 0);
  CHECK(second["updated"] == 1);
  CHECK(stored(world, second["ids"][0])["metadata"] == Json{{"theirs", 1}, {"ours", 1}});
}

TEST_CASE("memory_store: the first stores of a text at once are one store", "[service]") {
  World world;
  world.ok("memory_store", items({"a fish"}));
  auto& collection = world.collections.at("memory");
  Json inner;
  collection.before_upsert_if = [&] { inner = world.ok("memory_store", items({"a cat"})); };
  const auto outer = world.ok("memory_store", items({"a cat", "a dog"}));
  CHECK(inner["stored"] == 1);
  CHECK(outer["stored"] == 1);
  CHECK(outer["duplicates"] == 1);
  CHECK(outer["ids"][0] == inner["ids"][0]);
  CHECK(stored(world, outer["ids"][1])["text"] == "a dog");
}

TEST_CASE("memory_store: what is deleted meanwhile does not come back", "[service]") {
  World world;
  const auto id = world.ok("memory_store", told("a cat", {{"old", 1}}))["ids"][0];
  world.collections.at("memory").before_upsert_if = [&] {
    world.ok("memory_delete", {{"ids", {id}}});
  };
  const auto reply = world.ok("memory_store", told("a cat", {{"new", 1}}));
  CHECK(reply["stored"] == 1);
  CHECK(reply["updated"] == 0);
  CHECK(stored(world, id)["metadata"] == Json{{"new", 1}});
}

TEST_CASE("memory_store: a correction that comes meanwhile stays", "[service]") {
  World world;
  const auto id = world.ok("memory_store", told("a cat", {{"n", 1}}))["ids"][0];
  world.collections.at("memory").before_upsert_if = [&] {
    world.ok("memory_store", {{"items", {{{"text", "two cats"}, {"id", id}}}}});
  };
  const auto reply = world.ok("memory_store", told("a cat", {{"m", 1}}));
  CHECK(reply["stored"] == 1);
  CHECK(reply["ids"][0] != id);
  CHECK(stored(world, id)["text"] == "two cats");
  CHECK(stored(world, reply["ids"][0])["metadata"] == Json{{"m", 1}});
}

TEST_CASE("memory_store: items that come with an id are written with those beside them",
          "[service]") {
  World world;
  world.ok("memory_store", told("a cat", {{"n", 1}}));
  auto& collection = world.collections.at("memory");
  collection.before_upsert_if = [&] { world.ok("memory_store", told("a cat", {{"m", 1}})); };
  const auto reply = world.ok(
      "memory_store",
      {{"items",
        {{{"text", "a dog"}, {"id", "pet"}}, {{"text", "a cat"}, {"metadata", {{"k", 1}}}}}}});
  CHECK(reply["stored"] == 1);
  CHECK(reply["updated"] == 1);
  CHECK(stored(world, "pet")["text"] == "a dog");
  CHECK(stored(world, reply["ids"][1])["metadata"] == Json{{"n", 1}, {"m", 1}, {"k", 1}});
}

TEST_CASE("memory_store: whoever is always overtaken ends with the call's time", "[service]") {
  World world;
  world.ok("memory_store", told("a cat", {{"n", 0}}));
  auto& collection = world.collections.at("memory");
  int rounds = 0;
  const auto cancel = CancelToken::make();
  std::function<void()> overtake = [&] {
    world.call.cancel = CancelToken();
    world.ok("memory_store", told("a cat", {{"n", ++rounds}}));
    world.call.cancel = cancel;
    if (rounds == 5) cancel.cancel();
    collection.before_upsert_if = overtake;
  };
  collection.before_upsert_if = overtake;
  world.call.cancel = cancel;
  CHECK(world.refused("memory_store", told("a cat", {{"ours", 1}})).code ==
        ErrorCode::DeadlineExceeded);
  CHECK(rounds == 5);
}

/// Also of what is too large to be shown.
Json payload_of(World& world, const Json& id) {
  const auto points = world.collections.at("memory").get({}, {*PointId::from_json(id)}, {});
  REQUIRE(points.ok());
  return points->at(0).payload;
}

TEST_CASE("memory_store: merging keeps to the bound of metadata", "[service]") {
  World world;
  const std::string large(60'000, 'x');
  const auto id = world.ok("memory_store", told("a cat", {{"a", large}}))["ids"][0];
  const auto error = world.refused(
      "memory_store",
      {{"items", {{{"text", "a dog"}}, {{"text", "a cat"}, {"metadata", {{"b", large}}}}}}});
  CHECK(error.code == ErrorCode::InvalidArgument);
  // {"a":"x...","b":"x..."}: 15 characters beside the two texts.
  CHECK(error.message ==
        "items[1].metadata: with what is stored with this text already it would be 120015 bytes "
        "as compact JSON; at most 65536, so give an id to replace it");
  CHECK((payload_of(world, id) == Json{{"a", large}}));
  CHECK(world.ok("memory_search", {{"query", "dog"}})["hits"].size() == 1);
  // Replacing a field with a shorter one is no growth.
  CHECK(world.ok("memory_store", told("a cat", {{"a", "short"}}))["updated"] == 1);
}

TEST_CASE("memory_store: the bound of metadata holds for what others merge meanwhile",
          "[service]") {
  World world;
  const std::string large(40'000, 'x');
  const auto id = world.ok("memory_store", items({"a cat"}))["ids"][0];
  world.collections.at("memory").before_upsert_if = [&] {
    world.ok("memory_store", told("a cat", {{"theirs", large}}));
  };
  CHECK(world.refused("memory_store", told("a cat", {{"ours", large}})).code ==
        ErrorCode::InvalidArgument);
  CHECK((payload_of(world, id) == Json{{"theirs", large}}));
}

}  // namespace
}  // namespace quiver::service
