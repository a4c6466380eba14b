// Keys are what is stored, so their order and their bytes are held to hand-worked values.

#include "core/ids.h"

#include <algorithm>
#include <vector>

#include <catch2/catch.hpp>

namespace quiver {
namespace {

PointId text_id(std::string text) {
  auto id = PointId::from_text(std::move(text));
  REQUIRE(id.ok());
  return *id;
}

TEST_CASE("PointId: a number and the same digits as text are different ids", "[core]") {
  CHECK_FALSE(PointId(7) == text_id("7"));
  CHECK(PointId(7).to_json() == Json(7U));
  CHECK(text_id("7").to_json() == Json("7"));
}

TEST_CASE("PointId: the order of keys is the order of ids", "[core]") {
  const std::vector<PointId> ordered{PointId(0),   PointId(1),     PointId(255),
                                     PointId(256), PointId(~0ULL), text_id("A"),
                                     text_id("a"), text_id("aa"),  text_id("b")};
  CHECK(std::is_sorted(ordered.begin(), ordered.end()));
  for (std::size_t i = 1; i < ordered.size(); ++i) {
    CHECK(ordered[i - 1].key() < ordered[i].key());
  }
}

TEST_CASE("PointId: a key has a fixed form and leads back to its id", "[core]") {
  CHECK(PointId(0x0102).key() == std::string("\x01\0\0\0\0\0\0\x01\x02", 9));
  CHECK(text_id("ab").key() ==
        "\x02"
        "ab");
  for (const auto& id :
       {PointId(0), PointId(~0ULL), text_id("x"), text_id(std::string(512, 'y'))}) {
    const auto back = PointId::from_key(id.key());
    REQUIRE(back.ok());
    CHECK(*back == id);
  }
}

TEST_CASE("PointId: malformed keys are corruption", "[core]") {
  for (const std::string& key : {std::string(), std::string("\x01zz"), std::string("\x02"),
                                 std::string("\x03zzzzzzzz"), std::string("\x02\xff")}) {
    const auto id = PointId::from_key(key);
    REQUIRE_FALSE(id.ok());
    CHECK(id.error().code == ErrorCode::Corruption);
  }
}

TEST_CASE("PointId: what JSON may be an id", "[core]") {
  CHECK(PointId::from_json(Json(18446744073709551615ULL)).ok());
  CHECK(PointId::from_json(Json("a")).ok());
  CHECK(PointId::from_json(Json(-1)).error().message ==
        "id: a string or an unsigned 64-bit integer, got -1");
  CHECK(PointId::from_json(Json(1.5)).error().message ==
        "id: a string or an unsigned 64-bit integer, got 1.5");
  CHECK(PointId::from_json(Json(nullptr)).error().message ==
        "id: a string or an unsigned 64-bit integer, got null");
  CHECK(PointId::from_json(Json("")).error().message ==
        "id: a string of 1 to 512 bytes, got 0 bytes");
  CHECK(PointId::from_json(Json(std::string(513, 'a'))).error().message ==
        "id: a string of 1 to 512 bytes, got 513 bytes");
  CHECK(PointId::from_json(Json("\xc3")).error().message == "id: not valid UTF-8");
}

TEST_CASE("RequestId: hexadecimal there and back", "[core]") {
  CHECK(RequestId{}.empty());
  const auto id = RequestId::random();
  CHECK_FALSE(id.empty());
  CHECK_FALSE(id.empty());
  CHECK_FALSE(id == RequestId::random());
  REQUIRE(id.hex().size() == 32);
  CHECK(*RequestId::from_hex(id.hex()) == id);
  CHECK(RequestId::from_hex("000102030405060708090a0b0c0d0e0f")->bytes[15] == 15);
  CHECK_FALSE(RequestId::from_hex("00").ok());
  CHECK_FALSE(RequestId::from_hex(std::string(32, 'g')).ok());
}

}  // namespace
}  // namespace quiver
