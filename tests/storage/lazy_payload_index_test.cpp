// Building in the middle of writes: the index must end up as if it had been there all along.

#include "storage/lazy_payload_index.h"

#include <thread>

#include "storage/shard_columns.h"
#include "tests/storage/shard_fixture.h"

using namespace quiver;
using namespace quiver::storage;
using namespace quiver::storage::test;

namespace {

/// Payloads of slots, written as a shard does it.
class Payloads {
 public:
  Payloads() : scratch_(ScratchDirectory::Where::Memory), resources_(1 << 20, 1 << 20) {
    const auto columns = shard_columns();
    auto rocks = Rocks::open(scratch_.path(), columns, resources_, Rocks::Create::IfMissing);
    REQUIRE(rocks.ok());
    rocks_ = std::move(*rocks);
    store_ = std::make_unique<PointStore>(*rocks_);
    index = std::make_unique<LazyPayloadIndex>(*store_);
  }

  void put(std::uint32_t number, std::optional<Json> after) {
    const Slot slot{number};
    const MutexLock applying(index->applying);
    std::optional<Json> before;
    if (index->ready()) {
      const std::vector<Slot> slots{slot};
      auto stored = PointStore::View(*store_).payloads(slots);
      REQUIRE(stored.ok());
      if ((*stored)[0]) before = (*stored)[0]->payload;
    }
    StateBatch batch(*rocks_);
    if (after) {
      batch.put_payload(slot, {*after, std::nullopt});
    } else {
      batch.erase_point(PointId(number), slot);
    }
    REQUIRE(store_->write(batch).ok());
    index->follow({{slot, std::move(before), std::move(after)}});
  }
  /// Spoils what is stored for a slot.
  void damage(std::uint32_t number) {
    const std::string key{'\0', '\0', static_cast<char>(number >> 8), static_cast<char>(number)};
    REQUIRE(rocks_->db().Put({}, handle(*rocks_, Column::Payloads), key, "x").ok());
  }

  std::vector<std::uint32_t> find(const Json& filter) {
    auto match = index->match(CallContext{}, Filter::parse(filter).value());
    REQUIRE(match.ok());
    REQUIRE(match->exact);
    std::vector<std::uint32_t> out;
    match->slots.for_each([&](Slot slot) {
      out.push_back(raw(slot));
      return true;
    });
    return out;
  }

 private:
  ScratchDirectory scratch_;
  RocksResources resources_;
  std::unique_ptr<Rocks> rocks_;
  std::unique_ptr<PointStore> store_;

 public:
  std::unique_ptr<LazyPayloadIndex> index;
};

using Slots = std::vector<std::uint32_t>;

CallContext out_of_time() {
  CallContext call;
  call.deadline = std::chrono::steady_clock::time_point{};
  return call;
}

}  // namespace

TEST_CASE("LazyPayloadIndex: is built at the first question and follows the writes",
          "[storage][payloads]") {
  Payloads payloads;
  payloads.put(1, Json{{"a", 1}});
  payloads.put(2, Json{{"a", 2}});
  CHECK(payloads.find({{"a", 1}}) == Slots{1});
  payloads.put(3, Json{{"a", 1}});
  payloads.put(1, Json{{"a", 2}});
  CHECK(payloads.find({{"a", 1}}) == Slots{3});
  CHECK(payloads.find({{"a", 2}}) == Slots{1, 2});
  payloads.put(2, std::nullopt);
  CHECK(payloads.find({{"a", 2}}) == Slots{1});
  const auto fields = payloads.index->fields(CallContext{}, 10);
  REQUIRE(fields.ok());
  REQUIRE(fields->size() == 1);
  CHECK(fields->front().points == 2);
}

TEST_CASE("LazyPayloadIndex: who runs out of time leaves the building to the next",
          "[storage][payloads]") {
  Payloads payloads;
  for (std::uint32_t slot = 0; slot < 1000; ++slot) payloads.put(slot, Json{{"a", slot % 4}});
  const auto filter = Filter::parse({{"a", 1}}).value();
  const auto late = payloads.index->match(out_of_time(), filter);
  REQUIRE_FALSE(late.ok());
  CHECK(late.error().code == ErrorCode::DeadlineExceeded);

  // More written slots than one round holds up the writes for: changed, new and gone.
  for (std::uint32_t slot = 0; slot < 400; ++slot) payloads.put(slot, Json{{"a", 9}});
  for (std::uint32_t slot = 990; slot < 1000; ++slot) payloads.put(slot, std::nullopt);
  for (std::uint32_t slot = 2000; slot < 2300; ++slot) payloads.put(slot, Json{{"a", 8}});
  payloads.put(2299, std::nullopt);
  CHECK_FALSE(payloads.index->match(out_of_time(), filter).ok());
  payloads.put(0, Json{{"a", 1}});

  CHECK(payloads.find({{"a", 9}}).size() == 399);
  CHECK(payloads.find({{"a", 8}}).size() == 299);
  // Slots 400 to 989 with remainder 1, and slot 0.
  CHECK(payloads.find({{"a", 1}}).size() == 148 + 1);
  CHECK(payloads.find({{"a", {{"$exists", true}}}}).size() == 990 + 299);
}

TEST_CASE("LazyPayloadIndex: is whole after being built under constant writes",
          "[storage][payloads]") {
  Payloads payloads;
  constexpr std::uint32_t kSlots = 3000;
  for (std::uint32_t slot = 0; slot < kSlots; ++slot) payloads.put(slot, Json{{"a", 0}});
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (std::uint32_t i = 0; !stop; ++i) payloads.put(i % kSlots, Json{{"a", 1 + i % 3}});
  });
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      CHECK(payloads.index->match(CallContext{}, Filter::parse({{"a", 1}}).value()).ok());
    });
  }
  for (auto& reader : readers) reader.join();
  stop = true;
  writer.join();
  std::size_t sum = 0;
  for (int value = 0; value < 4; ++value) sum += payloads.find({{"a", value}}).size();
  CHECK(sum == kSlots);
}

TEST_CASE("LazyPayloadIndex: a damaged payload is an error, and not remembered",
          "[storage][payloads]") {
  Payloads payloads;
  payloads.put(1, Json{{"a", 1}});
  payloads.damage(2);
  const auto filter = Filter::parse({{"a", 1}}).value();
  for (int i = 0; i < 2; ++i) {
    const auto match = payloads.index->match(CallContext{}, filter);
    REQUIRE_FALSE(match.ok());
    CHECK(match.error().code == ErrorCode::Corruption);
    CHECK_FALSE(payloads.index->fields(CallContext{}, 10).ok());
  }
  payloads.put(2, std::nullopt);
  CHECK(payloads.find({{"a", 1}}) == Slots{1});
}
