// The column families of the state: their bytes, worked out by hand from docs/storage_format.md,
// and what a view sees.

#include "storage/point_store.h"

#include "storage/coding.h"
#include "storage/request_table.h"
#include "storage/shard_columns.h"
#include "tests/storage/shard_fixture.h"

using namespace quiver;
using namespace quiver::storage;
using namespace quiver::storage::test;

namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) out += static_cast<char>(value);
  return out;
}

class OpenStore {
 public:
  OpenStore() : scratch_(ScratchDirectory::Where::Memory), resources_(1 << 20, 1 << 20) { open(); }
  void open() {
    rocks_.reset();
    const auto columns = shard_columns();
    auto rocks = Rocks::open(scratch_.path(), columns, resources_, Rocks::Create::IfMissing);
    REQUIRE(rocks.ok());
    rocks_ = std::move(*rocks);
    store_ = std::make_unique<PointStore>(*rocks_);
  }
  PointStore& operator*() { return *store_; }
  PointStore* operator->() { return store_.get(); }
  Rocks& rocks() { return *rocks_; }
  std::string raw_value(Column column, const std::string& key) {
    std::string value;
    const auto status = rocks_->db().Get({}, handle(*rocks_, column), key, &value);
    REQUIRE((status.ok() || status.IsNotFound()));
    return status.ok() ? value : "absent";
  }
  void put_raw(Column column, const std::string& key, const std::string& value) {
    REQUIRE(rocks_->db().Put({}, handle(*rocks_, column), key, value).ok());
  }

 private:
  ScratchDirectory scratch_;
  RocksResources resources_;
  std::unique_ptr<Rocks> rocks_;
  std::unique_ptr<PointStore> store_;
};

Point sample_point() {
  Point point = point_of(PointId(9), {1.0F, 2.0F}, {{"k", true}});
  point.text = "hi";
  point.created_at_ms = 3;
  point.expires_at_ms = 4;
  return point;
}

const LogPosition kVersion{Term{5}, Seq{6}};

void put_sample(OpenStore& store, Slot slot) {
  StateBatch batch(store.rocks());
  batch.put_point(sample_point(), slot, kVersion);
  REQUIRE(store->write(batch).ok());
}

}  // namespace

TEST_CASE("PointStore: a point is laid out as documented", "[storage][points]") {
  OpenStore store;
  put_sample(store, Slot{258});
  const auto id = bytes({1, 0, 0, 0, 0, 0, 0, 0, 9});
  const auto slot = bytes({0, 0, 1, 2});
  CHECK(store.raw_value(Column::Points, id) == bytes({2, 1, 0, 0,                 // slot
                                                      5, 0, 0, 0, 0, 0, 0, 0,     // term
                                                      6, 0, 0, 0, 0, 0, 0, 0,     // seq
                                                      3, 0, 0, 0, 0, 0, 0, 0,     // created
                                                      4, 0, 0, 0, 0, 0, 0, 0}));  // expires
  CHECK(store.raw_value(Column::Slots, slot) ==
        bytes({3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0}) + id);
  CHECK(store.raw_value(Column::Vectors, slot) == bytes({0, 0, 0x80, 0x3F, 0, 0, 0, 0x40}));
  CHECK(store.raw_value(Column::Payloads, slot) ==
        bytes({1, 2, 0, 0, 0, 'h', 'i', 10, 0, 0, 0}) + R"({"k":true})");

  StateBatch batch(store.rocks());
  batch.put_payload(Slot{258}, {{{"a", 1}}, std::nullopt});
  REQUIRE(store->write(batch).ok());
  CHECK(store.raw_value(Column::Payloads, slot) == bytes({0, 7, 0, 0, 0}) + R"({"a":1})");
}

TEST_CASE("PointStore: the mark is laid out as documented", "[storage][points]") {
  OpenStore store;
  CHECK(store->mark().value() == StateMark{});
  StateMark mark{{Term{1}, Seq{2}}, 3, 4, Seq{5}, 6, Seq{7}};
  StateBatch batch(store.rocks());
  batch.put_mark(mark);
  REQUIRE(store->write(batch).ok());
  CHECK(store->mark().value() == mark);
  CHECK(store.raw_value(Column::Meta, "state") ==
        bytes({1, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 0, 0,
               0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0}));
}

TEST_CASE("PointStore: the flushed mark is what a crash would leave", "[storage][points]") {
  OpenStore store;
  const auto move_to = [&](std::uint64_t seq) {
    StateMark mark;
    mark.applied.seq = Seq{seq};
    StateBatch batch(store.rocks());
    batch.put_mark(mark);
    REQUIRE(store->write(batch).ok());
  };
  move_to(1);
  CHECK(store->flushed_mark()->applied.seq == Seq{0});
  REQUIRE(store.rocks().flush().ok());
  CHECK(store->flushed_mark()->applied.seq == Seq{1});
  move_to(2);
  CHECK(store->mark()->applied.seq == Seq{2});
  CHECK(store->flushed_mark()->applied.seq == Seq{1});
  store.open();
  CHECK(store->mark()->applied.seq == Seq{1});
}

TEST_CASE("PointStore: a view stays at its moment", "[storage][points]") {
  OpenStore store;
  put_sample(store, Slot{1});
  const PointStore::View before(*store);
  StateBatch batch(store.rocks());
  batch.erase_point(PointId(9), Slot{1});
  auto other = sample_point();
  other.id = PointId(10);
  batch.put_point(other, Slot{2}, kVersion);
  REQUIRE(store->write(batch).ok());
  const PointStore::View after(*store);

  const std::vector<PointId> ids{PointId(10), PointId(9)};
  const std::vector<Slot> slots{Slot{1}, Slot{2}};
  const PointRecord record{Slot{1}, kVersion, 3, 4};
  CHECK(before.find(ids).value() == std::vector<std::optional<PointRecord>>{std::nullopt, record});
  CHECK(after.find(ids)->front()->slot == Slot{2});
  CHECK_FALSE(after.find(ids)->back());
  CHECK(before.slots(slots).value()[0] == SlotRecord{PointId(9), 3, 4});
  CHECK_FALSE(after.slots(slots).value()[0]);
  CHECK(before.payloads(slots).value()[0] == PayloadRecord{{{"k", true}}, "hi"});
  CHECK_FALSE(after.payloads(slots).value()[0]);
  CHECK(before.vectors(slots).value()[0] == std::vector<float>{1.0F, 2.0F});
  CHECK_FALSE(before.vectors(slots).value()[1]);
  CHECK(before.vectors({}).value().empty());
}

TEST_CASE("PointStore: visits go in order and stop when told", "[storage][points]") {
  OpenStore store;
  StateBatch batch(store.rocks());
  const auto text = PointId::from_text("a").value();
  std::uint32_t slot = 0;
  for (const auto& id : {text, PointId(300), PointId(2)}) {
    auto point = sample_point();
    point.id = id;
    batch.put_point(point, Slot{slot++}, kVersion);
  }
  REQUIRE(store->write(batch).ok());
  const PointStore::View view(*store);
  std::vector<PointId> ids;
  const auto collect = [&](const PointId& id, const PointRecord&) -> Result<bool> {
    ids.push_back(id);
    return ids.size() < 2;
  };
  REQUIRE(view.each_point(std::nullopt, collect).ok());
  CHECK(ids == std::vector<PointId>{PointId(2), PointId(300)});
  ids.clear();
  REQUIRE(view.each_point(PointId(300), collect).ok());
  CHECK(ids == std::vector<PointId>{text});

  std::vector<std::uint32_t> slots;
  REQUIRE(view.each_slot(Slot{1},
                         [&](Slot at, const SlotRecord&) -> Result<bool> {
                           slots.push_back(raw(at));
                           return true;
                         })
              .ok());
  CHECK(slots == std::vector<std::uint32_t>{1, 2});
  const auto failed = view.each_payload(Slot{0}, [](Slot, const PayloadRecord&) -> Result<bool> {
    return Error{ErrorCode::Unavailable, "stop"};
  });
  CHECK(failed.error().message == "stop");
}

TEST_CASE("PointStore: malformed records are a Corruption", "[storage][points]") {
  OpenStore store;
  const auto id = PointId(1).key();
  const auto slot = big_endian(std::uint32_t{1});
  store.put_raw(Column::Points, id, "short");
  store.put_raw(Column::Slots, slot, bytes({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7}));
  store.put_raw(Column::Vectors, slot, "12345");
  store.put_raw(Column::Payloads, slot, bytes({0, 2, 0, 0, 0, '[', ']'}));
  store.put_raw(Column::Meta, "state", bytes({9}));
  const PointStore::View view(*store);
  const std::vector<PointId> ids{PointId(1)};
  const std::vector<Slot> slots{Slot{1}};
  CHECK(view.find(ids).error().code == ErrorCode::Corruption);
  CHECK(view.slots(slots).error().code == ErrorCode::Corruption);
  CHECK(view.vectors(slots).error().code == ErrorCode::Corruption);
  CHECK(view.payloads(slots).error().code == ErrorCode::Corruption);
  CHECK(store->mark().error().code == ErrorCode::Corruption);
  const auto all = [](const auto&, const auto&) -> Result<bool> { return true; };
  CHECK(view.each_point(std::nullopt, all).error().code == ErrorCode::Corruption);
  CHECK(view.each_slot(Slot{0}, all).error().code == ErrorCode::Corruption);
  CHECK(view.each_payload(Slot{0}, all).error().code == ErrorCode::Corruption);
  store.put_raw(Column::Slots, "odd", "");
  const PointStore::View later(*store);
  CHECK(later.each_slot(Slot{1 << 24}, all).error().code == ErrorCode::Corruption);
}

TEST_CASE("RequestTable: answers for an id until its entry is forgotten", "[storage][requests]") {
  OpenStore store;
  const RequestTable table(store.rocks());
  RequestId id;
  id.bytes.fill(1);
  CHECK_FALSE(table.find(id).value());
  CHECK_FALSE(table.find(RequestId{}).value());
  StateBatch batch(store.rocks());
  RequestTable::put(batch, id, {{Term{2}, Seq{3}}, {4, 1}}, 100);
  RequestTable::put(batch, RequestId{}, {{Term{2}, Seq{4}}, {9, 9}}, 150);
  REQUIRE(store->write(batch).ok());
  const auto found = table.find(id).value();
  REQUIRE(found);
  CHECK(found->position == LogPosition{Term{2}, Seq{3}});
  CHECK(found->result == MutationResult{4, 1});
  CHECK_FALSE(table.find(RequestId{}).value());
  CHECK(store.raw_value(Column::Requests, "r" + std::string(16, '\1')) ==
        bytes({2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0,
               4, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}));
  CHECK(store.raw_value(Column::Requests, "s" + bytes({0, 0, 0, 0, 0, 0, 0, 3})) ==
        std::string(16, '\1') + bytes({100, 0, 0, 0, 0, 0, 0, 0}));

  StateBatch forget(store.rocks());
  REQUIRE(table.erase(forget, Seq{3}, Seq{4}).ok());
  REQUIRE(store->write(forget).ok());
  CHECK_FALSE(table.find(id).value());
  StateBatch again(store.rocks());
  CHECK_FALSE(table.erase(again, Seq{3}, Seq{3}).ok());
}

TEST_CASE("RequestTable: an id used again after its window stays with the later entry",
          "[storage][requests]") {
  OpenStore store;
  const RequestTable table(store.rocks());
  RequestId id;
  id.bytes.fill(1);
  StateBatch batch(store.rocks());
  RequestTable::put(batch, id, {{Term{1}, Seq{1}}, {1, 1}}, 10);
  RequestTable::put(batch, id, {{Term{1}, Seq{2}}, {2, 2}}, 20);
  REQUIRE(store->write(batch).ok());
  StateBatch forget(store.rocks());
  REQUIRE(table.erase(forget, Seq{1}, Seq{1}).ok());
  REQUIRE(store->write(forget).ok());
  CHECK(table.find(id).value()->position.seq == Seq{2});
}

TEST_CASE("RequestTable: the log is cut to a number of bytes", "[storage][requests]") {
  OpenStore store;
  const RequestTable table(store.rocks());
  // Entry n takes n bytes: 1, 3, 6, 10, 15 up to and including it.
  StateBatch batch(store.rocks());
  std::uint64_t sum = 0;
  for (std::uint64_t seq = 1; seq <= 5; ++seq) {
    sum += seq;
    RequestTable::put(batch, RequestId{}, {{Term{1}, Seq{seq}}, {}}, sum);
  }
  REQUIRE(store->write(batch).ok());
  const auto cut = [&](std::uint64_t bytes_kept) {
    const auto out = table.cut_to_bytes(Seq{1}, Seq{5}, bytes_kept).value();
    return std::pair(raw(out.first), out.bytes_before);
  };
  using Cut = std::pair<std::uint64_t, std::uint64_t>;
  CHECK(cut(14) == Cut{2, 1});
  CHECK(cut(13) == Cut{3, 3});
  CHECK(cut(9) == Cut{4, 6});
  CHECK(cut(8) == Cut{5, 10});
  CHECK(cut(0) == Cut{5, 10});
  CHECK(table.cut_at(Seq{4})->bytes_before == 6);
}
