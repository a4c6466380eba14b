// Copies that are compared while they work: what is damaged is found and given up, what is not is
// left alone.

#include "cluster/replication/copy_audit.h"

#include <atomic>
#include <thread>

#include "tests/cluster/copy_hosts.h"

namespace quiver::cluster::replication::test {
namespace {

CopyAudit::Options often() {
  CopyAudit::Options options;
  // Whole seconds: what asks for less asks by hand.
  options.every = 1s;
  options.again_after = 1s;
  return options;
}

/// Two copies in sync with so many points.
void fill(Hosts& hosts, std::uint64_t points) {
  hosts.start();
  hosts.found();
  REQUIRE(hosts.eventually([&] { return hosts.serves(0) && hosts.is_open(1); }));
  for (std::uint64_t id = 1; id <= points; ++id) {
    const auto written = hosts.write(0, id);
    INFO(error_of(written));
    REQUIRE(written.ok());
  }
}

const Clock& clock_of_tests() {
  static const SystemClock clock;
  return clock;
}

ContentSums sums_of(const std::vector<std::pair<std::size_t, std::uint64_t>>& set) {
  ContentSums out;
  out.buckets.resize(kContentBuckets);
  for (const auto& [bucket, sum] : set) out.buckets.at(bucket) = sum;
  return out;
}

}  // namespace

TEST_CASE("compare: buckets that differ, but for those that were written to", "[replication]") {
  const auto one = sums_of({{1, 10}, {2, 20}, {4095, 30}});
  CHECK(compare(one, one, {}).differing.none());
  CHECK(compare(one, one, {}).compared == kContentBuckets);
  const auto other = sums_of({{1, 10}, {2, 21}, {4095, 31}});
  const auto found = compare(one, other, {});
  CHECK(found.differing.count() == 2);
  CHECK(found.differing.test(2));
  CHECK(found.differing.test(4095));
  ContentBuckets touched;
  touched.set(2);
  CHECK(compare(one, other, touched).differing.count() == 1);
  CHECK(compare(one, other, touched).compared == kContentBuckets - 1);
  touched.set(4095);
  CHECK(compare(one, other, touched).differing.none());
  touched.set();
  CHECK(compare(one, other, touched).compared == 0);
}

TEST_CASE("copy audit: copies that are written to all the while do not differ", "[replication]") {
  Hosts hosts(often());
  fill(hosts, 200);
  std::atomic<bool> enough{false};
  std::uint64_t written = 0;
  std::thread writer([&] {
    for (std::uint64_t id = 1; !enough; ++id, ++written) {
      if (!hosts.write(0, 100 + id % 500).ok()) break;
    }
  });
  CHECK(hosts.eventually([&] { return hosts.host(0).audited().comparisons >= 5; }));
  enough = true;
  writer.join();
  CHECK(written > 0);
  CHECK(hosts.host(0).audited().differing == 0);
  CHECK(hosts.host(0).audited().last_ms > 0);
  // Who is not primary compares nothing.
  CHECK(hosts.host(1).audited().comparisons == 0);
  CHECK(hosts.record().in_sync.size() == 2);
}

TEST_CASE("copy audit: a copy that differs is given up, and one that is made anew is equal",
          "[replication]") {
  Hosts hosts(often());
  fill(hosts, 50);
  hosts.servers[1].disk.alters = true;
  REQUIRE(hosts.write(0, 7).ok());
  hosts.servers[1].disk.alters = false;
  REQUIRE(hosts.eventually([&] { return hosts.host(0).audited().differing >= 1; }));
  REQUIRE(hosts.eventually([&] { return hosts.record().copies.size() == 1; }));
  CHECK(hosts.record().in_sync == std::vector{copy_of(0)});
  REQUIRE(hosts.eventually([&] { return hosts.is_absent(1); }));
  // Acknowledged writes are still there.
  CHECK(hosts.host(0).known(place_of(0))->stats.points == 50);

  auto again = hosts.record();
  again.copies[copy_of(2)] = {node_of(1), CopyState::New};
  ++again.epoch;
  hosts.put(again);
  REQUIRE(hosts.eventually([&] { return hosts.record().in_sync.size() == 2; }));
  const auto before = hosts.host(0).audited();
  REQUIRE(hosts.eventually(
      [&] { return hosts.host(0).audited().comparisons >= before.comparisons + 2; }));
  CHECK(hosts.host(0).audited().differing == before.differing);
  CHECK(hosts.record().in_sync.size() == 2);
}

TEST_CASE("copy audit: a copy that does not answer tells nothing", "[replication]") {
  Hosts hosts(often());
  fill(hosts, 5);
  hosts.servers[1].keeps_quiet = true;
  const auto before = hosts.host(0).audited();
  REQUIRE(
      hosts.eventually([&] { return hosts.host(0).audited().undecided >= before.undecided + 2; }));
  CHECK(hosts.host(0).audited().differing == 0);
  hosts.servers[1].keeps_quiet = false;
  const auto quiet = hosts.host(0).audited();
  CHECK(hosts.eventually([&] { return hosts.host(0).audited().comparisons > quiet.comparisons; }));
}

TEST_CASE("copy audit: one copy in sync is compared with nothing", "[replication]") {
  Hosts hosts(often());
  fill(hosts, 5);
  hosts.host(1).close();
  REQUIRE(hosts.eventually([&] { return hosts.record().in_sync.size() == 1; }));
  CopyAudit audit({[] { return std::vector<storage::ShardPlace>(); },
                   [&](const storage::ShardPlace& place) { return hosts.host(0).find(place); },
                   [](const NodeId&) -> Result<std::shared_ptr<thrift::NodeHandler>> {
                     return Error{ErrorCode::Internal, "nobody is to be asked"};
                   },
                   node_of(0), clock_of_tests()},
                  often());
  CHECK(audit.audit({}, place_of(0)) == CopyAudit::Outcome::Equal);
  CHECK(audit.figures().comparisons == 0);
  CHECK(audit.figures().undecided == 0);
}

TEST_CASE("copy audit: whoever closes a copy does not wait for it to be read", "[replication]") {
  auto slow = CopyAudit::Options{};
  slow.bytes_per_second = 1;
  Hosts hosts(slow);
  fill(hosts, 600);
  std::thread reader;
  Result<ContentSums> sums = Error{ErrorCode::Internal, "not asked"};
  std::atomic<bool> begun{false};
  CallContext call;
  reader = std::thread([&] {
    begun = true;
    sums = hosts.host(1).content_sums(call, name_of(1));
  });
  REQUIRE(hosts.eventually([&] { return begun.load(); }));
  SECTION("since the shard gives it up") {
    auto alone = hosts.record();
    alone.copies.erase(copy_of(1));
    alone.in_sync = {copy_of(0)};
    ++alone.epoch;
    hosts.put(alone);
    CHECK(hosts.eventually([&] { return hosts.is_absent(1); }));
  }
  SECTION("since the server stops") {
    hosts.host(1).close();
  }
  reader.join();
  CHECK_FALSE(sums.ok());
}

}  // namespace quiver::cluster::replication::test
