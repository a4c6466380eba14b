// Whole conversations, over a transport in memory: what is written, in which order, and what is
// not.

#include "mcp/connection.h"

#include <atomic>
#include <set>
#include <string>
#include <thread>

#include <catch2/catch.hpp>

#include "support.h"

namespace quiver::mcp {
namespace {

using test::modern;
using test::request;

/// A conversation with a thread for each long request, up to a number.
class Talk {
 public:
  explicit Talk(std::size_t threads_max = 64, ConnectionOptions options = {},
                ServerOptions server_options = {})
      : server_(
            world.offer(),
            [this, threads_max](std::function<void()> work) -> Status {
              if (workers_.size() == threads_max) {
                return Error{ErrorCode::ResourceExhausted, "the server is busy"};
              }
              workers_.emplace_back(std::move(work));
              return Done{};
            },
            server_options),
        connection_(server_, peer, options),
        reader_([this] { outcome_ = connection_.run(); }) {}
  ~Talk() { CHECK(finish().ok()); }
  Talk(const Talk&) = delete;
  Talk& operator=(const Talk&) = delete;

  /// Closes from the peer's side and waits for all to end.
  Status finish() {
    peer.close();
    return end();
  }
  Status end() {
    if (reader_.joinable()) reader_.join();
    for (auto& worker : workers_) worker.join();
    workers_.clear();
    return outcome_;
  }
  /// Waits until everything said so far was read: replies to cheap requests come in order.
  void settle() {
    const std::string id = "settled" + std::to_string(++settled_);
    peer.say(request(id, "ping"));
    for (std::size_t count = 1;; ++count) {
      const auto messages = peer.heard(count);
      for (const auto& message : messages) {
        if (message.contains("id") && message["id"] == id) return;
      }
      if (messages.size() < count) return;
    }
  }
  Json find(const Json& id) {
    for (const auto& text : peer.raw()) {
      const Json message = test::parsed(text);
      if (message.contains("id") && message["id"] == id) return message;
    }
    return nullptr;
  }
  void open(const std::string& version) {
    peer.say(request("open", "initialize", {{"protocolVersion", version}}));
    peer.say(R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
    settle();
  }

  test::World world;
  test::MemoryTransport peer;

 private:
  Server server_;
  Connection connection_;
  std::vector<std::thread> workers_;
  Status outcome_ = Done{};
  int settled_ = 0;
  std::thread reader_;
};

Json call(const std::string& tool, Json arguments = Json::object()) {
  return {{"name", tool}, {"arguments", std::move(arguments)}};
}

std::string cancelled(const Json& id) {
  return Json{{"jsonrpc", "2.0"},
              {"method", "notifications/cancelled"},
              {"params", {{"requestId", id}, {"reason", "test"}}}}
      .dump();
}

TEST_CASE("Connection: a legacy session from handshake to end", "[mcp]") {
  Talk talk;
  talk.peer.say(request(0, "initialize",
                        {{"protocolVersion", "2025-06-18"},
                         {"capabilities", Json::object()},
                         {"clientInfo", {{"name", "c"}, {"version", "0"}}}}));
  CHECK(talk.peer.heard(1)[0]["result"]["protocolVersion"] == "2025-06-18");
  talk.peer.say(R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
  talk.peer.say(request(1, "tools/list"));
  CHECK(talk.peer.heard(2)[1]["result"]["tools"].size() == 6);
  talk.peer.say(request("2", "tools/call", call("echo", {{"text", "hi"}})));
  CHECK(talk.peer.heard(3)[2] ==
        Json{{"jsonrpc", "2.0"},
             {"id", "2"},
             {"result",
              {{"content", {{{"type", "text"}, {"text", R"({"text":"hi"})"}}}},
               {"structuredContent", {{"text", "hi"}}}}}});
  CHECK(talk.finish().ok());
  CHECK(talk.peer.raw().size() == 3);
}

TEST_CASE("Connection: eras mix on one pipe, each message by its own", "[mcp]") {
  Talk talk;
  talk.peer.say(modern(1, "server/discover"));
  talk.peer.say(request(2, "initialize", {{"protocolVersion", "2024-11-05"}}));
  talk.peer.say(modern(3, "tools/list"));
  talk.peer.say(request(4, "tools/list"));
  talk.peer.say(modern(5, "initialize", {{"protocolVersion", "2025-11-25"}}));
  talk.peer.say(request(6, "ping"));
  const auto heard = talk.peer.heard(6);
  CHECK(heard[0]["result"]["supportedVersions"] == Json{"2026-07-28"});
  CHECK(heard[1]["result"]["protocolVersion"] == "2024-11-05");
  CHECK(heard[2]["result"]["resultType"] == "complete");
  CHECK(heard[2]["result"]["tools"][0].contains("outputSchema"));
  CHECK_FALSE(heard[3]["result"].contains("resultType"));
  CHECK_FALSE(heard[3]["result"]["tools"][0].contains("annotations"));
  CHECK(heard[4]["error"]["code"] == -32601);
  CHECK(heard[5]["result"] == Json::object());
}

TEST_CASE("Connection: without a handshake a legacy peer is served as 2025-03-26", "[mcp]") {
  Talk talk;
  talk.peer.say(request(1, "tools/list"));
  const Json tool = talk.peer.heard(1)[0]["result"]["tools"][0];
  CHECK(tool.contains("annotations"));
  CHECK_FALSE(tool.contains("title"));
}

TEST_CASE("Connection: garbage is answered and survived", "[mcp]") {
  Talk talk;
  for (const char* text : {"garbage", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":", "\xff\xfe",
                           "{\"jsonrpc\":\"1.0\",\"id\":5,\"method\":\"ping\"}", "[]", "null"}) {
    talk.peer.say(text);
  }
  talk.peer.say(request(6, "ping"));
  const auto heard = talk.peer.heard(7);
  const std::vector<int> codes{-32700, -32700, -32700, -32600, -32600, -32600};
  for (std::size_t i = 0; i < codes.size(); ++i) {
    CHECK(heard[i]["error"]["code"] == codes[i]);
    CHECK(heard[i]["id"] == (i == 3 ? Json(5) : Json(nullptr)));
  }
  CHECK(heard[6]["result"] == Json::object());
}

TEST_CASE("Connection: notifications and answers to nothing get no reply", "[mcp]") {
  Talk talk;
  talk.peer.say(R"({"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo"}})");
  talk.peer.say(R"({"jsonrpc":"2.0","method":"notifications/unheard/of"})");
  talk.peer.say(R"({"jsonrpc":"2.0","method":"notifications/cancelled"})");
  talk.peer.say(R"({"jsonrpc":"2.0","id":1,"result":{}})");
  talk.peer.say(cancelled("nothing"));
  talk.settle();
  CHECK(talk.peer.raw().size() == 1);
}

TEST_CASE("Connection: cheap requests do not wait for long ones, replies come in any order",
          "[mcp]") {
  Talk talk;
  talk.open("2025-11-25");
  for (int id = 1; id <= 8; ++id) {
    talk.peer.say(request(id, "tools/call", call("hold", {{"text", std::to_string(id)}})));
  }
  REQUIRE(talk.world.gate.wait_for(8));
  talk.peer.say(request("list", "tools/list"));
  talk.peer.say(request("quick", "tools/call", call("echo")));
  talk.settle();
  CHECK(talk.find("list").contains("result"));
  for (int id = 1; id <= 8; ++id) CHECK(talk.find(id).is_null());
  talk.world.gate.open();
  // Two of the handshake, the list, the quick call and what settled.
  talk.peer.heard(5 + 8);
  for (int id = 1; id <= 8; ++id) {
    CHECK(talk.find(id)["result"]["structuredContent"]["text"] == std::to_string(id));
  }
}

TEST_CASE("Connection: a cancelled request stops and is not answered, in both eras", "[mcp]") {
  Talk talk;
  talk.open("2025-11-25");
  talk.peer.say(request(1, "tools/call", call("hold")));
  talk.peer.say(request("1", "tools/call", call("hold")));
  talk.peer.say(modern(2, "tools/call", call("hold")));
  REQUIRE(talk.world.gate.wait_for(3));
  talk.peer.say(cancelled(1));
  talk.peer.say(cancelled(2));
  talk.settle();
  talk.world.gate.open();
  CHECK(talk.finish().ok());
  CHECK(talk.find(1).is_null());
  CHECK(talk.find(2).is_null());
  // Its id is another one.
  CHECK(talk.find("1").contains("result"));
}

TEST_CASE("Connection: an id can be used again once its request is over", "[mcp]") {
  Talk talk;
  talk.peer.say(request(1, "tools/call", call("echo", {{"text", "a"}})));
  talk.peer.heard(1);
  // The reply is written before the job is forgotten, but the id is free before the reply.
  talk.peer.say(request(1, "tools/call", call("echo", {{"text", "b"}})));
  CHECK(talk.peer.heard(2)[1]["result"].contains("content"));
}

TEST_CASE("Connection: an id in flight is not taken twice", "[mcp]") {
  Talk talk;
  talk.peer.say(request(7, "tools/call", call("hold", {{"text", "first"}})));
  REQUIRE(talk.world.gate.wait_for(1));
  talk.peer.say(request(7, "tools/call", call("echo")));
  const Json refused = talk.peer.heard(1)[0];
  CHECK(refused["id"].is_null());
  CHECK(refused["error"] == Json{{"code", -32600}, {"message", "id 7 is already in flight"}});
  talk.world.gate.open();
  CHECK(talk.peer.heard(2)[1]["result"]["content"][0]["text"] == R"({"text":"first"})");
}

TEST_CASE("Connection: progress is told under its token, each time more", "[mcp]") {
  ServerOptions eager;
  eager.progress_interval = std::chrono::milliseconds(0);
  Talk talk(64, {}, eager);
  talk.open("2025-03-26");
  Json params = call("steps");
  params["_meta"] = {{"progressToken", "t"}};
  talk.peer.say(request(1, "tools/call", params));
  const std::size_t opened = 2;
  auto heard = talk.peer.heard(opened + 4);
  for (std::uint64_t step = 1; step <= 3; ++step) {
    CHECK(heard[opened + step - 1] == Json{{"jsonrpc", "2.0"},
                                           {"method", "notifications/progress"},
                                           {"params",
                                            {{"progressToken", "t"},
                                             {"progress", step},
                                             {"total", 3},
                                             {"message", "step " + std::to_string(step)}}}});
  }
  CHECK(heard[opened + 3]["id"] == 1);
  // Without a token there is none.
  talk.peer.say(request(2, "tools/call", call("steps")));
  CHECK(talk.peer.heard(opened + 5)[opened + 4]["id"] == 2);
}

TEST_CASE("Connection: progress in 2024-11-05 has no message", "[mcp]") {
  Talk talk;
  talk.open("2024-11-05");
  Json params = call("steps");
  params["_meta"] = {{"progressToken", 5}};
  talk.peer.say(request(1, "tools/call", params));
  // The default interval lets the first step through, and the last.
  const auto heard = talk.peer.heard(2 + 3);
  CHECK(heard[2]["params"] == Json{{"progressToken", 5}, {"progress", 1}, {"total", 3}});
  CHECK(heard[3]["params"] == Json{{"progressToken", 5}, {"progress", 3}, {"total", 3}});
}

TEST_CASE("Connection: no progress follows a cancellation", "[mcp]") {
  ServerOptions eager;
  eager.progress_interval = std::chrono::milliseconds(0);
  Talk talk(64, {}, eager);
  std::atomic<bool> started{false};
  std::atomic<bool> told{false};
  talk.world.executor.on("echo", [&](const CallContext& call, const Json&) -> Result<Json> {
    started = true;
    while (!call.cancel.cancelled()) std::this_thread::yield();
    call.progress(1, 0, "too late");
    told = true;
    return Json::object();
  });
  Json params = call("echo");
  params["_meta"] = {{"progressToken", 1}};
  talk.peer.say(request(1, "tools/call", params));
  // A call that is cancelled while it still waits for a thread is never begun.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!started && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  REQUIRE(started);
  talk.peer.say(cancelled(1));
  CHECK(talk.finish().ok());
  CHECK(told);
  CHECK(talk.peer.raw().empty());
}

TEST_CASE("Connection: batches belong to 2025-03-26 alone", "[mcp]") {
  const std::string batch = "[" + request(1, "ping") + "," + request(2, "tools/list") + "]";
  for (const char* version : {"2024-11-05", "2025-06-18", "2025-11-25"}) {
    Talk talk;
    talk.open(version);
    talk.peer.say(batch);
    const Json refused = talk.peer.heard(3)[2];
    CHECK(refused["id"].is_null());
    CHECK(refused["error"] == Json{{"code", -32600},
                                   {"message", "batches are not part of " + std::string(version) +
                                                   ": send one message at a time"}});
  }
  Talk talk;
  talk.open("2025-03-26");
  talk.peer.say(batch);
  const Json replies = talk.peer.heard(3)[2];
  REQUIRE(replies.is_array());
  REQUIRE(replies.size() == 2);
  CHECK(replies[0] == Json{{"jsonrpc", "2.0"}, {"id", 1}, {"result", Json::object()}});
  CHECK(replies[1]["id"] == 2);
  // Of the other era, whose rules a batch cannot keep.
  Json modern = Json::parse(request(3, "tools/list"));
  modern["params"]["_meta"] = test::modern_meta();
  talk.peer.say("[" + modern.dump() + "]");
  const Json lone = talk.peer.heard(4)[3];
  REQUIRE(lone.is_array());
  CHECK(lone[0]["id"] == 3);
  CHECK(lone[0]["error"]["code"] == -32600);
  CHECK_THAT(std::string(lone[0]["error"]["message"]),
             Catch::Contains("cannot be part of a batch"));
}

TEST_CASE("Connection: a batch is bounded, and each of its messages is judged by itself", "[mcp]") {
  Talk talk;
  talk.open("2025-03-26");
  talk.peer.say("[]");
  CHECK(talk.peer.heard(3)[2]["error"]["message"] == "a batch has 1 to 100 messages, got 0");
  Json many = Json::array();
  for (int i = 0; i < 101; ++i) many.push_back(Json::parse(request(i, "ping")));
  talk.peer.say(many.dump());
  CHECK(talk.peer.heard(4)[3]["error"]["message"] == "a batch has 1 to 100 messages, got 101");
  many.erase(0);
  talk.peer.say(many.dump());
  CHECK(talk.peer.heard(5)[4].size() == 100);

  talk.peer.say(R"([1,{"jsonrpc":"2.0","method":"notifications/initialized"},)" +
                request("i", "initialize", {{"protocolVersion", "2024-11-05"}}) + "," +
                request("c", "tools/call", call("echo", {{"text", "x"}})) + "," +
                request("c", "tools/call", call("echo")) + "]");
  const Json replies = talk.peer.heard(6)[5];
  REQUIRE(replies.size() == 4);
  std::set<std::string> seen;
  for (const Json& reply : replies) {
    seen.insert(reply["id"].dump() + " " +
                (reply.contains("error") ? reply["error"]["code"].dump() : "ok"));
  }
  CHECK(seen == std::set<std::string>{"null -32600", "\"i\" -32600", "\"c\" ok"});
  // Only notifications: no reply at all.
  talk.peer.say(R"([{"jsonrpc":"2.0","method":"a"},{"jsonrpc":"2.0","method":"b"}])");
  talk.settle();
  CHECK(talk.peer.raw().size() == 7);
}

TEST_CASE("Connection: of a batch, what is cancelled is left out", "[mcp]") {
  Talk talk;
  talk.peer.say("[" + request(1, "tools/call", call("hold")) + "," + request(2, "ping") + "]");
  REQUIRE(talk.world.gate.wait_for(1));
  talk.peer.say(cancelled(1));
  const Json replies = talk.peer.heard(1)[0];
  REQUIRE(replies.size() == 1);
  CHECK(replies[0]["id"] == 2);
}

TEST_CASE("Connection: when no thread is left a call is told so, and its id is free", "[mcp]") {
  Talk talk(1);
  talk.open("2025-11-25");
  talk.peer.say(request(1, "tools/call", call("hold")));
  REQUIRE(talk.world.gate.wait_for(1));
  for (int i = 0; i < 2; ++i) {
    talk.peer.say(request(2, "tools/call", call("echo")));
    const Json busy = talk.peer.heard(3 + static_cast<std::size_t>(i)).back();
    CHECK(busy["id"] == 2);
    CHECK(busy["result"]["isError"] == true);
    CHECK(Json::parse(std::string(busy["result"]["content"][0]["text"])) ==
          Json{{"code", "resource_exhausted"},
               {"message", "the server is busy"},
               {"retryable", true}});
  }
  talk.world.gate.open();
}

TEST_CASE("Connection: the text in flight is bounded", "[mcp]") {
  ConnectionOptions options;
  options.bytes_in_flight_max = 1000;
  Talk talk(64, options);
  // One message is always taken, however large.
  talk.peer.say(request(1, "tools/call", call("hold", {{"text", std::string(2000, 'x')}})));
  REQUIRE(talk.world.gate.wait_for(1));
  talk.peer.say(request(2, "tools/call", call("echo")));
  const Json refused = talk.peer.heard(1)[0];
  CHECK(refused["id"] == 2);
  CHECK(refused["result"]["isError"] == true);
  talk.world.gate.open();
  talk.peer.heard(2);
}

TEST_CASE("Connection: when the peer closes, what is in flight is finished", "[mcp]") {
  Talk talk;
  talk.peer.say(request(1, "tools/call", call("hold")));
  REQUIRE(talk.world.gate.wait_for(1));
  talk.peer.close();
  talk.world.gate.open();
  CHECK(talk.finish().ok());
  CHECK(talk.find(1).contains("result"));
}

TEST_CASE("Connection: what does not finish in time is cancelled", "[mcp]") {
  ConnectionOptions options;
  options.drain = std::chrono::milliseconds(20);
  Talk talk(64, options);
  talk.peer.say(request(1, "tools/call", call("hold")));
  REQUIRE(talk.world.gate.wait_for(1));
  // The gate never opens: only the token ends the call.
  CHECK(talk.finish().ok());
  CHECK(talk.find(1)["error"]["code"] == rpc::kInternalError);
  CHECK_THAT(talk.find(1)["error"]["message"].get<std::string>(),
             Catch::Contains("the input ended while this call ran"));
}

TEST_CASE("Connection: what the peer cancelled is not answered at the end either", "[mcp]") {
  ConnectionOptions options;
  options.drain = std::chrono::milliseconds(20);
  Talk talk(64, options);
  for (const int id : {1, 2}) talk.peer.say(request(id, "tools/call", call("hold")));
  REQUIRE(talk.world.gate.wait_for(2));
  talk.peer.say(cancelled(1));
  CHECK(talk.finish().ok());
  CHECK(talk.find(1).is_null());
  CHECK(talk.find(2).contains("error"));
}

TEST_CASE("Connection: a peer that does not take replies ends the conversation", "[mcp]") {
  Talk talk;
  talk.peer.say(request(1, "tools/call", call("hold")));
  REQUIRE(talk.world.gate.wait_for(1));
  talk.peer.hang_up();
  talk.peer.say(request(2, "ping"));
  // Nobody closes the peer's side here: the failed write does.
  CHECK(talk.end().ok());
  CHECK(talk.peer.raw().empty());
}

}  // namespace
}  // namespace quiver::mcp
