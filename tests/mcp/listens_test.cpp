// subscriptions/listen, and what legacy sessions are told instead.

#include "mcp/listens.h"

#include <string>
#include <thread>

#include <catch2/catch.hpp>

#include "features.h"
#include "mcp/connection.h"
#include "support.h"

namespace quiver::mcp {
namespace {

using namespace std::chrono_literals;
using test::KeepingOutlet;
using Kind = Event::Kind;

constexpr const char* kId = "io.modelcontextprotocol/subscriptionId";

Event updated(const std::string& uri) {
  return {Kind::ResourceUpdated, uri};
}

struct Peer : test::Featured {
  /// By HTTP if `gone` is given: without a session.
  std::shared_ptr<KeepingOutlet> listen(const Json& id, Json notifications,
                                        std::optional<CancelToken> gone = std::nullopt) {
    auto outlet = std::make_shared<KeepingOutlet>();
    send(id, std::move(notifications), outlet, gone);
    return outlet;
  }
  void send(const Json& id, Json notifications, std::shared_ptr<Outlet> outlet,
            std::optional<CancelToken> gone = std::nullopt) {
    Json params{{"notifications", std::move(notifications)}, {"_meta", test::modern_meta()}};
    Exchange exchange{gone ? nullptr : session, std::move(outlet)};
    if (gone) exchange.gone = *gone;
    server.handle({id, "subscriptions/listen", std::move(params)}, std::move(exchange));
  }
  void cancel(const Json& id) {
    server.notice({"notifications/cancelled", {{"requestId", id}}}, *session);
  }
};

const Json kAll{{"toolsListChanged", true},
                {"promptsListChanged", true},
                {"resourcesListChanged", true},
                {"resourceSubscriptions", {"test://full", "test://plain", "other://x"}}};

TEST_CASE("listen: first the acknowledgement of what can be told of", "[mcp]") {
  Peer peer;
  const auto all = peer.listen(7, kAll);
  CHECK(all->wait(1)[0] == Json{{"jsonrpc", "2.0"},
                                {"method", "notifications/subscriptions/acknowledged"},
                                {"params",
                                 {{"_meta", {{kId, 7}}},
                                  {"notifications",
                                   {{"toolsListChanged", true},
                                    {"promptsListChanged", true},
                                    {"resourcesListChanged", true},
                                    {"resourceSubscriptions", {"test://full"}}}}}}});
  CHECK_FALSE(all->replied());
  const auto none = peer.listen("seven", {{"toolsListChanged", false}, {"rootsChanged", true}});
  CHECK(none->wait(1)[0]["params"] ==
        Json{{"_meta", {{kId, "seven"}}}, {"notifications", Json::object()}});

  Offer offer = test::featured_offer();
  offer.prompts.clear();
  offer.resources.reset();
  const Server bare(std::move(offer), test::inline_work);
  const auto outlet = std::make_shared<KeepingOutlet>();
  bare.handle(
      {1, "subscriptions/listen", {{"notifications", kAll}, {"_meta", test::modern_meta()}}},
      {peer.session, outlet});
  CHECK(outlet->wait(1)[0]["params"]["notifications"] == Json{{"toolsListChanged", true}});
  bare.stop();
}

TEST_CASE("listen: what it asked for, with its id, and no more", "[mcp]") {
  Peer peer;
  const auto tools = peer.listen(1, {{"toolsListChanged", true}});
  const auto prompts = peer.listen("2", {{"promptsListChanged", true}}, CancelToken::make());
  const auto full = peer.listen(3, {{"resourceSubscriptions", {"test://full"}}});
  peer.hub->publish({Kind::ToolsChanged});
  peer.hub->publish({Kind::PromptsChanged});
  peer.hub->publish(updated("test://full"));
  peer.hub->publish(updated("test://other"));
  CHECK(tools->wait(2)[1] == Json{{"jsonrpc", "2.0"},
                                  {"method", "notifications/tools/list_changed"},
                                  {"params", {{"_meta", {{kId, 1}}}}}});
  CHECK(prompts->wait(2)[1] == Json{{"jsonrpc", "2.0"},
                                    {"method", "notifications/prompts/list_changed"},
                                    {"params", {{"_meta", {{kId, "2"}}}}}});
  CHECK(full->wait(2)[1] == Json{{"jsonrpc", "2.0"},
                                 {"method", "notifications/resources/updated"},
                                 {"params", {{"_meta", {{kId, 3}}}, {"uri", "test://full"}}}});
  // All were told by one thread in one go: nothing more is under way.
  peer.hub->publish(updated("test://full"));
  full->wait(3);
  CHECK(tools->messages().size() == 2);
  CHECK(prompts->messages().size() == 2);
}

TEST_CASE("listen: ends when its client cancels it, without another word", "[mcp]") {
  Peer peer;
  const auto cancelled = peer.listen(1, kAll);
  const auto gone = CancelToken::make();
  const auto left = peer.listen(1, kAll, gone);
  const auto stays = peer.listen(2, kAll);
  // Its id is in use until then.
  const auto twice = peer.listen(1, kAll);
  CHECK(twice->wait(1)[0]["error"]["code"] == -32600);
  peer.cancel(1);
  gone.cancel();
  CHECK(cancelled.use_count() == 1);
  CHECK(left.use_count() == 1);
  const auto again = peer.listen(1, {{"toolsListChanged", true}});
  peer.hub->publish({Kind::ToolsChanged});
  stays->wait(2);
  again->wait(2);
  CHECK(cancelled->messages().size() == 1);
  CHECK(left->messages().size() == 1);
  CHECK(stays.use_count() == 2);
}

TEST_CASE("listen: one that is cancelled before it begins is not opened", "[mcp]") {
  Peer peer;
  const auto gone = CancelToken::make();
  gone.cancel();
  const auto outlet = peer.listen(1, kAll, gone);
  CHECK(outlet.use_count() == 1);
  CHECK_FALSE(outlet->replied());
}

TEST_CASE("listen: the server ends it with a result, and says so on a shared channel", "[mcp]") {
  Peer peer;
  const auto by_session = peer.listen("s", {{"toolsListChanged", true}});
  const auto by_http = peer.listen("h", {{"toolsListChanged", true}}, CancelToken::make());
  const Json info{{"name", "featured"},
                  {"title", "Featured"},
                  {"version", "1"},
                  {"description", "Offers one of everything."}};
  const auto result = [&](const char* id) {
    return Json{{"jsonrpc", "2.0"},
                {"id", id},
                {"result",
                 {{"resultType", "complete"},
                  {"_meta", {{kId, id}, {"io.modelcontextprotocol/serverInfo", info}}}}}};
  };
  peer.server.end_listens(*peer.session);
  auto messages = by_session->messages();
  REQUIRE(messages.size() == 3);
  CHECK(messages[1] == Json{{"jsonrpc", "2.0"},
                            {"method", "notifications/cancelled"},
                            {"params", {{"_meta", {{kId, "s"}}}, {"requestId", "s"}}}});
  CHECK(messages[2] == result("s"));
  CHECK(by_session.use_count() == 1);
  CHECK(by_http->messages().size() == 1);
  peer.server.stop();
  messages = by_http->messages();
  REQUIRE(messages.size() == 2);
  CHECK(messages[1] == result("h"));
  CHECK(by_http.use_count() == 1);
  // The id is free again.
  CHECK(peer.listen("s", {{"toolsListChanged", true}})->wait(1)[0].contains("method"));
}

TEST_CASE("listen: bad filters are refused, and open nothing", "[mcp]") {
  Peer peer;
  const auto error = [&](Json notifications) {
    const auto outlet = peer.listen(1, std::move(notifications));
    CHECK(outlet->replied());
    CHECK(outlet.use_count() == 1);
    const Json reply = outlet->messages().at(0);
    CHECK(reply["error"]["code"] == -32602);
    return reply["error"].value("message", "");
  };
  CHECK(error(nullptr) == "params.notifications: must be an object");
  CHECK(error({{"toolsListChanged", 1}}) ==
        "params.notifications.toolsListChanged: must be a boolean");
  CHECK(error({{"resourceSubscriptions", "test://full"}}) ==
        "params.notifications.resourceSubscriptions: must be an array of at most 256 URIs");
  CHECK(error({{"resourceSubscriptions", std::vector<std::string>(257, "x")}}) ==
        "params.notifications.resourceSubscriptions: must be an array of at most 256 URIs");
  CHECK(error({{"resourceSubscriptions", {1}}}) ==
        "params.notifications.resourceSubscriptions: each must be a string of 1 to 2048 bytes");
  CHECK(error({{"resourceSubscriptions", {std::string(2049, 'x')}}}) ==
        "params.notifications.resourceSubscriptions: each must be a string of 1 to 2048 bytes");
  CHECK(peer.hub->watched().empty());
}

TEST_CASE("listen: bounded for one session", "[mcp]") {
  Peer peer;
  std::vector<std::shared_ptr<KeepingOutlet>> open;
  for (std::size_t i = 0; i < Listens::kOfSessionMax; ++i) open.push_back(peer.listen(i, kAll));
  const auto refused = peer.listen("more", kAll);
  CHECK(refused->wait(1)[0]["error"]["data"]["code"] == "resource_exhausted");
  // Of another client, and after one has ended, there is room.
  CHECK(peer.listen("http", kAll, CancelToken::make())->wait(1)[0].contains("method"));
  peer.cancel(0);
  CHECK(peer.listen("more", kAll)->wait(1)[0].contains("method"));
}

TEST_CASE("listen: a way that carries replies alone is told what to ask for", "[mcp]") {
  Peer peer;
  const auto outlet = std::make_shared<KeepingOutlet>();
  outlet->refuse(true);
  peer.send(1, kAll, outlet);
  const Json error = outlet->wait(1)[0]["error"];
  CHECK(error["code"] == -32603);
  CHECK(error["message"].get<std::string>().find("text/event-stream") != std::string::npos);
  CHECK(outlet.use_count() == 1);
  CHECK(peer.hub->watched().empty());
}

TEST_CASE("listen: one that does not read does not hold up the others", "[mcp]") {
  Peer peer;
  const auto deaf = peer.listen(1, {{"toolsListChanged", true}});
  const auto keen = peer.listen(2, {{"toolsListChanged", true}});
  deaf->refuse(true);
  peer.hub->publish({Kind::ToolsChanged});
  keen->wait(2);
  deaf->refuse(false);
  CHECK(deaf->wait(2)[1]["method"] == "notifications/tools/list_changed");
}

TEST_CASE("legacy: a session is told of lists, and of the resources it subscribed to", "[mcp]") {
  test::MemoryTransport transport;
  const auto hub = std::make_shared<Hub>();
  const Server server(test::featured_offer(hub), test::inline_work);
  Connection connection(server, transport);
  std::thread thread([&] { CHECK(connection.run().ok()); });
  transport.say(test::request(
      1, "initialize", {{"protocolVersion", "2025-06-18"}, {"capabilities", Json::object()}}));
  transport.say(test::request(2, "resources/subscribe", {{"uri", "test://full"}}));
  transport.heard(2);
  hub->publish(updated("test://other"));
  hub->publish(updated("test://full"));
  CHECK(transport.heard(3)[2] == Json{{"jsonrpc", "2.0"},
                                      {"method", "notifications/resources/updated"},
                                      {"params", {{"uri", "test://full"}}}});
  hub->publish({Kind::PromptsChanged});
  CHECK(transport.heard(4)[3] == Json{{"jsonrpc", "2.0"},
                                      {"method", "notifications/prompts/list_changed"},
                                      {"params", Json::object()}});
  transport.say(test::request(3, "resources/unsubscribe", {{"uri", "test://full"}}));
  transport.heard(5);
  hub->publish(updated("test://full"));
  hub->publish({Kind::ToolsChanged});
  CHECK(transport.heard(6)[5]["method"] == "notifications/tools/list_changed");
  transport.close();
  thread.join();
}

TEST_CASE("connection: an open listen does not hold up its end", "[mcp]") {
  test::MemoryTransport transport;
  const Server server(test::featured_offer(), test::inline_work);
  // Waiting for it would be noticed.
  Connection connection(server, transport, {.drain = std::chrono::hours(1)});
  std::thread thread([&] { CHECK(connection.run().ok()); });
  transport.say(test::modern(1, "subscriptions/listen", {{"notifications", kAll}}));
  transport.heard(1);
  transport.close();
  thread.join();
  const auto heard = transport.heard(3);
  CHECK(heard[1]["method"] == "notifications/cancelled");
  CHECK(heard[2]["result"]["resultType"] == "complete");
}

}  // namespace
}  // namespace quiver::mcp
