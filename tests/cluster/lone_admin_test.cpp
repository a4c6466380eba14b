#include "cluster/admin/lone_admin.h"

#include "cluster/local_collections.h"
#include "tests/cluster/admin_world.h"

namespace quiver::cluster {
namespace {

using namespace testing;

TEST_CASE("LoneAdmin: shows the one server, and says how to make a cluster of it",
          "[cluster][admin]") {
  TempDir dir;
  ManualClock clock;
  LocalCollections collections(dir.path(), storage::Options{}, clock);
  CollectionSpec spec;
  spec.name = "notes";
  spec.dimension = 3;
  spec.shard_count = 2;
  REQUIRE(collections.create(CallContext{}, spec).ok());
  LoneAdmin admin([&] { return collections.view(); });
  const auto list = admin.list_nodes(CallContext{}, "");
  REQUIRE(list.ok());
  REQUIRE(list->nodes.size() == 1);
  CHECK(list->nodes[0].up);
  CHECK(list->nodes[0].primaries == 2);
  const auto spread = admin.shard_distribution(CallContext{}, {"notes"});
  REQUIRE(spread.ok());
  CHECK(spread->shards.size() == 2);
  CHECK(spread->nodes.max_over_mean == 1.0);
  CHECK_THAT(
      message_of(admin.shard_distribution(CallContext{}, {"none"}).error(), ErrorCode::NotFound),
      Catch::Contains("Collections: notes."));
  for (const auto& error :
       {admin.rebalance(CallContext{}, std::nullopt).error(),
        admin.move_shard(CallContext{}, {}).error(), admin.add_node(CallContext{}, "a:1").error(),
        admin.plan_removal(CallContext{}, "a").error(),
        admin.remove_node(CallContext{}, "a").error(),
        admin.get_operation(CallContext{}, "a").error(),
        admin.cancel_operation(CallContext{}, "a").error()}) {
    CHECK_THAT(message_of(error, ErrorCode::FailedPrecondition),
               Catch::Contains("quiver cluster init"));
  }
}

}  // namespace
}  // namespace quiver::cluster
