// What a shard keeps and does for the sake of other copies.

#include "storage/replica_file.h"

#include <fstream>

#include "storage/files.h"
#include "storage/mutation_codec.h"
#include "storage/shard_store.h"
#include "tests/storage/shard_fixture.h"

using namespace quiver;
using namespace quiver::storage;
using namespace quiver::storage::test;

namespace {

Mutation line(std::uint64_t from, std::uint64_t to) {
  UpsertPoints upsert;
  for (auto i = from; i <= to; ++i) {
    upsert.points.push_back(point_of(PointId(i), {static_cast<float>(i), 0}));
  }
  return upsert;
}

EncodedEntry encoded(std::uint64_t term, std::uint64_t seq, const Mutation& mutation) {
  const auto body = encode_mutation(mutation);
  const RequestId request{{static_cast<std::uint8_t>(seq)}};
  auto bytes = encode_log_entry({Term{term}, Seq{seq}}, request, *body);
  return *encoded_entry(Seq{seq}, std::move(*bytes));
}

ReplicaState sample() {
  return {Term{9}, 77, {{Term{1}, Seq{1}}, {Term{4}, Seq{100}}, {Term{8}, Seq{101}}}};
}

std::string content_of(const std::filesystem::path& directory) {
  return read_file(directory / "REPLICA", 1 << 20, "it").value();
}
void put(const std::filesystem::path& directory, const std::string& content) {
  std::ofstream(directory / "REPLICA", std::ios::binary) << content;
}

}  // namespace

TEST_CASE("replica file: comes back as it was written", "[storage][replica]") {
  const ScratchDirectory scratch;
  CHECK(read_replica_file(scratch.path()).error().code == ErrorCode::NotFound);
  REQUIRE(write_replica_file(scratch.path(), sample()).ok());
  CHECK(read_replica_file(scratch.path()).value() == sample());
  REQUIRE(write_replica_file(scratch.path(), {}).ok());
  CHECK(read_replica_file(scratch.path()).value() == ReplicaState{});
}

TEST_CASE("replica file: every damaged byte and every cut is found", "[storage][replica]") {
  const ScratchDirectory scratch;
  REQUIRE(write_replica_file(scratch.path(), sample()).ok());
  const auto good = content_of(scratch.path());
  for (std::size_t i = 0; i < good.size(); ++i) {
    auto bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    put(scratch.path(), bad);
    const auto damaged = read_replica_file(scratch.path());
    INFO(i);
    REQUIRE_FALSE(damaged.ok());
    CHECK((damaged.error().code == ErrorCode::Corruption ||
           damaged.error().code == ErrorCode::FailedPrecondition));
    put(scratch.path(), good.substr(0, i));
    CHECK(read_replica_file(scratch.path()).error().code == ErrorCode::Corruption);
  }
  put(scratch.path(), good + "x");
  CHECK(read_replica_file(scratch.path()).error().code == ErrorCode::Corruption);
}

TEST_CASE("replica file: terms that do not rise are damage, too many are refused",
          "[storage][replica]") {
  const ScratchDirectory scratch;
  auto state = sample();
  std::swap(state.reigns[0], state.reigns[1]);
  REQUIRE(write_replica_file(scratch.path(), state).ok());
  CHECK(read_replica_file(scratch.path()).error().code == ErrorCode::Corruption);
  state.reigns.assign(70'000, {Term{1}, Seq{1}});
  CHECK(write_replica_file(scratch.path(), state).error().code == ErrorCode::ResourceExhausted);
}

TEST_CASE("DiskShard: takes entries as they are stored, and gives them out so",
          "[storage][replica]") {
  const ScratchDirectory scratch(ScratchDirectory::Where::Memory);
  TestShard shard(scratch / "shard", spec_of(2), {});
  REQUIRE(shard.open().ok());
  const auto one = encoded(3, 1, line(1, 2));
  const auto two = encoded(5, 2, line(3, 3));
  const std::vector<const EncodedEntry*> both{&one, &two};
  REQUIRE(error_of(shard->append_encoded(std::span(both))) == "");
  CHECK(shard->tail() == LogPosition{Term{5}, Seq{2}});
  REQUIRE(shard->apply_through(Seq{2}).ok());
  CHECK(shard->stats().points == 3);
  CHECK(shard->find_request(two.request_id));

  const auto back = shard->read_encoded(Seq{1}, 1 << 20);
  REQUIRE(back.ok());
  REQUIRE(back->size() == 2);
  CHECK((*back)[0].bytes == one.bytes);
  CHECK((*back)[1].bytes == two.bytes);
  CHECK((*back)[1].term == Term{5});
  CHECK((*back)[1].request_id == two.request_id);
  // The same bytes as an entry that was appended the other way.
  const auto entry = decode_log_entry(Seq{2}, two.bytes);
  CHECK(*encode_log_entry(*entry) == two.bytes);

  // A gap, an older term: nothing is appended.
  const auto gap = encoded(5, 4, line(4, 4));
  const auto older = encoded(4, 3, line(4, 4));
  for (const auto* wrong : {&gap, &older}) {
    const std::vector<const EncodedEntry*> list{wrong};
    CHECK(shard->append_encoded(std::span(list)).error().code == ErrorCode::InvalidArgument);
  }
  CHECK(shard->tail().seq == Seq{2});
  CHECK(shard->check_append(line(1, 1)).ok());
  CHECK(shard->check_append(UpsertPoints{{point_of(PointId(1), {1})}}).error().code ==
        ErrorCode::InvalidArgument);
  // A damaged entry is not taken for one.
  auto bytes = one.bytes;
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  CHECK(encoded_entry(Seq{1}, bytes).error().code == ErrorCode::Corruption);
  CHECK(encoded_entry(Seq{2}, one.bytes).error().code == ErrorCode::Corruption);
}

TEST_CASE("DiskShard: the log keeps what another copy needs, within bounds", "[storage][replica]") {
  const ScratchDirectory scratch(ScratchDirectory::Where::Memory);
  Options options;
  options.log_entries_kept = 10;
  options.log_bytes_pinned = 20'000;
  TestShard shard(scratch / "shard", spec_of(2), options);
  REQUIRE(shard.open().ok());
  CHECK(shard->log_first() == Seq{1});
  shard->keep_log_from(Seq{5});
  const auto write = [&](std::uint64_t from, std::uint64_t to) {
    for (auto i = from; i <= to; ++i) REQUIRE(shard.write(line(i, i)).ok());
    REQUIRE(shard->flush_index(CallContext{}).ok());
    REQUIRE(shard.write(line(to, to)).ok());
  };
  write(1, 50);
  CHECK(shard->log_first() == Seq{5});
  shard->keep_log_from(Seq{20});
  write(51, 52);
  CHECK(shard->log_first() == Seq{20});
  // Whoever needs more than fits is filled anew.
  write(53, 400);
  CHECK(shard->log_first() > Seq{20});
  CHECK(shard->read_encoded(shard->log_first(), 1 << 20)->size() > 10);
  CHECK(shard->read_encoded(Seq{20}, 1).error().code == ErrorCode::FailedPrecondition);
  shard->keep_log_from(Seq{400});
  write(401, 402);
  CHECK(raw(shard->log_first()) >= raw(shard->tail().seq) - 11);
}

TEST_CASE("DiskShard: what a copy knows of its terms lies beside its data", "[storage][replica]") {
  const ScratchDirectory scratch(ScratchDirectory::Where::Memory);
  TestShard shard(scratch / "shard", spec_of(2), {});
  REQUIRE(shard.open().ok());
  CHECK(shard->replica().error().code == ErrorCode::NotFound);
  REQUIRE(shard->store_replica(sample()).ok());
  REQUIRE(shard.open().ok());
  CHECK(*shard->replica() == sample());
  // Another copy is made from a checkpoint: what this one knows is not its own.
  REQUIRE(shard->checkpoint(scratch / "checkpoint").ok());
  CHECK(read_replica_file(scratch / "checkpoint").error().code == ErrorCode::NotFound);
}

TEST_CASE("ShardStore: a received copy takes the place of one that is here", "[storage][replica]") {
  const ScratchDirectory scratch(ScratchDirectory::Where::Memory);
  ManualClock clock;
  ShardStore store(scratch / "shards", {}, clock);
  const auto spec = spec_of(2);
  const CopyId from{std::string(32, 'b')};
  const CopyId to{std::string(32, 'c')};
  const auto fill = [&](const CopyId& copy, std::uint64_t points) {
    auto shard = store.create(spec, ShardId{0}, copy);
    REQUIRE(error_of(shard) == "");
    const std::vector<LogEntry> entries{{Term{1}, Seq{1}, {}, line(1, points)}};
    REQUIRE((*shard)->append(std::span(entries)).ok());
    REQUIRE((*shard)->apply_through(Seq{1}).ok());
    return std::move(shard).value();
  };
  auto old = fill(to, 2);
  {
    auto source = fill(from, 7);
    REQUIRE(source->checkpoint(scratch / "checkpoint").ok());
  }
  const auto incoming = store.prepare_incoming(to);
  REQUIRE(error_of(incoming) == "");
  std::filesystem::copy(scratch / "checkpoint", *incoming,
                        std::filesystem::copy_options::recursive);
  REQUIRE(write_replica_file(*incoming, sample()).ok());

  CHECK(store.replace(spec, ShardId{0}, to).error().code == ErrorCode::FailedPrecondition);
  old.reset();
  REQUIRE(error_of(store.replace(spec, ShardId{0}, to)) == "");
  auto opened = store.open(spec, ShardId{0}, to);
  REQUIRE(error_of(opened) == "");
  CHECK((*opened)->stats().points == 7);
  CHECK(*(*opened)->replica() == sample());
  opened->reset();
  // Nothing was received: what is here stays.
  CHECK(store.replace(spec, ShardId{0}, to).error().code == ErrorCode::Corruption);
  CHECK(store.open(spec, ShardId{0}, to).ok());
}
