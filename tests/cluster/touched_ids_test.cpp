// What conditional writes wait for, judged by a model that forgets nothing.

#include "cluster/replication/touched_ids.h"

#include <algorithm>
#include <map>

#include <catch2/catch.hpp>

namespace quiver::cluster::replication {
namespace {

TEST_CASE("touched ids: a point is waited for up to its last write", "[replication]") {
  TouchedIds ids(Seq{10});
  CHECK(ids.needed({1}) == Seq{10});
  ids.add({1, 2}, Seq{11});
  ids.add({2}, Seq{12});
  CHECK(ids.needed({1}) == Seq{11});
  CHECK(ids.needed({2}) == Seq{12});
  CHECK(ids.needed({1, 2}) == Seq{12});
  CHECK(ids.needed({3}) == Seq{10});
  ids.truncate_after(Seq{11});
  CHECK(ids.needed({2}) == Seq{11});
  ids.add_all(Seq{20});
  CHECK(ids.needed({3}) == Seq{20});
  ids.applied(Seq{19}, Seq{20});
  CHECK(ids.held() == 2);
  ids.applied(Seq{20}, Seq{20});
  CHECK(ids.held() == 0);
  ids.reset(Seq{7});
  CHECK(ids.needed({1}) == Seq{7});
}

TEST_CASE("touched ids: bounded although what is applied never catches up", "[replication]") {
  constexpr std::size_t kMax = 100;
  TouchedIds ids(Seq{0}, kMax);
  // A model that keeps everything: what is waited for may be later than that, never earlier.
  std::map<std::uint64_t, Seq> written;
  std::uint64_t state = 1;
  for (std::uint64_t seq = 1; seq <= 20'000; ++seq) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    const std::uint64_t hash = state >> 50U;
    ids.add({hash}, Seq{seq});
    written[hash] = Seq{seq};
    // Always one behind.
    ids.applied(Seq{seq - 1}, Seq{seq});
    REQUIRE(ids.held() <= kMax);
    REQUIRE(ids.needed({hash}) == Seq{seq});
    const auto& [other, last] =
        *written.lower_bound((state >> 20U) % (written.rbegin()->first + 1));
    REQUIRE(ids.needed({other}) >= last);
    REQUIRE(ids.needed({other}) <= Seq{seq});
  }
}

}  // namespace
}  // namespace quiver::cluster::replication
