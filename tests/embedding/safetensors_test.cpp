// Files are written by hand from the format's description. Whatever the bytes are, reading stays
// inside them: the sanitizer builds run these cases.

#include "embedding/minilm/safetensors.h"

#include <random>
#include <string>

#include <catch2/catch.hpp>

namespace quiver::embedding::minilm {
namespace {

using Catch::Matchers::Contains;

std::string length_field(std::uint64_t length) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(length >> (8 * i) & 0xff));
  return bytes;
}

std::string file_of(const std::string& header, std::size_t data_bytes) {
  std::string data;
  for (std::size_t i = 0; i < data_bytes; ++i) data.push_back(static_cast<char>(i));
  return length_field(header.size()) + header + data;
}

Result<Safetensors> parse(const std::string& file) {
  return Safetensors::parse(std::as_bytes(std::span(file)));
}

std::string error_of(const std::string& file) {
  const auto result = parse(file);
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code == ErrorCode::Corruption);
  return result.error().message;
}

std::string tensor(const std::string& type, const std::string& shape, const std::string& offsets) {
  return R"({"t":{"dtype":")" + type + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}}";
}

TEST_CASE("Safetensors: tensors are found by name, with their bytes", "[embedding][safetensors]") {
  const std::string file = file_of(
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F16","shape":[2],"data_offsets":[12,16]},)"
      R"("a":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]}})",
      16);
  const auto parsed = parse(file);
  REQUIRE(parsed.ok());
  const auto a = parsed->halves("a", {2, 3});
  REQUIRE(a.ok());
  CHECK(a->size() == 12);
  CHECK(std::to_integer<int>((*a)[0]) == 0);
  const auto b = parsed->halves("b", {2});
  REQUIRE(b.ok());
  CHECK(b->size() == 4);
  CHECK(std::to_integer<int>((*b)[0]) == 12);
}

TEST_CASE("Safetensors: asking for what is not there says what is wrong",
          "[embedding][safetensors]") {
  const std::string file = file_of(R"({"h":{"dtype":"F16","shape":[2,2],"data_offsets":[0,8]},)"
                                   R"("f":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
                                   12);
  const auto parsed = parse(file);
  REQUIRE(parsed.ok());
  CHECK_THAT(parsed->halves("x", {1}).error().message, Contains("tensor x is missing"));
  CHECK_THAT(parsed->halves("f", {1}).error().message, Contains("F32 instead of F16"));
  CHECK_THAT(parsed->halves("h", {4}).error().message, Contains("unexpected shape"));
  CHECK_THAT(parsed->halves("h", {2, 2, 1}).error().message, Contains("unexpected shape"));
  CHECK(parsed->halves("h", {4}).error().code == ErrorCode::Corruption);
}

TEST_CASE("Safetensors: a tensor without elements and one without dimensions are read",
          "[embedding][safetensors]") {
  CHECK(parse(file_of(tensor("F16", "[0,5]", "[0,0]"), 0)).ok());
  CHECK(parse(file_of(tensor("F64", "[]", "[0,8]"), 8)).ok());
}

TEST_CASE("Safetensors: header lengths beyond the file are refused", "[embedding][safetensors]") {
  CHECK_THAT(error_of(""), Contains("shorter than its length field"));
  CHECK_THAT(error_of("1234567"), Contains("shorter than its length field"));
  CHECK_THAT(error_of(length_field(1)), Contains("claims 1 bytes, at most 0"));
  CHECK_THAT(error_of(length_field(3) + "{}"), Contains("claims 3 bytes, at most 2"));
  CHECK_THAT(error_of(length_field(~0ULL) + "{}"), Contains("claims 18446744073709551615"));
  CHECK_THAT(error_of(length_field(std::uint64_t{1} << 63) + "{}"), Contains("claims"));
  const std::string large((std::size_t{1} << 20) + 1, ' ');
  CHECK_THAT(error_of(length_field(large.size()) + large), Contains("at most 1048576"));
}

TEST_CASE("Safetensors: a header that is no object is refused", "[embedding][safetensors]") {
  for (const char* header : {"", "nonsense", "[]", "7", "{\"a\":", "{\"a\":1"}) {
    CHECK_THAT(error_of(file_of(header, 0)), Contains("not a JSON object"));
  }
  CHECK_THAT(error_of(file_of("\xff\xfe{}", 0)), Contains("not a JSON object"));
  const std::string deep(100'000, '[');
  CHECK_THAT(error_of(file_of(deep, 0)), Contains("not a JSON object"));
}

TEST_CASE("Safetensors: entries of another form are refused", "[embedding][safetensors]") {
  const std::string at_0 = "[0,4]";
  CHECK_THAT(error_of(file_of(R"({"t":5})", 4)), Contains("tensor t: is not an object"));
  CHECK_THAT(error_of(file_of(R"({"t":{}})", 4)), Contains("dtype is not a string"));
  CHECK_THAT(error_of(file_of(R"({"t":{"dtype":2}})", 4)), Contains("dtype is not a string"));
  CHECK_THAT(error_of(file_of(tensor("F17", "[2]", at_0), 4)), Contains("dtype is unknown"));
  for (const char* shape : {"2", "[-2]", "[2.0]", "[\"2\"]", "null"}) {
    CHECK_THAT(error_of(file_of(tensor("F16", shape, at_0), 4)), Contains("array of sizes"));
  }
  for (const char* offsets : {"4", "[4]", "[0,4,4]", "[-1,4]", "[0,1e9]", "{}"}) {
    CHECK_THAT(error_of(file_of(tensor("F16", "[2]", offsets), 4)), Contains("pair of sizes"));
  }
  CHECK_THAT(error_of(file_of(R"({"t":{"dtype":"F16","shape":[2]}})", 4)),
             Contains("pair of sizes"));
}

TEST_CASE("Safetensors: offsets outside the data are refused", "[embedding][safetensors]") {
  CHECK_THAT(error_of(file_of(tensor("F16", "[4]", "[0,8]"), 7)), Contains("outside the data"));
  CHECK_THAT(error_of(file_of(tensor("F16", "[2]", "[4,0]"), 4)), Contains("outside the data"));
  CHECK_THAT(
      error_of(file_of(tensor("F16", "[2]", "[18446744073709551612,18446744073709551615]"), 4)),
      Contains("outside the data"));
}

TEST_CASE("Safetensors: sizes must follow from the shape, without overflow",
          "[embedding][safetensors]") {
  CHECK_THAT(error_of(file_of(tensor("F16", "[3]", "[0,4]"), 4)), Contains("shape"));
  CHECK_THAT(error_of(file_of(tensor("F32", "[2]", "[0,4]"), 4)), Contains("shape"));
  // 2^32 * 2^32 elements are 0 bytes if the product wraps around.
  CHECK_THAT(error_of(file_of(tensor("F16", "[4294967296,4294967296]", "[0,0]"), 0)),
             Contains("shape"));
  CHECK_THAT(error_of(file_of(tensor("F16", "[9223372036854775808]", "[0,0]"), 0)),
             Contains("shape"));
}

TEST_CASE("Safetensors: gaps and overlaps are refused", "[embedding][safetensors]") {
  const auto two = [](const std::string& first, const std::string& second) {
    return R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + first +
           R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + second + "}}";
  };
  CHECK(parse(file_of(two("[4,8]", "[0,4]"), 8)).ok());
  CHECK_THAT(error_of(file_of(two("[0,4]", "[0,4]"), 4)), Contains("overlap or leave gaps"));
  CHECK_THAT(error_of(file_of(two("[0,4]", "[2,6]"), 6)), Contains("overlap or leave gaps"));
  CHECK_THAT(error_of(file_of(two("[0,4]", "[5,9]"), 9)), Contains("overlap or leave gaps"));
  CHECK_THAT(error_of(file_of(two("[0,4]", "[4,8]"), 9)), Contains("overlap or leave gaps"));
}

TEST_CASE("Safetensors: any damage to a header is survived", "[embedding][safetensors]") {
  const std::string good = file_of(R"({"b":{"dtype":"F16","shape":[2],"data_offsets":[12,16]},)"
                                   R"("a":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]}})",
                                   16);
  for (std::size_t size = 0; size < good.size(); ++size) {
    CHECK_FALSE(parse(good.substr(0, size)).ok());
  }
  std::mt19937 random(20'261'123);
  for (int round = 0; round < 20'000; ++round) {
    std::string damaged = good;
    const std::size_t changes = 1 + random() % 3;
    for (std::size_t i = 0; i < changes; ++i) {
      damaged[random() % (good.size() - 16)] = static_cast<char>(random());
    }
    const auto parsed = parse(damaged);
    if (!parsed.ok()) continue;
    // What parses can be read to its last byte.
    for (const char* name : {"a", "b"}) {
      const auto bytes = parsed->halves(name, {2});
      if (!bytes.ok()) continue;
      int sum = 0;
      for (const std::byte byte : *bytes) sum += std::to_integer<int>(byte);
      CHECK(sum >= 0);
    }
  }
}

}  // namespace
}  // namespace quiver::embedding::minilm
