// memory_search, memory_get and memory_delete. The vectors of texts are counts of known words, so
// that scores can be worked out by hand.

#include <set>

#include "world.h"

namespace quiver::service {
namespace {

void store(World& world, const Json& id, const std::string& text, Json metadata = Json::object()) {
  world.ok("memory_store", {{"items", {{{"text", text}, {"id", id}, {"metadata", metadata}}}}});
}

std::vector<Json> ids_of(const Json& list) {
  std::vector<Json> ids;
  for (const auto& entry : list) ids.push_back(entry["id"]);
  return ids;
}

/// Points 0 to n-1, nearer to "cat" the lower their number.
void store_row(World& world, int n) {
  for (int i = 0; i < n; ++i) {
    std::string text = "cat cat cat cat cat";
    for (int dogs = 0; dogs < i; ++dogs) text += " dog";
    store(world, i, text, {{"even", i % 2 == 0}, {"n", i}});
  }
}

TEST_CASE("memory_search: nearest first, with what a reader needs", "[service]") {
  World world;
  store(world, "a", "a cat", {{"lang", "en"}});
  store(world, "b", "cat and dog");
  store(world, "c", "a fish");
  const auto reply = world.ok("memory_search", {{"query", "cat"}, {"limit", 2}});
  // cos((1,0), (1,1)/sqrt 2) = 0.7071.
  CHECK(reply["hits"] == Json{{{"id", "a"}, {"score", 1.0}, {"text", "a cat"}},
                              {{"id", "b"}, {"score", 0.707}, {"text", "cat and dog"}}});
  CHECK(reply.contains("next_cursor"));
  CHECK_FALSE(reply.contains("truncated"));
  CHECK(world.embedder.last_purpose == embedding::Purpose::Query);
}

TEST_CASE("memory_search: detailed adds metadata, times and the embedder", "[service]") {
  World world;
  world.ok("memory_store", {{"items", {{{"text", "a cat"}, {"id", "a"}, {"metadata", {{"n", 1}}}}}},
                            {"ttl_seconds", 60}});
  CHECK(world.ok("memory_search", {{"query", "cat"}, {"response_format", "detailed"}}) ==
        Json{{"hits",
              {{{"id", "a"},
                {"score", 1.0},
                {"text", "a cat"},
                {"metadata", {{"n", 1}}},
                {"created_at", "2023-11-14T22:13:20Z"},
                {"expires_at", "2023-11-14T22:14:20Z"}}}},
             {"embedder", "words"}});
}

TEST_CASE("memory_search: before the first memory there is nothing to find", "[service]") {
  World world;
  CHECK(world.ok("memory_search", {{"query", "cat"}}) == Json{{"hits", Json::array()}});
  CHECK(world.refused("memory_search", {{"query", "cat"}, {"collection", "notes"}}).code ==
        ErrorCode::NotFound);
  CHECK_FALSE(world.collections.has("memory"));
}

TEST_CASE("memory_search: filter and min_score narrow the hits", "[service]") {
  World world;
  store_row(world, 10);
  const auto even =
      world.ok("memory_search", {{"query", "cat"}, {"filter", {{"even", true}}}, {"limit", 3}});
  CHECK(ids_of(even["hits"]) == std::vector<Json>{0, 2, 4});
  // cos = 5 / sqrt(25 + n^2): 0.857 at 3, 0.781 at 4.
  const auto near = world.ok("memory_search", {{"query", "cat"}, {"min_score", 0.8}});
  CHECK(ids_of(near["hits"]) == std::vector<Json>{0, 1, 2, 3});
  CHECK_FALSE(near.contains("next_cursor"));
}

TEST_CASE("memory_search: pages neither repeat nor miss hits", "[service]") {
  World world;
  store_row(world, 23);
  std::vector<Json> seen;
  Json request = {{"query", "cat"}, {"limit", 5}};
  for (int page = 0; page < 5; ++page) {
    const auto reply = world.ok("memory_search", request);
    for (const auto& hit : reply["hits"]) {
      seen.push_back(hit["id"]);
      CHECK(hit.contains("text"));
    }
    CHECK(reply.contains("next_cursor") == (page < 4));
    if (reply.contains("next_cursor")) request["cursor"] = reply["next_cursor"];
  }
  REQUIRE(seen.size() == 23);
  for (int i = 0; i < 23; ++i) CHECK(seen[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("memory_search: pages hold among hits of the same score", "[service]") {
  World world;
  for (int i = 0; i < 7; ++i) store(world, i, "cat " + std::to_string(i));
  std::set<int> seen;
  Json request = {{"query", "cat"}, {"limit", 2}};
  for (int page = 0; page < 4; ++page) {
    const auto reply = world.ok("memory_search", request);
    for (const auto& hit : reply["hits"]) CHECK(seen.insert(hit["id"].get<int>()).second);
    request["cursor"] = reply.value("next_cursor", "");
  }
  CHECK(seen.size() == 7);
}

TEST_CASE("memory_search: paging goes on behind points stored and deleted meanwhile", "[service]") {
  World world;
  store_row(world, 10);
  Json request = {{"query", "cat"}, {"limit", 3}};
  const auto first = world.ok("memory_search", request);
  CHECK(ids_of(first["hits"]) == std::vector<Json>{0, 1, 2});
  request["cursor"] = first["next_cursor"];

  SECTION("points stored before the page") {
    for (int i = 100; i < 150; ++i) store(world, i, "cat");
    CHECK(ids_of(world.ok("memory_search", request)["hits"]) == std::vector<Json>{3, 4, 5});
  }
  SECTION("the last hit is deleted") {
    world.ok("memory_delete", {{"ids", {2}}});
    CHECK(ids_of(world.ok("memory_search", request)["hits"]) == std::vector<Json>{3, 4, 5});
  }
  SECTION("all that is behind is deleted") {
    world.ok("memory_delete", {{"filter", {{"n", {{"$gt", 2}}}}}, {"dry_run", false}});
    CHECK(world.ok("memory_search", request) == Json{{"hits", Json::array()}});
  }
}

TEST_CASE("memory_search: a cursor belongs to its request", "[service]") {
  World world;
  store_row(world, 10);
  const auto cursor = world.ok("memory_search", {{"query", "cat"}})["next_cursor"];
  for (const Json& request : {Json{{"query", "dog"}}, Json{{"query", "cat"}, {"min_score", 0.1}},
                              Json{{"query", "cat"}, {"filter", {{"even", true}}}}}) {
    auto asked = request;
    asked["cursor"] = cursor;
    const auto error = world.refused("memory_search", asked);
    CHECK(error.code == ErrorCode::InvalidArgument);
    CHECK(error.message.find("start over without cursor") != std::string::npos);
  }
  CHECK(world.refused("memory_search", {{"query", "cat"}, {"cursor", "garbage"}}).code ==
        ErrorCode::InvalidArgument);
  // The number of hits may change between pages.
  CHECK(world.ok("memory_search", {{"query", "cat"}, {"cursor", cursor}, {"limit", 2}})["hits"]
            .size() == 2);
  world.ok("collection_delete", {{"collection", "memory"}, {"confirm", "memory"}});
  store_row(world, 10);
  world.refused("memory_search", {{"query", "cat"}, {"cursor", cursor}});
}

TEST_CASE("memory_search: long texts are cut, and memory_get reads on", "[service]") {
  World world;
  const std::string text = "cat " + std::string(5000, 'x');
  store(world, 1, text);
  const auto concise = world.ok("memory_search", {{"query", "cat"}})["hits"][0];
  CHECK(concise["text"] == text.substr(0, 1200));
  CHECK(concise["text_truncated"] == true);
  const auto detailed =
      world.ok("memory_search", {{"query", "cat"}, {"response_format", "detailed"}})["hits"][0];
  CHECK(detailed["text"] == text.substr(0, 4000));
  const auto rest = world.ok("memory_get", {{"ids", {1}}, {"text_offset", concise["next_offset"]}});
  CHECK(rest["items"][0] == Json{{"id", 1}, {"text", text.substr(1200)}});
  CHECK(world.ok("memory_get", {{"ids", {1}}})["items"][0]["text"] == text);
}

TEST_CASE("memory_search: hits are packed into max_tokens, the rest comes with the next page",
          "[service]") {
  World world;
  for (int i = 0; i < 10; ++i) {
    store(world, i, "cat " + std::string(600, 'x') + std::string(static_cast<std::size_t>(i), 'y'));
  }
  Json request = {{"query", "cat"}, {"limit", 10}, {"max_tokens", 500}};
  std::set<int> seen;
  int pages = 0;
  for (bool more = true; more; ++pages) {
    const auto reply = world.ok("memory_search", request);
    CHECK(reply.dump().size() <= 1500);
    for (const auto& hit : reply["hits"]) CHECK(seen.insert(hit["id"].get<int>()).second);
    more = reply.contains("next_cursor");
    CHECK(reply.value("truncated", false) == more);
    CHECK(reply.contains("advice") == more);
    if (more) request["cursor"] = reply["next_cursor"];
  }
  CHECK(seen.size() == 10);
  CHECK(pages == 5);
}

TEST_CASE("memory_search: one hit always comes, cut to fit", "[service]") {
  World world;
  store(world, 1, "cat " + std::string(1000, 'x'));
  const auto reply = world.ok("memory_search", {{"query", "cat"}, {"max_tokens", 100}});
  CHECK(reply.dump().size() <= 300);
  CHECK(reply["hits"][0]["text_truncated"] == true);
  CHECK_FALSE(reply.contains("next_cursor"));
}

TEST_CASE("memory_search: a filter on a field that no point has is told the fields", "[service]") {
  World world;
  store(world, 1, "cat", {{"lang", "rust"}, {"year", 2024}, {"author", {{"name", "Ann"}}}});
  const auto refused = [&](const Json& filter) {
    return world.refused("memory_search", {{"query", "cat"}, {"filter", filter}}).message;
  };
  const std::string fields = "fields: author.name (string), lang (string), year (number)";
  CHECK(refused({{"lng", "rust"}}) ==
        "filter field \"lng\" unknown; did you mean \"lang\"? " + fields);
  CHECK(refused({{"colour", {{"$in", {"red"}}}}}) == "filter field \"colour\" unknown; " + fields);
  CHECK(refused({{"$or", {{{"colour", "red"}}, {{"lang", "go"}}}}}) ==
        "filter field \"colour\" unknown; " + fields);
  CHECK(refused({{"$and", {{{"colour", "red"}}, {{"size", {{"$gt", 3}}}}}}}) ==
        "filter field \"colour\" unknown; filter field \"size\" unknown; " + fields);
}

TEST_CASE("memory_search: filters that find nothing for other reasons are no mistake",
          "[service]") {
  World world;
  store(world, 1, "cat", {{"lang", "rust"}, {"author", {{"name", "Ann"}}}});
  for (const Json& filter :
       {Json{{"lang", "go"}}, Json{{"author", "Ann"}}, Json{{"lang.x", "go"}},
        Json{{"colour", {{"$exists", true}}}}, Json{{"lang", "go"}, {"colour", {{"$ne", "red"}}}},
        Json{{"lang", "go"}, {"colour", nullptr}},
        Json{{"lang", "go"}, {"colour", {{"$exists", false}}}}}) {
    CHECK(world.ok("memory_search", {{"query", "cat"}, {"filter", filter}})["hits"].empty());
  }
}

TEST_CASE("memory_search: a filter on points without metadata is told so", "[service]") {
  World world;
  store(world, 1, "cat");
  CHECK(world.refused("memory_search", {{"query", "cat"}, {"filter", {{"lang", "go"}}}}).message ==
        "filter field \"lang\" unknown; no point of collection \"memory\" has metadata; leave out "
        "filter");
  world.ok("memory_delete", {{"ids", {1}}});
  CHECK(
      world.ok("memory_search", {{"query", "cat"}, {"filter", {{"lang", "go"}}}})["hits"].empty());
}

TEST_CASE("memory_search: long lists of fields are cut or not relied on", "[service]") {
  World world;
  Json metadata;
  for (int i = 0; i < 30; ++i) metadata["field" + std::to_string(i)] = i;
  store(world, 1, "cat", metadata);
  const Json request = {{"query", "cat"}, {"filter", {{"zzz", 1}}}};
  const auto message = world.refused("memory_search", request).message;
  CHECK(message.find(" and 10 more, see collection_info") != std::string::npos);
  for (int i = 30; i < 300; ++i) metadata["field" + std::to_string(i)] = i;
  store(world, 1, "cat", metadata);
  CHECK(world.ok("memory_search", request)["hits"].empty());
}

TEST_CASE("memory_search: a collection of ready-made vectors has no text to search", "[service]") {
  World world;
  world.ok("collection_create", {{"name", "raw"}, {"dimension", 3}});
  const auto error = world.refused("memory_search", {{"query", "cat"}, {"collection", "raw"}});
  CHECK(error.code == ErrorCode::FailedPrecondition);
  CHECK(error.message ==
        "collection \"raw\" holds ready-made vectors (no embedder): use vector_search and "
        "vector_upsert, or make one with collection_create and embedder words");
  CHECK(world.refused("memory_store", {{"items", {{{"text", "a"}}}}, {"collection", "raw"}}).code ==
        ErrorCode::FailedPrecondition);
}

TEST_CASE("memory_search: an embedder that is gone or changed is told", "[service]") {
  World world;
  CollectionSpec spec;
  spec.name = "old";
  spec.embedder = "lost";
  spec.dimension = 7;
  REQUIRE(world.collections.create({}, spec).ok());
  auto error = world.refused("memory_search", {{"query", "cat"}, {"collection", "old"}});
  CHECK(error.code == ErrorCode::FailedPrecondition);
  CHECK(error.message ==
        "collection \"old\" was made with embedder \"lost\", which this server lacks: embedder: "
        "one of words, got \"lost\"");
  spec.name = "narrow";
  spec.embedder = "words";
  spec.dimension = 5;
  REQUIRE(world.collections.create({}, spec).ok());
  error = world.refused("memory_search", {{"query", "cat"}, {"collection", "narrow"}});
  CHECK(error.message ==
        "embedder words gives 7 dimensions, but collection \"narrow\" needs 5 (embedder words)");
}

TEST_CASE("memory_search: refusals", "[service]") {
  World world;
  CHECK(world.refused("memory_search", {{"q", "cat"}, {"top_k", 5}}).message ==
        "query: required; "
        "q: unknown field; did you mean query? (fields: query, collection, limit, filter, "
        "min_score, response_format, "
        "max_tokens, allow_partial, cursor, consistency); "
        "top_k: unknown field; did you mean limit? (fields: query, collection, limit, filter, "
        "min_score, response_format, max_tokens, allow_partial, cursor, "
        "consistency)");
  CHECK(world.refused("memory_search", {{"query", ""}}).message ==
        "query: must have 1 to 8192 bytes, got 0");
  CHECK(world.refused("memory_search", {{"query", "a"}, {"limit", 51}}).message ==
        "limit: must be between 1 and 50, got 51");
  CHECK(world.refused("memory_search", {{"query", "a"}, {"response_format", "full"}}).message ==
        "response_format: must be one of concise, detailed, got \"full\"");
  CHECK(world.refused("memory_search", {{"query", "a"}, {"mode", "hybrid"}})
            .message.rfind("mode: unknown field", 0) == 0);
}

TEST_CASE("memory_search: an embedder that gives nothing is a bug", "[service]") {
  World world;
  store(world, 1, "cat");
  world.embedder.drop_one = true;
  CHECK(world.refused("memory_search", {{"query", "cat"}}).code == ErrorCode::Internal);
}

TEST_CASE("memory_get: gives what is there, names what is not", "[service]") {
  World world;
  store(world, "a", "a cat", {{"n", 1}});
  store(world, 7, "a dog");
  CHECK(world.ok("memory_get", {{"ids", {7, "x", "a", "7", 7}}}) ==
        Json{{"items",
              {{{"id", 7}, {"text", "a dog"}},
               {{"id", "a"}, {"text", "a cat"}, {"metadata", {{"n", 1}}}}}},
             {"missing", {"x", "7"}}});
  CHECK(world.ok("memory_get", {{"ids", {7}}, {"response_format", "detailed"}}) ==
        Json{{"items",
              Json::array(
                  {{{"id", 7}, {"text", "a dog"}, {"created_at", "2023-11-14T22:13:20Z"}}})}});
}

TEST_CASE("memory_get: before the first memory all is missing", "[service]") {
  World world;
  CHECK(world.ok("memory_get", {{"ids", {1}}}) ==
        Json{{"items", Json::array()}, {"missing", Json::array({1})}});
  world.refused("memory_get", {{"ids", {1}}, {"collection", "notes"}});
}

TEST_CASE("memory_get: what does not fit a reply is named", "[service]") {
  World world;
  for (int i = 0; i < 5; ++i) store(world, i, std::string(25'000, 'x'));
  auto reply = world.ok("memory_get", {{"ids", {0, 1, 2, 3, 4, 5}}});
  CHECK(ids_of(reply["items"]) == std::vector<Json>{0});
  CHECK(reply["not_returned"] == Json{1, 2, 3, 4});
  CHECK(reply["missing"] == Json::array({5}));
  CHECK(reply["advice"] == "showing 1 of 5: ask for not_returned in further calls");
  reply = world.ok("memory_get", {{"ids", reply["not_returned"]}});
  CHECK(ids_of(reply["items"]) == std::vector<Json>{1});
}

/// Reads a text as a model would: goes on at next_offset for as long as there is one.
std::string read_in_pieces(World& world, const Json& id, std::size_t& pieces) {
  Json request{{"ids", Json::array({id})}};
  std::string text;
  for (pieces = 0; pieces < 1000; ++pieces) {
    const auto reply = world.ok("memory_get", request);
    CHECK(reply.dump().size() <= world.engine.reply_bytes);
    const auto& item = reply["items"].at(0);
    text += item["text"].get<std::string>();
    if (!item.contains("next_offset")) return text;
    CHECK(item["text_truncated"] == true);
    CHECK(item["next_offset"] == text.size());
    CHECK(item["text_bytes"].get<std::size_t>() > text.size());
    request["text_offset"] = item["next_offset"];
  }
  FAIL("it never ends");
  return text;
}

TEST_CASE("memory_get: a text too long for one reply is read in pieces", "[service]") {
  World world;
  std::size_t pieces = 0;
  std::string words;
  for (int i = 0; words.size() < 65'000; ++i) words += "word" + std::to_string(i) + " ";
  std::string escapes;
  for (int i = 0; i < 65'000; ++i) escapes += static_cast<char>(i % 32);
  std::string signs;
  for (int i = 0; i < 13'000; ++i) signs += "\u00e9\u4e2d";
  for (const auto& text : {words, escapes, signs, std::string(65'536, 'y')}) {
    store(world, "long", text, {{"kept", "for the first piece"}});
    CHECK(read_in_pieces(world, "long", pieces) == text);
    CHECK(pieces >= 2);
    CHECK(pieces < 20);
  }
  world.engine.reply_bytes = kReplyBytesMin;
  CHECK(read_in_pieces(world, "long", pieces) == std::string(65'536, 'y'));
  const Json request{{"ids", {"long"}}, {"text_offset", 100}};
  CHECK_FALSE(world.ok("memory_get", request)["items"][0].contains("metadata"));
}

TEST_CASE("memory_get: an offset that no reply gave is refused", "[service]") {
  World world;
  store(world, 1, "caf\u00e9");
  const auto refused = [&](const Json& ids, int offset) {
    return world.refused("memory_get", {{"ids", ids}, {"text_offset", offset}}).message;
  };
  CHECK(refused({1}, 5) == "text_offset: the text ends at 5, got 5");
  CHECK(refused({1}, 4).starts_with("text_offset: lies within a character"));
  CHECK(refused({1, 2}, 3) == "text_offset: needs exactly one id, got 2");
  CHECK(world.ok("memory_get", {{"ids", {1, 2}}, {"text_offset", 0}})["items"].size() == 1);
}

TEST_CASE("memory_get: metadata that is too large is left out, and counted", "[service]") {
  World world;
  store(world, 1, "cat", {{"big", std::string(40'000, 'b')}, {"n", 1}});
  const auto item = world.ok("memory_get", {{"ids", {1}}})["items"][0];
  CHECK(item ==
        Json{{"id", 1}, {"text", "cat"}, {"metadata", {{"n", 1}}}, {"metadata_omitted", 1}});
}

TEST_CASE("memory_delete: by ids", "[service]") {
  World world;
  store_row(world, 4);
  CHECK(world.ok("memory_delete", {{"ids", {1, 2, 2, 99}}, {"dry_run", true}}) ==
        Json{{"deleted", 0}, {"matched", 2}, {"dry_run", true}});
  CHECK(world.ok("memory_delete", {{"ids", {1, 2, 99}}}) == Json{{"deleted", 2}, {"matched", 2}});
  CHECK(world.ok("memory_delete", {{"ids", {1, 2, 99}}}) == Json{{"deleted", 0}, {"matched", 0}});
  CHECK(world.ok("memory_get", {{"ids", {0, 1, 2, 3}}})["missing"] == Json{1, 2});
}

TEST_CASE("memory_delete: what has expired is not there, dry or not", "[service]") {
  World world;
  world.ok("memory_store", {{"items", {{{"text", "cat"}, {"id", 1}}}}, {"ttl_seconds", 60}});
  world.ok("memory_store", {{"items", {{{"text", "dog"}, {"id", 2}}}}});
  world.clock.advance_ms(60'000);
  const Json request{{"ids", {1, 2}}};
  auto dry = request;
  dry["dry_run"] = true;
  CHECK(world.ok("memory_delete", dry)["matched"] == 1);
  CHECK(world.ok("memory_delete", request) == Json{{"deleted", 1}, {"matched", 1}});
}

TEST_CASE("memory_delete: a person is asked before a deletion by filter", "[service]") {
  World world;
  store_row(world, 5);
  const Operation& operation = *world.registry.find("memory_delete");
  const auto question = [&](const Json& arguments) -> std::optional<Question> {
    const auto wanted = operation.confirmation(arguments);
    if (!wanted.ok()) FAIL(wanted.error().message);
    if (!*wanted) return std::nullopt;
    return (*wanted)->question(world.ok((*wanted)->preview, (*wanted)->preview_arguments));
  };
  const Json even{{"filter", {{"even", true}}}};
  const auto asked = question(even);
  REQUIRE(asked.has_value());
  CHECK(asked->text == R"(Delete 3 memories of "memory" matching {"even":true} for ever?)");
  CHECK(asked->points == 3);
  CHECK(question({{"filter", {{"n", 1}}}, {"dry_run", false}})->text ==
        R"(Delete 1 memory of "memory" matching {"n":1} for ever?)");
  CHECK_FALSE(question({{"filter", {{"n", 77}}}}).has_value());
  CHECK_FALSE(question({{"filter", {{"even", true}}}, {"dry_run", true}}).has_value());
  CHECK_FALSE(question({{"ids", {1}}}).has_value());
  CHECK_FALSE(operation.confirmation({{"filter", 5}}).ok());
  CHECK_FALSE(operation.confirmation(Json::object()).ok());
  CHECK(world.ok("memory_get", {{"ids", {0, 2, 4}}})["items"].size() == 3);
  CHECK(world.ok("memory_delete", (*operation.confirmation(even))->confirmed) ==
        Json{{"deleted", 3}, {"matched", 3}});
}

TEST_CASE("memory_delete: by filter it counts unless told to delete", "[service]") {
  World world;
  store_row(world, 5);
  Json request = {{"filter", {{"even", true}}}};
  CHECK(world.ok("memory_delete", request) ==
        Json{{"deleted", 0}, {"matched", 3}, {"dry_run", true}});
  CHECK(world.ok("memory_get", {{"ids", {0, 2, 4}}})["items"].size() == 3);
  request["dry_run"] = false;
  CHECK(world.ok("memory_delete", request) == Json{{"deleted", 3}, {"matched", 3}});
  CHECK(world.ok("memory_delete", request) == Json{{"deleted", 0}, {"matched", 0}});
  CHECK(world.ok("memory_get", {{"ids", {0, 1, 2, 3, 4}}})["missing"] == Json{0, 2, 4});
}

TEST_CASE("memory_delete: exactly one of ids and filter", "[service]") {
  World world;
  CHECK(world.refused("memory_delete", Json::object()).message ==
        "arguments: give exactly one of ids and filter, got neither");
  CHECK(world.refused("memory_delete", {{"ids", {1}}, {"filter", Json::object()}}).message ==
        "arguments: give exactly one of ids and filter, got both");
  CHECK(world.refused("memory_delete", {{"ids", Json::array()}}).message ==
        "ids: must have 1 to 1000 items, got 0");
}

TEST_CASE("memory_delete: a mistaken field is told before anything is deleted", "[service]") {
  World world;
  store_row(world, 2);
  CHECK(world.refused("memory_delete", {{"filter", {{"evn", true}}}}).message ==
        "filter field \"evn\" unknown; did you mean \"even\"? fields: even (boolean), n (number)");
}

TEST_CASE("memory_delete: before the first memory there is nothing to delete", "[service]") {
  World world;
  CHECK(world.ok("memory_delete", {{"ids", {1}}}) == Json{{"deleted", 0}, {"matched", 0}});
  CHECK(world.ok("memory_delete", {{"filter", Json::object()}}) ==
        Json{{"deleted", 0}, {"matched", 0}, {"dry_run", true}});
  CHECK(world.refused("memory_delete", {{"ids", {1}}, {"collection", "notes"}}).code ==
        ErrorCode::NotFound);
}

TEST_CASE("memory operations: errors of the collection come through", "[service]") {
  World world;
  store(world, 1, "cat");
  world.collections.at("memory").fail = Error{ErrorCode::Corruption, "a checksum is wrong"};
  const std::vector<std::pair<std::string, Json>> calls = {
      {"memory_search", {{"query", "cat"}}},
      {"memory_get", {{"ids", {1}}}},
      {"memory_delete", {{"ids", {1}}}},
      {"memory_delete", {{"ids", {1}}, {"dry_run", true}}},
      {"memory_delete", {{"filter", Json::object()}}},
  };
  for (const auto& [operation, arguments] : calls) {
    CHECK(world.refused(operation, arguments).code == ErrorCode::Corruption);
  }
}

}  // namespace
}  // namespace quiver::service
