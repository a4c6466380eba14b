// Framing: what is and is not a message, held to JSON-RPC 2.0 and RFC 8259 by hand-written texts.
// What is accepted must equal what nlohmann's own reader makes of it.

#include "mcp/json_rpc.h"

#include <string>

#include <catch2/catch.hpp>

#include "core/limits.h"

namespace quiver::mcp {
namespace {

Fault fault_of(const std::string& text) {
  auto json = read_json(text);
  if (const auto* fault = std::get_if<Fault>(&json)) return *fault;
  auto message = read_message(std::get<Json>(std::move(json)));
  const auto* fault = std::get_if<Fault>(&message);
  INFO(text.substr(0, 200));
  REQUIRE(fault != nullptr);
  return *fault;
}

Message message_of(const std::string& text) {
  auto json = read_json(text);
  INFO(text.substr(0, 200));
  REQUIRE(std::holds_alternative<Json>(json));
  auto message = read_message(std::get<Json>(std::move(json)));
  REQUIRE(std::holds_alternative<Message>(message));
  return std::get<Message>(std::move(message));
}

std::string repeat(const std::string& text, std::size_t times) {
  std::string out;
  out.reserve(text.size() * times);
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

TEST_CASE("read_json: builds what another reader builds", "[mcp]") {
  for (const std::string text :
       {R"({"a":[1,-2,3.5,1e300,true,false,null,"x",{"b":{}},[]],"c":"\u00e9\ud83d\ude00"})",
        R"([18446744073709551615,-9223372036854775808,0.1])", R"("text")", "7", " null ",
        R"({"jsonrpc":"2.0","params":{"_meta":{"id":1},"id":2},"id":3})"}) {
    auto json = read_json(text);
    REQUIRE(std::holds_alternative<Json>(json));
    CHECK(std::get<Json>(json) == Json::parse(text));
  }
}

TEST_CASE("read_json: what is not JSON is a parse error under no id", "[mcp]") {
  for (const std::string text :
       {"", "{", R"({"jsonrpc":"2.0","id":1,"method":"ping")", R"({"id":1}})", "nul", "{'a':1}",
        "[1,]", "01", "\"\x01\"", "GET / HTTP/1.1", "1e999", R"({"id":1,"a":"\ud800"})"}) {
    const Fault fault = fault_of(text);
    CHECK(fault.error.code == -32700);
    CHECK(fault.id.is_null());
  }
  CHECK(fault_of(std::string("[\0]", 3)).error.code == -32700);
  CHECK(fault_of("[1,x").error.message == "not valid JSON: unexpected at byte 4");
  CHECK(fault_of("1e999").error.message == "a number is out of range at byte 5");
}

TEST_CASE("read_json: text that is not UTF-8 is a parse error that says so", "[mcp]") {
  for (const std::string bad :
       {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x82"}) {
    const Fault fault = fault_of(R"({"jsonrpc":"2.0","id":1,"method":")" + bad + R"("})");
    CHECK(fault.error.code == -32700);
    CHECK(fault.error.message == "not valid UTF-8");
  }
}

TEST_CASE("read_json: nesting is bounded, and the id is found nevertheless", "[mcp]") {
  const auto nested = [](std::size_t levels) {
    return R"({"params":)" + repeat("[", levels - 1) + repeat("]", levels - 1) +
           R"(,"jsonrpc":"2.0","id":"a","method":"ping"})";
  };
  CHECK(std::holds_alternative<Json>(read_json(nested(limits::kJsonDepthMax))));
  const Fault fault = fault_of(nested(limits::kJsonDepthMax + 1));
  CHECK(fault.error.code == -32600);
  CHECK(fault.error.message == "nested too deep: at most 64 levels");
  CHECK(fault.id == "a");
  CHECK(fault_of(nested(100'000)).id == "a");
  // Only the message's own id counts, and only if it can be one.
  const std::string deep = repeat("[", 70) + repeat("]", 70);
  CHECK(fault_of(R"({"a":)" + deep + R"(,"b":{"id":7}})").id.is_null());
  CHECK(fault_of(R"({"a":)" + deep + R"(,"id":[7]})").id.is_null());
  CHECK(fault_of(R"({"a":)" + deep + R"(,"id":1.5})").id.is_null());
  CHECK(fault_of(R"({"id":7,"a":)" + deep + R"(})").id == 7);
  // A message that is refused and then breaks off is a broken one.
  CHECK(fault_of(repeat("[", 100'000)).error.code == -32700);
}

TEST_CASE("read_json: an integer that would lose digits is refused", "[mcp]") {
  for (const std::string number : {"18446744073709551616", "-9223372036854775809"}) {
    const Fault fault = fault_of(R"({"id":7,"params":{"metadata":{"n":[)" + number + "]}}}");
    CHECK(fault.error.code == -32600);
    CHECK(fault.id == 7);
    CHECK_THAT(fault.error.message, Catch::Contains("the integer " + number + " does not fit"));
  }
  for (const std::string number : {"18446744073709551616.0", "1.8446744073709551616e19", "1E300"}) {
    CHECK(std::holds_alternative<Json>(read_json(R"({"id":7,"n":)" + number + "}")));
  }
}

TEST_CASE("read_json: a key that appears twice is refused, at any depth", "[mcp]") {
  const Fault twice = fault_of(R"({"jsonrpc":"2.0","id":1,"id":2,"method":"ping"})");
  CHECK(twice.error.code == -32600);
  CHECK(twice.error.message == "key \"id\" appears twice in one object");
  CHECK(twice.id.is_null());
  const Fault method = fault_of(R"({"method":"a","jsonrpc":"2.0","id":5,"method":"ping"})");
  CHECK(method.error.code == -32600);
  CHECK(method.id == 5);
  const Fault inner = fault_of(R"({"jsonrpc":"2.0","params":{"x":[{"k":1,"k":1}]},"id":"i"})");
  CHECK(inner.error.message == "key \"k\" appears twice in one object");
  CHECK(inner.id == "i");
  CHECK(std::holds_alternative<Json>(read_json(R"([{"k":1},{"k":1}])")));
}

TEST_CASE("read_json: size in bytes and in memory is bounded", "[mcp]") {
  const Fault large = fault_of(std::string(limits::kMessageBytesMax + 1, ' '));
  CHECK(large.error.code == -32600);
  CHECK(large.error.message == "message too large: 67108865 bytes, 67108864 bytes max");

  // Three bytes each, and 64 in memory, beside the array, which has 16,384 places of 16 by then.
  const auto swollen = [](std::size_t objects) {
    return read_json(R"({"jsonrpc":"2.0","id":9,"p":[{})" + repeat(",{}", objects - 1) + "]}",
                     std::size_t{1} << 20);
  };
  CHECK(std::holds_alternative<Json>(swollen(12'288 - 10)));
  const auto refused = swollen(12'288 + 1);
  REQUIRE(std::holds_alternative<Fault>(refused));
  CHECK(std::get<Fault>(refused).error.code == -32600);
  CHECK(
      std::get<Fault>(refused).error.message ==
      "message has too many values: read, it would take more than 1 MiB; send it in smaller parts");
  CHECK(std::get<Fault>(refused).id == 9);
}

TEST_CASE("read_message: requests, notifications and responses are told apart", "[mcp]") {
  const auto request = message_of(R"({"jsonrpc":"2.0","id":7,"method":"m","params":{"a":1}})");
  REQUIRE(std::holds_alternative<Request>(request));
  CHECK(std::get<Request>(request).id == 7);
  CHECK(std::get<Request>(request).method == "m");
  CHECK(std::get<Request>(request).params == Json{{"a", 1}});
  const auto bare = message_of(R"({"method":"m","id":"","jsonrpc":"2.0","more":[]})");
  CHECK(std::get<Request>(bare).params == Json::object());
  const auto told = message_of(R"({"jsonrpc":"2.0","method":"n"})");
  REQUIRE(std::holds_alternative<Notification>(told));
  CHECK(std::get<Notification>(told).method == "n");
  for (const char* text : {R"({"jsonrpc":"2.0","id":1,"result":{}})",
                           R"({"jsonrpc":"2.0","id":"1","error":{"code":1,"message":""}})"}) {
    CHECK(std::holds_alternative<Response>(message_of(text)));
  }
  // An answer is not answered, even if nobody can tell what it answers.
  for (const char* text :
       {R"({"jsonrpc":"2.0","error":{"code":1,"message":""}})",
        R"({"jsonrpc":"2.0","id":null,"error":{"code":1,"message":""}})",
        R"({"jsonrpc":"2.0","id":1.5,"result":{}})", R"({"jsonrpc":"2.0","result":{}})"}) {
    const auto response = message_of(text);
    REQUIRE(std::holds_alternative<Response>(response));
    CHECK(std::get<Response>(response).id.is_null());
  }
}

TEST_CASE("read_message: what is not a message is an invalid request under its id", "[mcp]") {
  struct Case {
    const char* text;
    Json id;
    const char* message;
  };
  const std::vector<Case> cases{
      {"7", nullptr, "a message is an object, got number"},
      {"[]", nullptr, "a message is an object, got array"},
      {"{}", nullptr, "jsonrpc: must be \"2.0\""},
      {R"({"id":1,"method":"m"})", 1, "jsonrpc: must be \"2.0\""},
      {R"({"jsonrpc":2.0,"id":1,"method":"m"})", 1, "jsonrpc: must be \"2.0\""},
      {R"({"jsonrpc":"1.0","id":1,"method":"m"})", 1, "jsonrpc: must be \"2.0\""},
      {R"({"jsonrpc":"2.0","id":"x"})", "x", "method: required"},
      {R"({"jsonrpc":"2.0","id":1,"method":7})", 1, "method: must be a string"},
      {R"({"jsonrpc":"2.0","id":1,"method":"m","params":[1]})", 1, "params: must be an object"},
      {R"({"jsonrpc":"2.0","id":1,"method":"m","params":null})", 1, "params: must be an object"},
      {R"({"jsonrpc":"2.0","id":1,"method":"m","result":{}})", 1,
       "a message has either a method or a result or error"},
  };
  for (const auto& expected : cases) {
    INFO(expected.text);
    const Fault fault = fault_of(expected.text);
    CHECK(fault.error.code == -32600);
    CHECK(fault.id == expected.id);
    CHECK(fault.error.message == expected.message);
  }
  for (const std::string& id : std::vector<std::string>{"null", "1.5", "true", "[]", "{}", "1e30",
                                                        "\"" + std::string(1025, 'i') + "\""}) {
    const Fault fault = fault_of(R"({"jsonrpc":"2.0","method":"m","id":)" + id + "}");
    CHECK(fault.error.code == -32600);
    CHECK(fault.id.is_null());
    CHECK(fault.error.message == "id: must be an integer or a string of at most 1024 bytes");
  }
}

TEST_CASE("replies: one line, ids echoed as they came", "[mcp]") {
  CHECK(result_reply(7, "{}") == R"({"jsonrpc":"2.0","id":7,"result":{}})");
  CHECK(result_reply("7", "{}") == R"({"jsonrpc":"2.0","id":"7","result":{}})");
  CHECK(result_reply(~0ULL, "{}") == R"({"jsonrpc":"2.0","id":18446744073709551615,"result":{}})");
  CHECK(error_reply(Fault{-1, {-32601, "a\nb", {{"k", 1}}}}) ==
        R"({"jsonrpc":"2.0","id":-1,"error":{"code":-32601,"data":{"k":1},"message":"a\nb"}})");
  CHECK(error_reply(nullptr, {-32700, "m"}) ==
        R"({"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"m"}})");
  CHECK(notification_text("n", {{"a", "\r\n"}}) ==
        R"({"jsonrpc":"2.0","method":"n","params":{"a":"\r\n"}})");
  CHECK(to_text(Json("\xff")) == "\"\xef\xbf\xbd\"");
  CHECK(display(std::string(70, 'x')) == "\"" + std::string(64, 'x') + "...\"");
}

}  // namespace
}  // namespace quiver::mcp
