#include "thrift/split_write.h"

#include <algorithm>
#include <set>
#include <vector>

#include <catch2/catch.hpp>

#include "core/limits.h"
#include "tests/thrift/builders.h"
#include "thrift/codec_calls.h"

namespace {

using namespace quiver;
using namespace quiver::thrift;
using quiver::testing::Builder;

template <typename Kind>
const Kind& as(const WriteRequest& write) {
  return std::get<Kind>(std::get<Mutation>(write));
}

TEST_CASE("split_write: a write that fits is its only part", "[thrift]") {
  Builder random(1);
  const auto points = random.points(100, 8);
  const auto parts = split_write(Mutation(UpsertPoints{points}));
  REQUIRE(parts.size() == 1);
  CHECK(quiver::testing::same(as<UpsertPoints>(parts[0]).points, points));
  const auto filter = Filter::parse(Json::parse(R"({"a": 1})")).value();
  CHECK(split_write(EraseMatching{filter}).size() == 1);
  CHECK(split_write(Mutation(ErasePoints{})).size() == 1);
}

TEST_CASE("split_write: parts are small, in order, and the whole together", "[thrift]") {
  Builder random(2);
  auto points = random.points(999, 1536);
  for (std::size_t i = 0; i < 5; ++i) {
    points[i * 7].payload = {{"text", std::string(900'000, '\n')}};
  }
  const auto parts = split_write(Mutation(UpsertPoints{points}));
  CHECK(parts.size() > 2);
  std::vector<Point> together;
  for (const auto& part : parts) {
    CHECK(encode_write(part).ok());
    for (const auto& point : as<UpsertPoints>(part).points) together.push_back(point);
  }
  CHECK(quiver::testing::same(together, points));
  CHECK(split_write(Mutation(UpsertPoints{points})).size() == parts.size());
}

TEST_CASE("split_write: lists of ids are divided by number and by bytes", "[thrift]") {
  std::vector<PointId> ids;
  for (std::uint64_t i = 0; i < 25'000; ++i) ids.emplace_back(i);
  const auto erase = split_write(Mutation(ErasePoints{ids}));
  REQUIRE(erase.size() == 3);
  CHECK(as<ErasePoints>(erase[2]).ids.size() == 5000);
  CHECK(as<ErasePoints>(erase[2]).ids.front() == PointId(20'000));

  const auto expired = split_write(Mutation(EraseExpired{ids, 77}), 13 * 100);
  CHECK(expired.size() == 250);
  CHECK(as<EraseExpired>(expired.back()).before_ms == 77);

  const UpdatePayload update{ids, UpdatePayload::Mode::Replace, {{"a", 1}}};
  const auto updates = split_write(Mutation(update));
  REQUIRE(updates.size() == 3);
  CHECK(as<UpdatePayload>(updates[1]).payload == update.payload);
  CHECK(as<UpdatePayload>(updates[1]).mode == UpdatePayload::Mode::Replace);
}

TEST_CASE("split_write: each condition goes with its point", "[thrift]") {
  UpsertIf write;
  for (std::uint64_t id = 0; id < 30; ++id) {
    Point point;
    point.id = PointId(id);
    point.vector = {1.0F};
    write.points.push_back(point);
    if (id % 3 == 0) write.expected.push_back({point.id, id});
  }
  write.expected.push_back({PointId(1000), std::nullopt});
  std::reverse(write.expected.begin(), write.expected.end());
  const auto parts = split_write(write, 500);
  REQUIRE(parts.size() > 2);
  std::set<RequestId> ids;
  const auto whole = RequestId::from_hex("00112233445566778899aabbccddeeff").value();
  std::uint64_t id = 0;
  for (const auto& any : parts) {
    const auto& part = std::get<UpsertIf>(any);
    std::vector<Expectation> expected;
    for (const auto& point : part.points) {
      CHECK(point.id == PointId(id));
      if (id % 3 == 0) expected.push_back({point.id, id});
      ++id;
    }
    CHECK(part.expected == expected);
    CHECK(ids.insert(part_id(whole, part)).second);
    CHECK(part_id(RequestId{}, part).empty());
  }
  CHECK(id == 30);
  CHECK(split_write(write).size() == 1);
}

TEST_CASE("part_id: each part of each division has an id of its own", "[thrift]") {
  const auto whole = RequestId::from_hex("00112233445566778899aabbccddeeff").value();
  CHECK(part_id(whole, 0, 1) == whole);
  CHECK(part_id(RequestId{}, 3, 7).empty());
  std::set<RequestId> seen{whole};
  for (std::size_t parts = 2; parts < 20; ++parts) {
    for (std::size_t part = 0; part < parts; ++part) {
      CHECK(seen.insert(part_id(whole, part, parts)).second);
      CHECK(part_id(whole, part, parts) == part_id(whole, part, parts));
    }
  }
}

}  // namespace
