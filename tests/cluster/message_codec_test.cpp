// What copies say to each other, as bytes, and what is made of bytes that are none.

#include "cluster/replication/message_codec.h"

#include <random>

#include <catch2/catch.hpp>

#include "cluster/replication/log_cache.h"
#include "cluster/replication/ticker.h"
#include "cluster/replication/work_pool.h"
#include "storage/coding.h"

namespace quiver::cluster::replication {
namespace {

Time time_of(std::int64_t ns) {
  return Time{std::chrono::nanoseconds{ns}};
}

History sample_history() {
  return {{{Term{1}, Seq{1}}, {Term{4}, Seq{100}}, {Term{9}, Seq{101}}}, Seq{~0ULL >> 1U}};
}

std::vector<Message> samples() {
  return {Append{Term{3},
                 {Term{2}, Seq{41}},
                 Seq{44},
                 Seq{7},
                 Seq{40},
                 Standing::Joining,
                 time_of(123'456'789'012)},
          Append{Term{1}, {}, Seq{0}, Seq{0}, Seq{0}, Standing::Outside, time_of(-5)},
          Ack{Term{3}, Seq{44}, time_of(99)},
          Stale{Term{8}},
          Mismatch{Term{3}, sample_history(), Seq{50}},
          Mismatch{Term{3}, {}, Seq{0}},
          Resigned{Term{4}}};
}

bool same(const Message& a, const Message& b) {
  if (a.index() != b.index()) return false;
  if (const auto* append = std::get_if<Append>(&a)) {
    const auto& other = std::get<Append>(b);
    return append->term == other.term && append->prev == other.prev &&
           append->through == other.through && append->gate == other.gate &&
           append->commit == other.commit && append->standing == other.standing &&
           append->sent_at == other.sent_at;
  }
  if (const auto* ack = std::get_if<Ack>(&a)) {
    const auto& other = std::get<Ack>(b);
    return ack->term == other.term && ack->matched == other.matched &&
           ack->sent_at == other.sent_at;
  }
  if (const auto* mismatch = std::get_if<Mismatch>(&a)) {
    const auto& other = std::get<Mismatch>(b);
    return mismatch->term == other.term && mismatch->history == other.history &&
           mismatch->applied == other.applied;
  }
  if (const auto* stale = std::get_if<Stale>(&a)) return stale->seen == std::get<Stale>(b).seen;
  return std::get<Resigned>(a).next == std::get<Resigned>(b).next;
}

TEST_CASE("message codec: every message comes back as it was", "[replication]") {
  for (const auto& message : samples()) {
    const auto back = decode_message(encode_message(message));
    REQUIRE(back.ok());
    CHECK(same(*back, message));
  }
  const SnapshotReceived snapshot{{}, Term{5}, sample_history(), time_of(77)};
  const auto back = decode_snapshot(encode_snapshot(snapshot));
  REQUIRE(back.ok());
  CHECK(back->term == snapshot.term);
  CHECK(back->history == snapshot.history);
  CHECK(back->sent_at == snapshot.sent_at);
}

TEST_CASE("message codec: what is cut, longer or senseless is refused", "[replication]") {
  auto bytes = std::vector<std::string>{};
  for (const auto& message : samples()) bytes.push_back(encode_message(message));
  for (const auto& good : bytes) {
    for (std::size_t length = 0; length < good.size(); ++length) {
      CHECK_FALSE(decode_message(good.substr(0, length)).ok());
    }
    CHECK_FALSE(decode_message(good + "x").ok());
    auto other = good;
    other[0] = 2;
    CHECK(decode_message(other).error().code == ErrorCode::FailedPrecondition);
    other = good;
    other[1] = 77;
    CHECK(decode_message(other).error().code == ErrorCode::InvalidArgument);
  }
  const auto snapshot = encode_snapshot({{}, Term{5}, sample_history(), {}});
  for (std::size_t length = 0; length < snapshot.size(); ++length) {
    CHECK_FALSE(decode_snapshot(snapshot.substr(0, length)).ok());
  }
  CHECK_FALSE(decode_message(snapshot).ok());
  CHECK_FALSE(decode_snapshot(bytes.front()).ok());
  // Terms that do not rise, an Append that ends before it begins, a standing that is none.
  const History wrong({{Term{2}, Seq{1}}, {Term{2}, Seq{5}}}, Seq{9});
  CHECK_FALSE(decode_message(encode_message(Mismatch{Term{1}, wrong, Seq{0}})).ok());
  CHECK_FALSE(decode_snapshot(encode_snapshot({{}, Term{5}, wrong, {}})).ok());
  Append append;
  append.prev.seq = Seq{5};
  append.through = Seq{4};
  CHECK_FALSE(decode_message(encode_message(append)).ok());
  append.through = Seq{5};
  append.standing = static_cast<Standing>(4);
  CHECK_FALSE(decode_message(encode_message(append)).ok());
}

TEST_CASE("message codec: random bytes do no harm", "[replication]") {
  std::mt19937_64 random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(random() % 80, '\0');
    for (auto& byte : bytes) byte = static_cast<char>(random());
    if (!bytes.empty()) bytes[0] = 1;
    if (bytes.size() > 1) bytes[1] = static_cast<char>(1 + random() % 6);
    const auto message = decode_message(bytes);
    if (message.ok()) CHECK(encode_message(*message) == bytes);
    (void)decode_snapshot(bytes);
  }
}

SharedEntry entry(std::uint64_t seq, std::size_t bytes) {
  return std::make_shared<const storage::EncodedEntry>(
      storage::EncodedEntry{Term{1}, Seq{seq}, {}, std::string(bytes, 'x')});
}

TEST_CASE("log cache: keeps what is not on disk, and of the rest what fits", "[replication]") {
  LogCache cache(1000);
  for (std::uint64_t seq = 5; seq <= 30; ++seq) cache.append(entry(seq, 100));
  CHECK(cache.has(Seq{5}, Seq{30}));
  cache.durable(Seq{8});
  CHECK_FALSE(cache.has(Seq{8}, Seq{8}));
  CHECK(cache.has(Seq{9}, Seq{30}));
  cache.durable(Seq{30});
  CHECK_FALSE(cache.has(Seq{20}, Seq{30}));
  CHECK(cache.has(Seq{21}, Seq{30}));
  CHECK_FALSE(cache.has(Seq{21}, Seq{31}));
  const auto range = cache.range(Seq{22}, Seq{24});
  REQUIRE(range.size() == 3);
  CHECK(range.front()->seq == Seq{22});
  cache.truncate_after(Seq{25});
  CHECK_FALSE(cache.has(Seq{21}, Seq{26}));
  cache.append(entry(26, 100));
  CHECK(cache.has(Seq{21}, Seq{26}));
  cache.clear();
  CHECK_FALSE(cache.has(Seq{26}, Seq{26}));

  auto parts = split_by_bytes({entry(1, 400), entry(2, 400), entry(3, 400), entry(4, 5000)}, 900);
  REQUIRE(parts.size() == 3);
  CHECK(parts[0].size() == 2);
  CHECK(parts[1].front()->seq == Seq{3});
  CHECK(parts[2].front()->seq == Seq{4});
  CHECK(split_by_bytes({}, 10).empty());
}

TEST_CASE("strand: work in order, one at a time, and none behind its end", "[replication]") {
  WorkPool pool(4);
  std::vector<int> order;
  std::atomic<int> running{0};
  {
    Strand strand(pool);
    for (int i = 0; i < 1000; ++i) {
      strand.post([&, i] {
        if (++running != 1) order.push_back(-1);
        order.push_back(i);
        --running;
      });
    }
    std::atomic<bool> reached{false};
    strand.post([&] { reached = true; });
    while (!reached) std::this_thread::yield();
    strand.close();
    strand.post([&] { order.push_back(-2); });
  }
  REQUIRE(order.size() == 1000);
  for (int i = 0; i < 1000; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("ticker: tells those that exist", "[replication]") {
  struct Counting final : Ticker::Ticked {
    void tick() override { ++ticks; }
    std::atomic<int> ticks{0};
  };
  Ticker ticker(std::chrono::milliseconds(1));
  const auto stays = std::make_shared<Counting>();
  auto goes = std::make_shared<Counting>();
  ticker.add(stays);
  ticker.add(goes);
  while (stays->ticks < 3 || goes->ticks < 3) std::this_thread::yield();
  const std::weak_ptr<Counting> gone = goes;
  goes.reset();
  while (!gone.expired()) std::this_thread::yield();
  const int before = stays->ticks;
  while (stays->ticks < before + 3) std::this_thread::yield();
}

}  // namespace
}  // namespace quiver::cluster::replication
