#include "cluster/replication/record_keepers.h"
#include "tests/cluster/record_probe.h"

namespace quiver::cluster::testing {

using replication::RecordKeepers;
using replication::SwapOutcome;

void record_keeper_suite(CoordinationStore& store) {
  const auto key = keys::shard(kDocs, ShardId{0});
  const auto first = found_record(store);
  auto views = ViewSource::open(store, {});
  REQUIRE(views.ok());
  RecordProbe probe;
  RecordKeepers keepers(store, **views, {});
  (*views)->on_change([&] { keepers.look(); });
  auto link = keepers.follow(kDocs, ShardId{0}, probe.news());
  CHECK(probe.seen(Term{1}).revision == first);

  probe.swap(*link, 1, first, in_term(2));
  const auto done = probe.answer(1);
  CHECK(done.outcome == SwapOutcome::Done);
  CHECK(done.revision > first);
  CHECK(probe.seen(Term{2}).revision == done.revision);

  probe.swap(*link, 2, first, in_term(3));
  CHECK(probe.answer(2).outcome == SwapOutcome::Conflict);
  const auto stored = store.get({}, key);
  REQUIRE(stored.ok());
  CHECK((*stored)->value == in_term(2).to_json().dump());
  CHECK((*stored)->revision == done.revision);

  // Of somebody else.
  const auto other = store.txn({}, {{key, done.revision}}, {{key, in_term(4).to_json().dump()}});
  REQUIRE(other.ok());
  CHECK(probe.seen(Term{4}).revision == other->revision);

  // What was told before is told again only to who asks.
  const auto before = probe.all_seen().size();
  probe.read(*link);
  probe.await_seen(before + 1);
  CHECK(probe.all_seen().back().revision == other->revision);
  (*views)->on_change({});
}

}  // namespace quiver::cluster::testing
