// Encodings worked out by hand from docs/storage_format.md, and damage at every byte.

#include "storage/mutation_codec.h"

#include <catch2/catch.hpp>

#include "core/limits.h"
#include "core/text.h"
#include "storage/coding.h"

using namespace quiver;
using namespace quiver::storage;

namespace {

PointId text_id(const std::string& text) {
  return PointId::from_text(text).value();
}

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) out += static_cast<char>(value);
  return out;
}

LogEntry sample_entry() {
  LogEntry entry;
  entry.term = Term{3};
  entry.seq = Seq{7};
  entry.request_id.bytes.fill(0xAB);
  Point point;
  point.id = text_id("k");
  point.vector = {1.0F, -2.5F};
  point.payload = Json::parse(R"({"a":[1,2.5,"x"],"big":18446744073709551615,"n":null})");
  point.text = "grüße";
  point.created_at_ms = 1'700'000'000'000;
  point.expires_at_ms = 1'700'000'000'500;
  Point bare;
  bare.id = PointId(42);
  bare.vector = {0.0F, -0.0F};
  entry.mutation = UpsertPoints{{point, bare}};
  return entry;
}

void check_same(const Point& a, const Point& b) {
  CHECK(a.id == b.id);
  CHECK(a.vector == b.vector);
  CHECK(a.payload == b.payload);
  CHECK(a.text == b.text);
  CHECK(a.created_at_ms == b.created_at_ms);
  CHECK(a.expires_at_ms == b.expires_at_ms);
}

}  // namespace

TEST_CASE("coding: big-endian keys sort as their numbers", "[storage][codec]") {
  CHECK(big_endian(std::uint32_t{0x01020304}) == bytes({1, 2, 3, 4}));
  CHECK(big_endian(std::uint64_t{255}) < big_endian(std::uint64_t{256}));
  CHECK(from_big_endian<std::uint32_t>(bytes({1, 2, 3, 4})) == 0x01020304);
  CHECK(from_big_endian<std::uint64_t>(bytes({255, 0, 0, 0, 0, 0, 0, 1})) == 0xFF00000000000001ULL);
}

TEST_CASE("mutation codec: an erasure is laid out as documented", "[storage][codec]") {
  const auto encoded = encode_mutation(ErasePoints{{PointId(7), text_id("ab")}});
  REQUIRE(encoded.ok());
  CHECK(*encoded == bytes({2,                                   // kind
                           2, 0, 0, 0,                          // count
                           9, 0, 1, 0,   0,  0, 0, 0, 0, 0, 7,  // 7
                           3, 0, 2, 'a', 'b'}));                // "ab"
}

TEST_CASE("mutation codec: a later part of an erasure is laid out as documented",
          "[storage][codec]") {
  const auto encoded = encode_mutation(ErasePoints{{text_id("ab")}, 258});
  REQUIRE(encoded.ok());
  const auto laid_out = bytes({5,                       // kind
                               2, 1, 0, 0, 0, 0, 0, 0,  // erased before
                               1, 0, 0, 0,              // count
                               3, 0, 2, 'a', 'b'});     // "ab"
  CHECK(*encoded == laid_out);
  const auto decoded = decode_mutation(laid_out);
  REQUIRE(decoded.ok());
  CHECK(std::get<ErasePoints>(*decoded).erased_before == 258);
  CHECK(std::get<ErasePoints>(*decoded).ids == std::vector<PointId>{text_id("ab")});
  // A part with nothing before it is an erasure of kind 2.
  CHECK_FALSE(decode_mutation(bytes({5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})).ok());
}

TEST_CASE("mutation codec: an upsert is laid out as documented", "[storage][codec]") {
  Point point;
  point.id = text_id("a");
  point.vector = {1.0F};
  point.payload = {{"k", 1}};
  point.text = "t";
  point.created_at_ms = 258;
  point.expires_at_ms = -1;
  const auto encoded = encode_mutation(UpsertPoints{{point}});
  REQUIRE(encoded.ok());
  CHECK(*encoded == bytes({1,   1,   0,   0,   0,                     // kind, count
                           2,   0,   2,   'a',                        // id
                           1,   0,   0,   0,   0,   0,   0x80, 0x3F,  // [1.0]
                           2,   1,   0,   0,   0,   0,   0,    0,     // created
                           255, 255, 255, 255, 255, 255, 255,  255,   // expires
                           1,   1,   0,   0,   0,   't',              // text
                           7,   0,   0,   0,   '{', '"', 'k',  '"',  ':', '1', '}'}));  // payload
}

TEST_CASE("mutation codec: the other kinds are laid out as documented", "[storage][codec]") {
  CHECK(encode_mutation(EraseExpired{{PointId(1)}, 513}).value() ==
        bytes({3, 1, 2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1}));
  CHECK(encode_mutation(UpdatePayload{{}, UpdatePayload::Mode::Replace, Json::object()}).value() ==
        bytes({4, 2, 0, 0, 0, 0, 2, 0, 0, 0, '{', '}'}));
}

TEST_CASE("log entry: an upsert comes back as it was", "[storage][codec]") {
  const auto entry = sample_entry();
  const auto encoded = encode_log_entry(entry);
  REQUIRE(encoded.ok());
  const auto decoded = decode_log_entry(Seq{7}, *encoded);
  REQUIRE(decoded.ok());
  CHECK(decoded->term == entry.term);
  CHECK(decoded->seq == entry.seq);
  CHECK(decoded->request_id == entry.request_id);
  const auto& before = std::get<UpsertPoints>(entry.mutation).points;
  const auto& after = std::get<UpsertPoints>(decoded->mutation).points;
  REQUIRE(after.size() == 2);
  check_same(before[0], after[0]);
  check_same(before[1], after[1]);
  CHECK(std::signbit(after[1].vector[1]));
  CHECK(log_entry_term(Seq{7}, *encoded).value() == Term{3});
}

TEST_CASE("mutation codec: all kinds come back as they were", "[storage][codec]") {
  const std::vector<PointId> ids{PointId(0), PointId(~std::uint64_t{0}), text_id("ü")};
  const auto erase = decode_mutation(encode_mutation(ErasePoints{ids}).value());
  CHECK(std::get<ErasePoints>(*erase).ids == ids);
  const auto expired = decode_mutation(encode_mutation(EraseExpired{ids, -5}).value());
  CHECK(std::get<EraseExpired>(*expired).ids == ids);
  CHECK(std::get<EraseExpired>(*expired).before_ms == -5);
  const UpdatePayload merge{ids, UpdatePayload::Mode::Merge, {{"a", nullptr}, {"b", {1, 2}}}};
  const auto update = decode_mutation(encode_mutation(merge).value());
  CHECK(std::get<UpdatePayload>(*update).ids == ids);
  CHECK(std::get<UpdatePayload>(*update).mode == UpdatePayload::Mode::Merge);
  CHECK(std::get<UpdatePayload>(*update).payload == merge.payload);
}

TEST_CASE("log entry: any flipped bit is a Corruption that names the entry", "[storage][codec]") {
  const auto encoded = encode_log_entry(sample_entry()).value();
  for (std::size_t i = 0; i < encoded.size() * 8; ++i) {
    auto damaged = encoded;
    damaged[i / 8] = static_cast<char>(damaged[i / 8] ^ (1 << (i % 8)));
    const auto decoded = decode_log_entry(Seq{7}, damaged);
    REQUIRE_FALSE(decoded.ok());
    REQUIRE(decoded.error().code == ErrorCode::Corruption);
    REQUIRE(decoded.error().message.find("log entry 7") != std::string::npos);
  }
}

TEST_CASE("log entry: an entry under another's number is a Corruption", "[storage][codec]") {
  const auto encoded = encode_log_entry(sample_entry()).value();
  const auto decoded = decode_log_entry(Seq{8}, encoded);
  REQUIRE_FALSE(decoded.ok());
  CHECK(decoded.error().code == ErrorCode::Corruption);
  CHECK(decoded.error().message.find("log entry 8") != std::string::npos);
}

TEST_CASE("mutation codec: every cut and every trailing byte is noticed", "[storage][codec]") {
  const std::vector<PointId> ids{PointId(1), text_id("two")};
  const std::vector<Mutation> mutations{
      sample_entry().mutation, ErasePoints{ids}, ErasePoints{ids, 7}, EraseExpired{ids, 9},
      UpdatePayload{ids, UpdatePayload::Mode::Merge, {{"k", "v"}}}};
  for (const auto& mutation : mutations) {
    const auto encoded = encode_mutation(mutation).value();
    for (std::size_t size = 0; size < encoded.size(); ++size) {
      REQUIRE_FALSE(decode_mutation(encoded.substr(0, size)).ok());
    }
    CHECK_FALSE(decode_mutation(encoded + '\0').ok());
  }
}

TEST_CASE("mutation codec: unknown kinds, modes and flags are refused", "[storage][codec]") {
  CHECK_FALSE(decode_mutation(bytes({0, 0, 0, 0, 0})).ok());
  CHECK_FALSE(decode_mutation(bytes({5, 0, 0, 0, 0})).ok());
  CHECK_FALSE(decode_mutation(bytes({4, 3, 0, 0, 0, 0, 2, 0, 0, 0, '{', '}'})).ok());
  CHECK_FALSE(decode_mutation(bytes({4, 1, 0, 0, 0, 0, 2, 0, 0, 0, '[', ']'})).ok());
  // A count that the bytes cannot hold fails before memory is reserved for it.
  CHECK_FALSE(decode_mutation(bytes({2, 255, 255, 255, 255})).ok());
}

TEST_CASE("log entry: a newer version says which one is readable", "[storage][codec]") {
  auto encoded = encode_log_entry(sample_entry()).value();
  encoded[0] = 2;
  encoded.resize(encoded.size() - 8);
  ByteWriter checksum;
  checksum.number(stable_hash(encoded));
  const auto decoded = decode_log_entry(Seq{7}, encoded + checksum.out());
  REQUIRE_FALSE(decoded.ok());
  CHECK(decoded.error().code == ErrorCode::FailedPrecondition);
  CHECK(decoded.error().message.find("reads version 1") != std::string::npos);
}

TEST_CASE("log entry: what cannot be stored is refused", "[storage][codec]") {
  LogEntry entry = sample_entry();
  std::get<UpsertPoints>(entry.mutation).points[0].payload["bad"] = "\xFF";
  const auto not_utf8 = encode_log_entry(entry);
  REQUIRE_FALSE(not_utf8.ok());
  CHECK(not_utf8.error().code == ErrorCode::InvalidArgument);

  entry = sample_entry();
  std::get<UpsertPoints>(entry.mutation).points[0].text = std::string(kLogEntryBytesMax, 'x');
  const auto too_large = encode_log_entry(entry);
  REQUIRE_FALSE(too_large.ok());
  CHECK(too_large.error().code == ErrorCode::InvalidArgument);
}
