// Forms of the values that have one of their own, and the wording of refusals.

#include "service/values.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include <catch2/catch.hpp>

#include "core/limits.h"
#include "service/base64.h"
#include "service/schema.h"

namespace quiver::service {
namespace {

template <typename T>
std::string refusal(const Json& json) {
  const auto value = parse<T>(json, "field");
  REQUIRE_FALSE(value.ok());
  CHECK(value.error().code == ErrorCode::InvalidArgument);
  return value.error().message;
}

std::string bytes_of(const std::vector<float>& values) {
  std::string bytes(values.size() * 4, '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

TEST_CASE("PointId: strings and unsigned integers, which stay apart", "[service]") {
  CHECK(schema_of<PointId>() == Json{{"type", {"string", "integer"}}});
  for (const Json& json : {Json("seven"), Json(7), Json("7"), Json(0), Json(UINT64_MAX)}) {
    const auto id = parse<PointId>(json, "id");
    REQUIRE(id.ok());
    CHECK(encode(*id) == json);
  }
  CHECK(*parse<PointId>("7", "") != *parse<PointId>(7, ""));
  CHECK(refusal<PointId>(-1) == "field: a string or an unsigned 64-bit integer, got -1");
  CHECK(refusal<PointId>(1.5) == "field: a string or an unsigned 64-bit integer, got 1.5");
  CHECK(refusal<PointId>(nullptr) == "field: a string or an unsigned 64-bit integer, got null");
  CHECK(refusal<PointId>("") == "field: a string of 1 to 512 bytes, got 0 bytes");
  CHECK(refusal<PointId>(std::string(513, 'a')) ==
        "field: a string of 1 to 512 bytes, got 513 bytes");
}

TEST_CASE("Vector: an array of numbers is read as float32", "[service]") {
  const auto vector = parse<VectorValue>({1, -2.5, 0.1, 1e-45, 3.4028234663852886e38}, "");
  REQUIRE(vector.ok());
  CHECK(vector->values ==
        std::vector<float>{1.0F, -2.5F, 0.1F, 1e-45F, std::numeric_limits<float>::max()});
}

TEST_CASE("Vector: base64 of little-endian float32 is read alike", "[service]") {
  // 1.0F is 0x3F800000, so its bytes are 00 00 80 3F.
  CHECK(parse<VectorValue>("AACAPw==", "")->values == std::vector<float>{1.0F});
  const std::vector<float> values{0.25F, -3.0F, 1e30F};
  CHECK(parse<VectorValue>(base64_encode(bytes_of(values), Base64::Standard), "")->values ==
        values);
}

TEST_CASE("Vector: what it is written as reads back as the same floats", "[service]") {
  std::mt19937 random(11);
  VectorValue vector;
  while (vector.values.size() < 1000) {
    const auto bits = static_cast<std::uint32_t>(random());
    float value = 0;
    std::memcpy(&value, &bits, 4);
    if (std::isfinite(value)) vector.values.push_back(value);
  }
  const auto text = encode(vector).dump();
  CHECK(bytes_of(parse<VectorValue>(Json::parse(text), "")->values) == bytes_of(vector.values));
  CHECK(encode(VectorValue{{0.1F, 1.0F / 3}}).dump() == "[0.1,0.33333334]");
}

TEST_CASE("Vector: refusals name the component", "[service]") {
  CHECK(refusal<VectorValue>({1, "2"}) == "field[1]: expected a number, got string");
  CHECK(refusal<VectorValue>({1, 1e39}) == "field[1]: must be finite as a 32-bit float, got 1e+39");
  CHECK(refusal<VectorValue>(Json::array()) == "field: must have 1 to 4096 numbers, got 0");
  CHECK(refusal<VectorValue>(Json(std::vector<int>(4097, 1))) ==
        "field: must have 1 to 4096 numbers, got 4097");
  CHECK(refusal<VectorValue>(7) ==
        "field: expected an array of numbers, or a base64 string of little-endian float32, got "
        "number");
}

TEST_CASE("Vector: refusals of base64 say what is wrong with it", "[service]") {
  const std::string expected =
      "field: expected an array of numbers, or a base64 string of little-endian float32, got a "
      "string that is not ";
  CHECK(refusal<VectorValue>("[1, 2]") == expected + "padded base64");
  CHECK(refusal<VectorValue>("Zm9v") == expected + "a whole number of float32");
  CHECK(refusal<VectorValue>("") == "field: must have 1 to 4096 numbers, got 0");
  const auto nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(refusal<VectorValue>(base64_encode(bytes_of({1.0F, nan}), Base64::Standard)) ==
        "field[1]: must be finite");
  const std::vector<float> most(limits::kDimensionMax, 1.0F);
  CHECK(parse<VectorValue>(base64_encode(bytes_of(most), Base64::Standard), "").ok());
  CHECK(refusal<VectorValue>(base64_encode(bytes_of(std::vector<float>(4097)), Base64::Standard)) ==
        "field: must have 1 to 4096 numbers, got 4097");
  CHECK(refusal<VectorValue>(base64_encode(bytes_of(std::vector<float>(6000)), Base64::Standard)) ==
        "field: must have 1 to 4096 numbers, got 6000");
}

TEST_CASE("Metadata: an object of bounded size", "[service]") {
  const Json json = {{"lang", "rust"}, {"deep", {{"list", {1, 2}}}}};
  CHECK(encode(*parse<Metadata>(json, "")) == json);
  CHECK(refusal<Metadata>({1}) == "field: expected an object, got array");
  const Json largest = {{"k", std::string(kMetadataBytesMax - 8, 'x')}};
  REQUIRE(largest.dump().size() == kMetadataBytesMax);
  CHECK(parse<Metadata>(largest, "").ok());
  CHECK(refusal<Metadata>({{"kk", std::string(kMetadataBytesMax - 8, 'x')}}) ==
        "field: must be at most 65536 bytes as compact JSON, got 65537");
}

TEST_CASE("NewName: the characters that names of collections may have", "[service]") {
  CHECK(parse<NewName>("my_Notes-2", "")->value == "my_Notes-2");
  CHECK(parse<NewName>(std::string(64, 'n'), "").ok());
  CHECK(refusal<NewName>("my notes") ==
        "field: must be 1 to 64 of the characters A-Z a-z 0-9 _ -, got \"my notes\"");
  CHECK(refusal<NewName>("") ==
        "field: must be 1 to 64 of the characters A-Z a-z 0-9 _ -, got \"\"");
  CHECK(refusal<NewName>(std::string(500, 'n')).size() < 200);
  CHECK(refusal<NewName>(5) == "field: expected a string, got number");
}

TEST_CASE("Filter: is parsed in place, with the grammar's own messages", "[service]") {
  const Json json = {{"year", {{"$gte", 2024}}}};
  const auto filter = parse<Filter>(json, "filter");
  REQUIRE(filter.ok());
  CHECK(encode(*filter) == json);
  CHECK(filter->matches({{"year", 2025}}));
  const auto wrong = parse<Filter>({{"year", {{"$gtee", 1}}}}, "filter");
  CHECK(wrong.error().message.rfind("filter.year.$gtee: unknown operator", 0) == 0);
}

TEST_CASE("Metric: travels by name", "[service]") {
  CHECK(schema_of<Metric>() == Json{{"type", "string"}, {"enum", {"cosine", "dot", "euclidean"}}});
  CHECK(*parse<Metric>("dot", "") == Metric::Dot);
  CHECK(encode(Metric::Euclidean) == "euclidean");
  CHECK(encode(Metric{0}) == nullptr);
  CHECK(refusal<Metric>("l2") == "field: must be one of cosine, dot, euclidean, got \"l2\"");
  CHECK(refusal<Metric>("cosin") ==
        "field: must be one of cosine, dot, euclidean, got \"cosin\"; did you mean cosine?");
  CHECK(refusal<Metric>(3) == "field: must be one of cosine, dot, euclidean, got 3");
}

}  // namespace
}  // namespace quiver::service
