// Collections and points as resources, over a store in memory.

#include "mcp/collection_resources.h"

#include <mutex>
#include <set>
#include <string>

#include <catch2/catch.hpp>

#include "fake_store.h"
#include "features.h"
#include "mcp/collection_uri.h"
#include "mcp/product_offer.h"
#include "support.h"

namespace quiver::mcp {
namespace {

using test::FakeStore;
using test::Featured;

TEST_CASE("collection uri: what each form means, and back", "[mcp]") {
  const auto point = [](const char* id) { return *PointId::from_text(id); };
  const std::vector<std::pair<std::string, CollectionUri>> cases{
      {"quiver://collections", {}},
      {"quiver://collections/docs", {"docs", {}}},
      {"quiver://collections/a%20b%2Fc", {"a b/c", {}}},
      {"quiver://collections/docs/points/7", {"docs", PointId(7)}},
      {"quiver://collections/docs/points/18446744073709551615", {"docs", PointId(UINT64_MAX)}},
      {"quiver://collections/docs/points/%227%22", {"docs", point("7")}},
      {"quiver://collections/docs/points/07", {"docs", point("07")}},
      {"quiver://collections/docs/points/18446744073709551616",
       {"docs", point("18446744073709551616")}},
      {"quiver://collections/docs/points/a%2Fb%3Fc%23d%25e", {"docs", point("a/b?c#d%e")}},
      {"quiver://collections/docs/points/%22%5C%22quoted%5C%22%22", {"docs", point("\"quoted\"")}},
      {"quiver://collections/docs/points/%C3%A9-._~", {"docs", point("\xC3\xA9-._~")}},
      {"quiver://collections/points/points/points", {"points", point("points")}}};
  for (const auto& [text, uri] : cases) {
    INFO(text);
    CHECK(read_collection_uri(text) == uri);
    CHECK(to_text(uri) == text);
  }
  // Another form of the same.
  CHECK(read_collection_uri("quiver://collections/%64ocs") == CollectionUri{"docs", {}});
  for (const char* text :
       {"", "quiver://", "quiver://collection", "quiver://collectionsx", "quiver://collections/",
        "quiver://collections/a/b", "quiver://collections/docs/points/",
        "quiver://collections/docs/points/a/b", "quiver://collections/docs?x",
        "quiver://collections/docs#x", "quiver://collections/%", "quiver://collections/%4",
        "quiver://collections/%4g", "quiver://collections/%+4", "quiver://collections/%FF",
        "quiver://collections/docs/points/%22open", "quiver://collections/docs/points/%221%22x",
        "Quiver://collections", "file:///collections/docs"}) {
    INFO(text);
    CHECK_FALSE(read_collection_uri(text));
  }
}

struct Shop {
  FakeStore store;
  service::Registry registry{{test::internal_operation("complete")}};
  Featured peer{product_offer(registry, store)};

  Json modern(const std::string& method, Json params = Json::object()) {
    return peer.ask("2026-07-28", method, std::move(params));
  }
  Json read(const std::string& uri) {
    const Json contents = modern("resources/read", {{"uri", uri}})["result"]["contents"];
    REQUIRE(contents.size() == 1);
    CHECK(contents[0]["uri"] == uri);
    CHECK(contents[0]["mimeType"] == "application/json");
    return test::parsed(contents[0]["text"]);
  }
};

TEST_CASE("collection resources: pages of all, each once", "[mcp]") {
  Shop shop;
  shop.store.collections["docs"].description = "Papers.";
  std::set<std::string> expected{"quiver://collections", "quiver://collections/docs"};
  for (int i = 0; i < 250; ++i) {
    const std::string name = "c" + std::to_string(i);
    shop.store.collections[name];
    expected.insert("quiver://collections/" + name);
  }
  std::set<std::string> seen;
  std::vector<std::size_t> sizes;
  Json params = Json::object();
  for (;;) {
    const Json result = shop.modern("resources/list", params)["result"];
    sizes.push_back(result["resources"].size());
    for (const Json& resource : result["resources"]) {
      CHECK(seen.insert(resource["uri"]).second);
      if (resource["name"] != "docs") continue;
      CHECK(resource == Json{{"uri", "quiver://collections/docs"},
                             {"name", "docs"},
                             {"title", "Collection docs"},
                             {"description", "Papers."},
                             {"mimeType", "application/json"}});
    }
    if (!result.contains("nextCursor")) break;
    params["cursor"] = result["nextCursor"];
  }
  CHECK(seen == expected);
  CHECK(sizes == std::vector<std::size_t>{101, 100, 51});
  CHECK(shop.modern("resources/list", {{"cursor", "mine"}})["error"]["code"] == -32602);
}

TEST_CASE("collection resources: what is read of each", "[mcp]") {
  Shop shop;
  auto& docs = shop.store.collections["docs"];
  docs.points["7"] = {{"text", std::string(2500, 'x')}, {"metadata", {{"lang", "c"}}}};
  docs.points["\"7\""] = {{"text", "seven"}};
  docs.points["\"a/b\""] = {{"metadata", {{"k", 1}}}};
  shop.store.collections["empty"];

  CHECK(shop.read("quiver://collections")["collections"].size() == 2);
  CHECK(shop.read("quiver://collections/docs")["count"] == 3);
  // However many pieces it comes in.
  CHECK(shop.read("quiver://collections/docs/points/7") == Json{{"id", 7},
                                                                {"collection", "docs"},
                                                                {"text", std::string(2500, 'x')},
                                                                {"metadata", {{"lang", "c"}}}});
  CHECK(shop.read("quiver://collections/docs/points/%227%22")["text"] == "seven");
  CHECK(shop.read("quiver://collections/docs/points/a%2Fb") ==
        Json{{"id", "a/b"}, {"collection", "docs"}, {"metadata", {{"k", 1}}}});

  for (const char* uri : {"quiver://collections/none", "quiver://collections/docs/points/8",
                          "quiver://collections/none/points/7", "quiver://other", "file:///etc"}) {
    const Json error = shop.modern("resources/read", {{"uri", uri}})["error"];
    CHECK(error["code"] == -32602);
    CHECK(error["data"] == Json{{"uri", uri}});
  }
  shop.store.fault = Error{ErrorCode::Unavailable, "the index is loading"};
  for (const char* uri : {"quiver://collections", "quiver://collections/docs/points/7"}) {
    const Json error = shop.modern("resources/read", {{"uri", uri}})["error"];
    CHECK(error["code"] == -32603);
    CHECK(error["message"] == "the index is loading");
    CHECK(error["data"]["retryable"] == true);
  }
  CHECK(shop.modern("resources/list")["error"]["code"] == -32603);
}

TEST_CASE("collection resources: a text that changes while it is read is not made up", "[mcp]") {
  Shop shop;
  auto& docs = shop.store.collections["docs"];
  for (const std::size_t bytes : {std::size_t{500}, std::size_t{1500}}) {
    docs.points["7"] = {{"text", std::string(2500, 'x')}};
    shop.store.after_first_piece = [&docs, bytes] {
      docs.points["7"] = {{"text", std::string(bytes, 'y')}};
    };
    const Json error =
        shop.modern("resources/read", {{"uri", "quiver://collections/docs/points/7"}})["error"];
    CHECK(error["code"] == -32603);
    CHECK(error["data"]["retryable"] == true);
  }
}

TEST_CASE("collection resources: more collections than can be read are cut off", "[mcp]") {
  Shop shop;
  for (int i = 0; i < 10'001; ++i) shop.store.collections["c" + std::to_string(i)];
  const Json all = shop.read("quiver://collections");
  CHECK(all["collections"].size() == 10'000);
  CHECK(all["truncated"] == true);
}

TEST_CASE("collection resources: which can be subscribed to, and their templates", "[mcp]") {
  Shop shop;
  const auto resources = std::make_shared<CollectionResources>(shop.store, shop.peer.hub);
  CHECK(resources->can_subscribe("quiver://collections"));
  CHECK(resources->can_subscribe("quiver://collections/docs"));
  CHECK(resources->can_subscribe("quiver://collections/not-yet-there"));
  CHECK(resources->can_subscribe("quiver://collections/docs/points/a%2Fb"));
  // Changes are told of under one form of a URI.
  CHECK_FALSE(resources->can_subscribe("quiver://collections/%64ocs"));
  CHECK_FALSE(resources->can_subscribe("quiver://collections/docs/points/a%2fb"));
  CHECK_FALSE(resources->can_subscribe("file:///etc"));
  const Json templates = shop.modern("resources/templates/list")["result"]["resourceTemplates"];
  REQUIRE(templates.size() == 2);
  CHECK(templates[0]["uriTemplate"] == "quiver://collections/{name}");
  CHECK(templates[1]["uriTemplate"] == "quiver://collections/{name}/points/{id}");
}

TEST_CASE("collection resources: a change is told to those who watch what it changes", "[mcp]") {
  using Kind = service::Change::Kind;
  const std::vector<std::string> watched{"quiver://collections", "quiver://collections/docs",
                                         "quiver://collections/docs/points/7",
                                         "quiver://collections/other"};
  struct Case {
    service::Change change;
    std::set<Event> told;
  };
  const auto updated = [&](std::initializer_list<int> which) {
    std::set<Event> events;
    for (const int i : which) {
      events.insert({Event::Kind::ResourceUpdated, watched[static_cast<std::size_t>(i)]});
    }
    return events;
  };
  auto made = updated({0, 1, 2});
  made.insert({Event::Kind::ResourcesChanged});
  auto any = updated({0, 1, 2, 3});
  const std::vector<Case> cases{{{Kind::PointsChanged, "docs"}, updated({0, 1, 2})},
                                {{Kind::PointsChanged, "unseen"}, updated({0})},
                                {{Kind::PointsChanged, ""}, any},
                                {{Kind::CollectionsChanged, "docs"}, made}};
  for (const auto& [change, expected] : cases) {
    FakeStore store;
    std::mutex mutex;
    std::condition_variable changed;
    std::set<Event> told;
    const auto hub = std::make_shared<Hub>();
    const CollectionResources resources(store, hub);
    const auto subscription =
        *hub->subscribe({Event::Kind::ResourcesChanged}, [&](const Event& event) {
          const std::lock_guard lock(mutex);
          told.insert(event);
          changed.notify_all();
          return Told::Yes;
        });
    for (const std::string& uri : watched) REQUIRE(subscription->watch(uri).ok());
    store.tell(change.kind, change.collection);
    std::unique_lock lock(mutex);
    changed.wait_for(lock, test::kPatience, [&] { return told.size() >= expected.size(); });
    CHECK(told == expected);
  }
}

TEST_CASE("collection resources: changes are followed for who waits to be told", "[mcp]") {
  const auto listen = [](Shop& shop, const Json& notifications) {
    const auto outlet = std::make_shared<test::KeepingOutlet>();
    const Json params{{"notifications", notifications}, {"_meta", test::modern_meta()}};
    shop.peer.server.handle({1, "subscriptions/listen", params}, {shop.peer.session, outlet});
    outlet->wait(1);
    return shop.store.follows > 0;
  };
  Shop shop;
  const auto subscribed = [&](const char* uri) {
    return shop.peer.ask("2025-11-25", "resources/subscribe", {{"uri", uri}}).contains("result");
  };
  CHECK_FALSE(subscribed("file:///etc"));
  CHECK(shop.store.follows == 0);
  CHECK(subscribed("quiver://collections/docs"));
  CHECK(shop.store.follows == 1);

  Shop tools;
  CHECK_FALSE(listen(tools, {{"toolsListChanged", true}}));
  CHECK_FALSE(listen(tools, {{"resourceSubscriptions", {"file:///etc"}}}));
  Shop uris;
  CHECK(listen(uris, {{"resourceSubscriptions", {"quiver://collections/docs"}}}));
  Shop lists;
  CHECK(listen(lists, {{"resourcesListChanged", true}}));
}

TEST_CASE("collection resources: without anybody to tell, changes are nothing", "[mcp]") {
  FakeStore store;
  auto hub = std::make_shared<Hub>();
  auto resources = std::make_shared<CollectionResources>(store, hub);
  hub.reset();
  store.tell(service::Change::Kind::CollectionsChanged, "docs");
  resources.reset();
  store.tell(service::Change::Kind::CollectionsChanged, "docs");
}

}  // namespace
}  // namespace quiver::mcp
