// What two copies compare of a point: every part of it counts, and the order of parts does.

#include "core/content_sums.h"

#include <catch2/catch.hpp>

namespace quiver {
namespace {

Point sample() {
  Point point;
  point.id = PointId(std::uint64_t{7});
  point.vector = {1.0F, 2.0F};
  point.text = "ab";
  point.payload = Json{{"c", 1}};
  point.created_at_ms = 12;
  point.expires_at_ms = 3;
  return point;
}

}  // namespace

TEST_CASE("content_hash: each part of a point counts", "[core]") {
  const auto base = content_hash(sample());
  CHECK(content_hash(sample()) == base);
  const auto changed = [&](auto change) {
    auto point = sample();
    change(point);
    return content_hash(point);
  };
  CHECK(changed([](Point& p) { p.id = PointId(std::uint64_t{8}); }) != base);
  CHECK(changed([](Point& p) { p.id = *PointId::from_text("7"); }) != base);
  CHECK(changed([](Point& p) { p.vector[1] = 2.5F; }) != base);
  // Equal as numbers, other bits on the disk.
  CHECK(changed([](Point& p) { p.vector[0] = 0.0F; }) !=
        changed([](Point& p) { p.vector[0] = -0.0F; }));
  CHECK(changed([](Point& p) { p.text = "ac"; }) != base);
  CHECK(changed([](Point& p) { p.text.reset(); }) != changed([](Point& p) { p.text = ""; }));
  CHECK(changed([](Point& p) { p.payload["c"] = 2; }) != base);
  CHECK(changed([](Point& p) { p.created_at_ms = 13; }) != base);
  // 12 and 3, or 1 and 23.
  CHECK(changed([](Point& p) { p.created_at_ms = 1, p.expires_at_ms = 23; }) != base);
}

TEST_CASE("add_touched: the buckets of all ids that a mutation names", "[core]") {
  const PointId a(std::uint64_t{1});
  const PointId b = *PointId::from_text("two");
  REQUIRE(content_bucket(a) != content_bucket(b));
  const auto touched = [](const Mutation& mutation) {
    ContentBuckets out;
    add_touched(mutation, out);
    return out;
  };
  ContentBuckets both;
  both.set(content_bucket(a)).set(content_bucket(b));
  Point first = sample();
  first.id = a;
  Point second = sample();
  second.id = b;
  CHECK(touched(UpsertPoints{{first, second}}) == both);
  CHECK(touched(ErasePoints{{a, b}, 0}) == both);
  CHECK(touched(EraseExpired{{a, b}, 5}) == both);
  CHECK(touched(UpdatePayload{{a, b}, UpdatePayload::Mode::Merge, Json::object()}) == both);
  CHECK(touched(ErasePoints{{a}, 0}).count() == 1);
}

}  // namespace quiver
