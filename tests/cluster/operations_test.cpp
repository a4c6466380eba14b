#include "cluster/migration/operations.h"

#include "cluster/admin/cluster_admin.h"
#include "tests/cluster/move_world.h"

namespace quiver::cluster {
namespace {

using namespace testing;

TEST_CASE("Operations: records come back as they were, and nothing else is read",
          "[cluster][admin]") {
  OperationRecord record;
  record.kind = OperationKind::RemoveNode;
  record.node = NodeId{std::string(32, 'a')};
  record.moves.push_back(
      {"m",
       {"notes", std::string(32, 'b'), ShardId{1}, CopyId{std::string(32, 'c')},
        NodeId{std::string(32, 'a')}, NodeId{std::string(32, 'd')}, MoveReason::Drain}});
  record.made = 1;
  record.forgotten = 3;
  record.epoch = 4;
  record.cancelled = true;
  record.started_ms = 5;
  CHECK(OperationRecord::from_json(record.to_json()).value() == record);
  const auto refused = [&](const char* field, const Json& value) {
    auto json = record.to_json();
    json[field] = value;
    const auto read = OperationRecord::from_json(json);
    return !read.ok() && read.error().code == ErrorCode::Corruption;
  };
  CHECK(refused("kind", "dance"));
  CHECK(refused("made", 2));
  CHECK(refused("made", "x"));
  CHECK(refused("cancelled", "x"));
  CHECK(refused("more", 2));
  CHECK(refused("moves", Json::array({Json::object()})));
  CHECK(name(OperationKind{9}) == "unknown");
  CHECK(name(OperationState::Running) == "running");
  CHECK(name(OperationState::Done) == "done");
  CHECK(name(OperationState::Failed) == "failed");
  CHECK(name(OperationState::Cancelled) == "cancelled");
  ManualClock clock;
  TempDir dir;
  const auto store = EmbeddedStore::open(dir.path()).value();
  Operations operations(*store, clock);
  CHECK(operations.complete(within(120s), "none").ok());
  std::vector<Move> many(Operations::kMovesMax, record.moves[0].move);
  REQUIRE(
      operations.begin(within(120s), "many", operations.record_of(record.kind, many), {}).value());
  CHECK(operations.moves(within(120s))->size() == Operations::kMovesMax);
  const auto full = operations.find(within(120s), "many").value();
  REQUIRE(full);
  const std::vector<Move> too_many(Operations::kMovesMax + 1, many[0]);
  CHECK(operations.extend(within(120s), "many", *full, too_many, Revision{0}).error().code ==
        ErrorCode::ResourceExhausted);
  // There is always room for more: the oldest are listed no longer.
  CHECK(operations.extend(within(120s), "many", *full, {many[0], many[0]}, Revision{0}).value());
  const auto more = operations.find(within(120s), "many").value()->record;
  CHECK(more.moves.size() == Operations::kMovesMax);
  CHECK(more.made == Operations::kMovesMax);
  CHECK(more.forgotten == 2);
  CHECK(more.moves.front().id == full->record.moves[2].id);
  CHECK(operations.moves(within(120s))->size() == Operations::kMovesMax + 2);
  CHECK_FALSE(operations.extend(within(120s), "many", *full, {many[0]}, Revision{0}).value());
  CHECK_FALSE(
      operations.begin(within(120s), "beside", record, {{{"some/key", Revision{99}}}, {}}).value());
}

}  // namespace
}  // namespace quiver::cluster
