// The keeper against real etcd-servers, also when they stop and die.

#include "cluster/replication/record_keepers.h"
#include "tests/cluster/etcd_cluster.h"
#include "tests/cluster/record_probe.h"

namespace quiver::cluster {
namespace {

using namespace testing;
using replication::RecordKeepers;
using replication::SwapOutcome;

TEST_CASE("Record keeper: on an etcd of three members", "[cluster][replication][etcd]") {
  EtcdCluster::Options options;
  options.members = 3;
  EtcdCluster etcd(options);
  record_keeper_suite(*etcd.store());
}

TEST_CASE("Record keeper: an etcd that stops leaves it open, one that is gone does not",
          "[cluster][replication][etcd]") {
  EtcdCluster etcd({});
  const auto store = etcd.store();
  const auto first = found_record(*store);
  auto views = ViewSource::open(*store, {});
  REQUIRE(views.ok());
  RecordProbe probe;
  RecordKeepers keepers(*store, **views, {2, std::chrono::milliseconds(1'000)});
  auto link = keepers.follow(kDocs, ShardId{0}, probe.news());
  probe.seen(Term{1});

  etcd.pause(0);
  probe.swap(*link, 1, first, in_term(2));
  CHECK(probe.answer(1).outcome == SwapOutcome::Unknown);
  etcd.resume(0);
  // It may have been written when etcd went on: the same comparison finds out.
  REQUIRE(eventually([&] { return etcd.healthy(); }));
  std::uint64_t id = 1;
  SwapOutcome outcome = SwapOutcome::Unknown;
  while (outcome != SwapOutcome::Done && outcome != SwapOutcome::Conflict && id < 20) {
    probe.swap(*link, ++id, first, in_term(2));
    outcome = probe.answer(id).outcome;
  }
  probe.read(*link);
  const auto settled = probe.seen(Term{2});
  CHECK(settled.revision > first);

  etcd.kill(0);
  probe.swap(*link, 100, settled.revision, in_term(3));
  CHECK(probe.answer(100).outcome == SwapOutcome::NotWritten);
  etcd.start(0);
  REQUIRE(eventually([&] { return etcd.healthy(); }));
  id = 100;
  outcome = SwapOutcome::NotWritten;
  while (outcome != SwapOutcome::Done && id < 120) {
    probe.swap(*link, ++id, settled.revision, in_term(3));
    outcome = probe.answer(id).outcome;
  }
  CHECK(outcome == SwapOutcome::Done);
}

}  // namespace
}  // namespace quiver::cluster
