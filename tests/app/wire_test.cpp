// Frames and messages: every message survives the round trip, every other byte string is refused
// with an error. The length prefix is checked against bytes written by hand.

#include "app/wire.h"

#include <random>
#include <string>

#include <catch2/catch.hpp>

namespace quiver::app::wire {
namespace {

/// Cuts one whole frame into its message.
Message round_trip(const Message& message) {
  const auto frame = encode(message);
  REQUIRE(frame.ok());
  FrameBuffer buffer;
  buffer.append(*frame);
  const auto body = buffer.next(kFrameBytesMax);
  REQUIRE(body.ok());
  REQUIRE(body->has_value());
  auto decoded = decode(**body);
  REQUIRE(decoded.ok());
  REQUIRE(decoded->index() == message.index());
  return std::move(*decoded);
}

Result<Message> decoded(const std::string& body) {
  return decode(body);
}

TEST_CASE("wire: a frame is its length in four little-endian bytes and JSON", "[app][wire]") {
  const auto frame = encode(Ping{});
  REQUIRE(frame.ok());
  CHECK(*frame == std::string("\x0f\0\0\0", 4) + R"({"type":"ping"})");
}

TEST_CASE("wire: messages survive the round trip", "[app][wire]") {
  const auto hello = std::get<Hello>(round_trip(Hello{7, "1.2.3", 99}));
  CHECK((hello.protocol == 7 && hello.version == "1.2.3" && hello.pid == 99));
  CHECK(std::get<Refused>(round_trip(Refused{"no"})).message == "no");
  CHECK(std::get<Cancel>(round_trip(Cancel{12})).n == 12);
  CHECK(std::holds_alternative<Pong>(round_trip(Pong{})));
  using service::Change;
  const std::vector<Change> changes{{Change::Kind::CollectionsChanged, "a"},
                                    {Change::Kind::PointsChanged, ""},
                                    {Change::Kind::PointsChanged, "b"}};
  CHECK(std::get<Changed>(round_trip(Changed{changes})).changes == changes);
  const auto progress = std::get<Progress>(round_trip(Progress{1, 2, 3, "halfway"}));
  CHECK((progress.n == 1 && progress.done == 2 && progress.total == 3));
  CHECK(progress.message == "halfway");

  Invoke invoke;
  invoke.n = 18446744073709551615U;
  invoke.operation = "memory_store";
  invoke.arguments = {{"items", {1, "zwei", nullptr}}, {"braces", "{[\"]}\\"}};
  invoke.request_id = RequestId::random();
  invoke.wants_progress = true;
  auto copy = std::get<Invoke>(round_trip(invoke));
  CHECK((copy.n == invoke.n && copy.operation == invoke.operation && copy.wants_progress));
  CHECK(copy.arguments == invoke.arguments);
  CHECK(copy.request_id == invoke.request_id);
  CHECK_FALSE(copy.timeout_ms.has_value());
  invoke.timeout_ms = -3;
  CHECK(std::get<Invoke>(round_trip(invoke)).timeout_ms == -3);

  const auto result = std::get<Reply>(round_trip(Reply{4, false, Json{{"hits", Json::array()}}}));
  CHECK((result.n == 4 && result.outcome.ok() && *result.outcome == Json{{"hits", Json::array()}}));
  const auto error =
      std::get<Reply>(round_trip(Reply{5, false, Error{ErrorCode::Corruption, "torn"}}));
  REQUIRE_FALSE(error.outcome.ok());
  CHECK(error.outcome.error().code == ErrorCode::Corruption);
  CHECK(error.outcome.error().message == "torn");
  CHECK(std::get<Reply>(round_trip(Reply{6, true, Json()})).is_closing);
}

TEST_CASE("wire: an error code of a newer version reads as internal", "[app][wire]") {
  const auto reply =
      decoded(R"({"type":"reply","n":1,"error":{"code":200,"message":"what is this"}})");
  REQUIRE(reply.ok());
  CHECK(std::get<Reply>(*reply).outcome.error().code == ErrorCode::Internal);
}

TEST_CASE("wire: what is not a message is refused", "[app][wire]") {
  const auto body = GENERATE(
      as<std::string>{}, "", "{", "[]", "null", "{}", R"({"type":"dance"})", R"({"type":1})",
      R"({"type":"cancel"})", R"({"type":"cancel","n":-1})", R"({"type":"cancel","n":"1"})",
      R"({"type":"invoke","n":1,"operation":"a","arguments":{},"progress":false})",
      R"({"type":"invoke","n":1,"operation":"a","arguments":{},"progress":false,"request_id":"x"})",
      R"({"type":"reply","n":1})", R"({"type":"hello","protocol":1})",
      R"({"type":"changed","points":[]})", R"({"type":"changed","collections":[1],"points":[]})",
      "}", "\xff\xfe");
  INFO(body);
  const auto message = decoded(body);
  REQUIRE_FALSE(message.ok());
  CHECK(message.error().code == ErrorCode::InvalidArgument);
}

TEST_CASE("wire: nesting is bounded before anything is built", "[app][wire]") {
  const auto nested = [](std::size_t depth) {
    return R"({"type":"refused","message":"m","x":)" + std::string(depth, '[') +
           std::string(depth, ']') + "}";
  };
  CHECK(decoded(nested(60)).ok());
  CHECK_FALSE(decoded(nested(100)).ok());
  CHECK_FALSE(decoded(nested(1'000'000)).ok());
  CHECK(decoded(R"({"type":"refused","message":")" + std::string(500, '[') + R"(\"["})").ok());
}

TEST_CASE("wire: text that is not UTF-8 is refused, not changed", "[app][wire]") {
  Invoke invoke;
  invoke.arguments = Json{{"text", "\xff"}};
  const auto frame = encode(invoke);
  REQUIRE_FALSE(frame.ok());
  CHECK(frame.error().code == ErrorCode::InvalidArgument);
  CHECK_FALSE(encode(Reply{1, false, Json("\xc3")}).ok());
  // In a message for people a replacement character does no harm.
  CHECK(encode(Reply{1, false, Error{ErrorCode::Internal, "\xff"}}).ok());
}

TEST_CASE("wire: a frame beyond the bound is refused on both sides", "[app][wire]") {
  const auto frame = encode(Reply{1, false, Json(std::string(kFrameBytesMax, 'x'))});
  REQUIRE_FALSE(frame.ok());
  CHECK(frame.error().code == ErrorCode::ResourceExhausted);
  FrameBuffer buffer;
  buffer.append(std::string("\x01\x10\0\0", 4));  // 4097
  CHECK_FALSE(buffer.next(kHelloBytesMax).ok());
}

TEST_CASE("wire: frames are found however the bytes arrive", "[app][wire]") {
  const auto seed = GENERATE(1U, 2U, 3U);
  std::mt19937 random(seed);
  std::string stream;
  for (std::uint64_t n = 0; n < 200; ++n) {
    stream += *encode(Progress{n, 0, 0, std::string(random() % 3000, 'm')});
  }
  FrameBuffer buffer;
  std::uint64_t expected = 0;
  for (std::size_t at = 0; at < stream.size();) {
    const std::size_t count = std::min<std::size_t>(1 + random() % 5000, stream.size() - at);
    buffer.append(std::string_view(stream).substr(at, count));
    at += count;
    while (true) {
      const auto body = buffer.next(kFrameBytesMax);
      REQUIRE(body.ok());
      if (!*body) break;
      REQUIRE(std::get<Progress>(*decode(**body)).n == expected++);
    }
  }
  CHECK(expected == 200);
}

}  // namespace
}  // namespace quiver::app::wire
