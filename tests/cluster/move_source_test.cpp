// The source's side of a move, asked directly: which hand-overs it refuses, and what becomes of a
// hold that nobody ends. Time is moved by hand.

#include <algorithm>
#include <fstream>
#include <future>

#include "cluster/migration/checkpoint_files.h"
#include "cluster/migration/receiver.h"
#include "cluster/migration/transfer_file.h"
#include "tests/cluster/move_world.h"
#include "tests/cluster/silent_node.h"

namespace quiver::cluster {
namespace {

using namespace testing;

/// A shard whose record names a copy at another server that is being filled, by nobody.
struct Source {
  Source() : world(2) {
    collection = world.make("notes", 1);
    REQUIRE(collection->upsert(CallContext{}, points(20)).ok());
    from = &world.owner("notes");
    to = &world.other(*from);
    to->mover->stop();
    add(copy);
    call.collection = world.id_of("notes");
    call.copy = world.state("notes").primary;
    call.caller = to->id.text;
    call.context.deadline = std::chrono::steady_clock::now() + 20s;
  }
  void add(const CopyId& wanted) {
    auto state = world.state("notes");
    state.copies.emplace(wanted, CopyPlace{to->id, CopyState::New});
    put(state);
  }
  void put(const ShardState& state) {
    const auto key = keys::shard(world.id_of("notes"), ShardId{0});
    REQUIRE(world.store->txn(CallContext{}, {}, {{key, state.to_json().dump()}}).ok());
    world.settle();
  }
  std::string checkpoint() {
    REQUIRE(from->source->hold_writes(call, 10s).ok());
    auto made = from->source->begin_checkpoint(call);
    REQUIRE(made.ok());
    return made->id;
  }
  thrift::Answered hand_over(const std::string& id) {
    return from->source->hand_over(call, {id, copy, to->id});
  }
  std::future<bool> write(std::uint64_t number) {
    return std::async(std::launch::async, [this, number] {
      return from->collection("notes")->upsert(within(30s), {point(number)}).ok();
    });
  }
  bool waits(std::future<bool>& write) {
    return write.wait_for(100ms) == std::future_status::timeout;
  }

  MoveWorld world;
  std::shared_ptr<Collection> collection;
  Node* from = nullptr;
  Node* to = nullptr;
  const CopyId copy{RequestId::random().hex()};
  thrift::ShardCall call;
};

template <typename T>
std::string refusal(const Result<T>& status) {
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == ErrorCode::FailedPrecondition);
  return status.error().message;
}

TEST_CASE("MoveSource: writes wait while they are held, reads go on", "[cluster][move]") {
  Source s;
  const auto held = s.from->source->hold_writes(s.call, 10s);
  REQUIRE(held.ok());
  auto write = s.write(100);
  CHECK(s.waits(write));
  CHECK(s.from->collection("notes")->count(within(10s), std::nullopt).value() == 20);
  // A repetition prolongs it and says the same.
  const auto again = s.from->source->hold_writes(s.call, 10s);
  REQUIRE(again.ok());
  CHECK(again.result.value() == held.result.value());
  CHECK(s.from->source->release_writes(s.call).ok());
  CHECK(write.get());
  CHECK(s.from->source->release_writes(s.call).ok());
}

TEST_CASE("MoveSource: a hold that runs out lets writes go on and is worth no hand-over",
          "[cluster][move]") {
  Source s;
  const auto id = s.checkpoint();
  const auto files = s.from->source->begin_checkpoint(s.call);
  REQUIRE(files.ok());
  CHECK(files.result.value().id == id);
  auto write = s.write(100);
  CHECK(s.waits(write));
  const auto& listed = files.result.value().files;
  const auto& file = *std::max_element(
      listed.begin(), listed.end(), [](const auto& a, const auto& b) { return a.bytes < b.bytes; });
  REQUIRE(file.bytes > 20);
  const auto read = [&](std::uint64_t at) {
    return s.from->source->read_chunk(s.call, {id, file.name, at, 1}).ok();
  };
  SECTION("unless chunks are read") {
    for (std::uint64_t i = 0; i < 5; ++i) {
      s.world.clock.advance_ms(9'000);
      REQUIRE(read(i));
    }
    CHECK(s.waits(write));
  }
  SECTION("but not for ever") {
    std::uint64_t chunks = 0;
    while (read(chunks)) {
      s.world.clock.advance_ms(9'000);
      REQUIRE(++chunks <= 20);
    }
    // 0 s, 9 s, up to 117 s of 120 s.
    CHECK(chunks == 14);
  }
  SECTION("that were not read before") {
    int chunks = 0;
    while (read(0)) {
      s.world.clock.advance_ms(4'000);
      REQUIRE(++chunks <= 20);
    }
    // 0 s, 4 s, 8 s and 12 s of 15 s.
    CHECK(chunks == 4);
  }
  s.world.clock.advance_ms(10'001);
  CHECK(write.get());
  CHECK_THAT(refusal(s.hand_over(id).result), Catch::Contains("not been held back"));
  CHECK_FALSE(s.from->source->read_chunk(s.call, {id, "MANIFEST", 0, 1}).ok());
  CHECK(s.world.state("notes").primary == s.call.copy);
  CHECK(eventually([&] { return std::filesystem::is_empty(s.from->dir.path() / "outgoing"); }));
  // A new hold does not make the old checkpoint good.
  REQUIRE(s.from->source->hold_writes(s.call, 10s).ok());
  CHECK_THAT(refusal(s.hand_over(id).result), Catch::Contains("not of this hold"));
  const auto fresh = s.checkpoint();
  CHECK(fresh != id);
}

TEST_CASE("MoveSource: who has all files has more time, as long as it shows that it is there",
          "[cluster][move]") {
  Source s;
  const auto id = s.checkpoint();
  const auto files = s.from->source->begin_checkpoint(s.call);
  for (const auto& file : files.result.value().files) {
    for (std::uint64_t at = 0; at < file.bytes;) {
      const auto length = std::min<std::uint64_t>(file.bytes - at, 1 << 20);
      const auto got =
          s.from->source->read_chunk(s.call, {id, file.name, at, static_cast<std::size_t>(length)});
      REQUIRE(got.ok());
      at += got.result.value().size();
    }
  }
  for (int i = 0; i < 11; ++i) {
    s.world.clock.advance_ms(9'000);
    REQUIRE(s.from->source->hold_writes(s.call, 10s).ok());
  }
  CHECK(s.hand_over(id).ok());
}

TEST_CASE("MoveSource: hands over only what the record says", "[cluster][move]") {
  Source s;
  const auto id = s.checkpoint();
  auto state = s.world.state("notes");
  SECTION("to a copy that is being filled") {
    const auto answer = s.from->source->hand_over(s.call, {id, {"no such copy"}, s.to->id});
    CHECK_THAT(refusal(answer.result), Catch::Contains("no copy"));
  }
  SECTION("at that server") {
    const auto answer = s.from->source->hand_over(s.call, {id, s.copy, s.from->id});
    CHECK_THAT(refusal(answer.result), Catch::Contains("no copy"));
  }
  SECTION("and not beside others") {
    state.copies.emplace(CopyId{std::string(32, 'f')}, CopyPlace{s.to->id, CopyState::New});
    s.put(state);
    CHECK_THAT(refusal(s.hand_over(id).result), Catch::Contains("other copies"));
  }
  SECTION("with a checkpoint that was not ended") {
    CHECK(s.from->source->end_checkpoint(s.call, "another").ok());
    CHECK(s.from->source->end_checkpoint(s.call, id).ok());
    CHECK_THAT(refusal(s.hand_over(id).result), Catch::Contains("not of this hold"));
  }
  CHECK(s.world.state("notes").primary == s.call.copy);
  // The shard answers and, once nobody holds it, takes writes.
  CHECK(s.from->collection("notes")->count(within(10s), std::nullopt).value() == 20);
  CHECK(s.from->source->release_writes(s.call).ok());
  CHECK(s.write(100).get());
}

TEST_CASE("MoveSource: holds back only for the server whose copy is being filled",
          "[cluster][move]") {
  Source s;
  auto stranger = s.call;
  stranger.caller = std::string(32, '9');
  CHECK_THAT(refusal(s.from->source->hold_writes(stranger, 10s).result),
             Catch::Contains("names no copy at server"));
  CHECK_THAT(refusal(s.from->source->begin_checkpoint(s.call).result),
             Catch::Contains("not held back"));
  REQUIRE(s.from->source->hold_writes(s.call, 10s).ok());
  CHECK_THAT(refusal(s.from->source->hold_writes(stranger, 10s).result),
             Catch::Contains("held back for server"));
  CHECK_FALSE(s.from->source->release_writes(stranger).ok());
  auto other_copy = s.call;
  other_copy.copy = s.copy;
  CHECK(s.from->source->begin_checkpoint(other_copy).error().code == ErrorCode::WrongOwner);
  CHECK(s.from->source->hold_writes(s.call, 0ms).error().code == ErrorCode::InvalidArgument);
  CHECK(s.from->source->hold_writes(s.call, 61s).error().code == ErrorCode::InvalidArgument);
  // Who does not own the shard cannot hold it back.
  CHECK(s.to->source->hold_writes(s.call, 10s).error().code == ErrorCode::WrongOwner);
}

TEST_CASE("MoveSource: a hold ends with the copy that it was for", "[cluster][move]") {
  Source s;
  s.checkpoint();
  auto write = s.write(100);
  CHECK(s.waits(write));
  auto state = s.world.state("notes");
  state.copies.erase(s.copy);
  s.put(state);
  CHECK(write.get());
}

TEST_CASE("MoveSource: a repeated hand-over is answered like the first", "[cluster][move]") {
  Source s;
  const auto id = s.checkpoint();
  CHECK(s.hand_over(id).ok());
  CHECK(s.world.state("notes").primary == s.copy);
  CHECK(s.from->copies_on_disk() == 0);
  CHECK(s.hand_over(id).ok());
}

TEST_CASE("MoveSource: an open hand-over blocks the shard until it is decided", "[cluster][move]") {
  using Fault = FaultyStore::Fault;
  Source s;
  const auto id = s.checkpoint();
  std::atomic<bool> silent{true};
  s.from->store.inject([&](const std::vector<Put>& puts) {
    return silent && puts_shard(puts) ? Fault::UnknownLost : Fault::None;
  });
  const auto open = s.hand_over(id);
  REQUIRE_FALSE(open.ok());
  CHECK(open.info.outcome_unknown);
  CHECK_FALSE(s.from->source->release_writes(s.call).ok());
  s.world.clock.advance_ms(3'600'000);
  auto write = s.write(100);
  CHECK(s.waits(write));
  auto elsewhere = s.from->source->hand_over(s.call, {id, CopyId{"other"}, s.to->id});
  CHECK_FALSE(elsewhere.ok());
  SECTION("the store says that it took effect") {
    silent = false;
    CHECK(eventually([&] { return s.world.state("notes").primary == s.copy; }));
    CHECK(eventually([&] { return s.from->copies_on_disk() == 0; }));
    write.wait();
  }
  SECTION("others took the copy out of the record") {
    auto state = s.world.state("notes");
    state.copies.erase(s.copy);
    s.put(state);
    silent = false;
    CHECK(write.get());
    CHECK(s.world.state("notes").primary == s.call.copy);
  }
  SECTION("the server stops before it is known") {
    s.from->source->close();
    s.from->host->close();
    CHECK_FALSE(write.get());
    s.from->kill();
    silent = false;
    s.from->start();
    CHECK(s.from->collection("notes")->upsert(within(10s), {point(5)}).ok());
  }
}

TEST_CASE("MoveSource: a start fences off what an earlier process may have sent",
          "[cluster][move]") {
  Source s;
  const auto key = keys::shard(s.world.id_of("notes"), ShardId{0});
  const auto before = s.world.store->get(CallContext{}, key).value();
  s.from->restart();
  const auto after = s.world.store->get(CallContext{}, key).value();
  CHECK(after->revision > before->revision);
  CHECK(s.world.state("notes").primary == s.call.copy);
  // Its transaction compares the revision of before.
  const auto late =
      s.world.store->txn(CallContext{}, {{key, before->revision}}, {{key, before->value}});
  CHECK(late->outcome == TxnOutcome::Conflict);
}

TEST_CASE("MoveSource: the map on the disk is of now before a shard is handed over",
          "[cluster][move]") {
  Source s;
  const auto entry =
      s.world.store->get(CallContext{}, keys::shard(s.world.id_of("notes"), ShardId{0}));
  const auto id = s.checkpoint();
  std::vector<Revision> asked;
  s.from->keep_map = [&](const CallContext&, Revision revision) -> Status {
    asked.push_back(revision);
    CHECK(s.world.state("notes").primary == s.call.copy);
    return Error{ErrorCode::Unavailable, "the disk is gone"};
  };
  // Nothing has changed, and it may be asked again.
  const auto refused = s.hand_over(id);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message == "the disk is gone");
  CHECK(s.world.state("notes").primary == s.call.copy);
  CHECK(asked == std::vector<Revision>{(*entry)->revision});
  s.from->keep_map = {};
  REQUIRE(s.hand_over(id).ok());
  CHECK(s.world.state("notes").primary == s.copy);
}

TEST_CASE("MoveSource: what a crash left of checkpoints is removed at start", "[cluster][move]") {
  Source s;
  s.from->kill();
  std::filesystem::create_directories(s.from->dir.path() / "outgoing" / "left" / "db");
  s.from->start();
  CHECK(std::filesystem::is_empty(s.from->dir.path() / "outgoing"));
  s.from->source->close();
  CHECK(s.from->source->hold_writes(s.call, 1s).error().code == ErrorCode::Unavailable);
}

TEST_CASE("CheckpointFiles: names lead to files of the checkpoint only", "[cluster][move]") {
  TempDir dir;
  dir.write("cp/MANIFEST", "manifest");
  dir.write("cp/db/1.sst", "0123456789");
  dir.write("secret", "secret");
  const auto files = CheckpointFiles::take(dir.path() / "cp", {Term{1}, Seq{9}}).value();
  const auto said = files->describe();
  CHECK(said.id == "cp");
  CHECK(said.position.seq == Seq{9});
  CHECK(said.files == std::vector<thrift::CheckpointFile>{{"MANIFEST", 8}, {"db/1.sst", 10}});
  CHECK(files->read("db/1.sst", 3, 4).value() == "3456");
  CHECK(files->read("db/1.sst", 8, 100).value() == "89");
  CHECK(files->read("db/1.sst", 10, 1).value().empty());
  CHECK(files->read("db/1.sst", 11, 1).error().code == ErrorCode::InvalidArgument);
  for (const char* name : {"../secret", "secret", "db", "", "/etc/passwd", "db/../MANIFEST"}) {
    CHECK(files->read(name, 0, 1).error().code == ErrorCode::NotFound);
  }
  std::filesystem::resize_file(dir.path() / "cp" / "MANIFEST", 2);
  CHECK(files->read("MANIFEST", 0, 8).error().code == ErrorCode::Corruption);
  std::filesystem::remove(dir.path() / "cp" / "MANIFEST");
  CHECK(files->read("MANIFEST", 0, 8).error().code == ErrorCode::Unavailable);
  CHECK_FALSE(CheckpointFiles::take(dir.path() / "none", {}).ok());
}

/// A source that gives out one file, and does with chunks what a test wants.
class OneFile final : public testing::SilentNode {
 public:
  std::function<Result<std::string>(const thrift::ChunkCall&)> chunk;
  thrift::Checkpoint checkpoint{"cp", {{"a", 3}, {"d/b", 5}, {"empty", 0}}, {}};
  int chunks = 0;

  Reply<thrift::Checkpoint> begin_checkpoint(const ShardCall&) override { return checkpoint; }
  Reply<std::string> read_chunk(const ShardCall&, const thrift::ChunkCall& wanted) override {
    ++chunks;
    if (chunk) return chunk(wanted);
    return std::string(wanted.length, 'x');
  }
  Reply<LogPosition> hold_writes(const ShardCall&, std::chrono::milliseconds) override {
    return LogPosition{};
  }
};

struct Receiving {
  Status go() {
    Receiver receiver(store, options);
    return receiver.receive(call, source, copy, transfer,
                            [this](const Transfer&) { return after; });
  }
  TempDir dir;
  ManualClock clock;
  storage::ShardStore store{dir.path(), storage::Options{}, clock};
  Receiver::Options options;
  OneFile source;
  Transfer transfer;
  Status after = Done{};
  thrift::ShardCall call;
  const CopyId copy{RequestId::random().hex()};
};

TEST_CASE("Receiver: fetches every file, empty ones and directories included", "[cluster][move]") {
  Receiving r;
  REQUIRE(r.go().ok());
  CHECK(std::filesystem::file_size(r.transfer.directory / "a") == 3);
  CHECK(std::filesystem::file_size(r.transfer.directory / "d" / "b") == 5);
  CHECK(std::filesystem::file_size(r.transfer.directory / "empty") == 0);
  CHECK(r.transfer.bytes_done == 8);
  CHECK(r.transfer.bytes_total == 8);
}

TEST_CASE("Receiver: a damaged chunk is asked for again, but not for ever", "[cluster][move]") {
  Receiving r;
  int damaged = GENERATE(1, 2, 3);
  r.source.chunk = [&](const thrift::ChunkCall& wanted) -> Result<std::string> {
    if (damaged-- > 0) return Error{ErrorCode::Corruption, "does not match its checksum"};
    return std::string(wanted.length, 'x');
  };
  const bool recovers = damaged < 3;
  const auto received = r.go();
  CHECK(received.ok() == recovers);
  if (!recovers) CHECK(received.error().code == ErrorCode::Corruption);
}

TEST_CASE("Receiver: a chunk that is too short is no file", "[cluster][move]") {
  Receiving r;
  r.source.chunk = [](const thrift::ChunkCall&) -> Result<std::string> { return std::string("x"); };
  CHECK(r.go().error().code == ErrorCode::Corruption);
}

TEST_CASE("Receiver: goes on where it was while the checkpoint is the same", "[cluster][move]") {
  Receiving r;
  bool lost = true;
  r.source.chunk = [&](const thrift::ChunkCall& wanted) -> Result<std::string> {
    if (wanted.file == "d/b" && lost) return Error{ErrorCode::Unavailable, "gone"};
    return std::string(wanted.length, 'x');
  };
  CHECK(r.go().error().code == ErrorCode::Unavailable);
  lost = false;
  r.source.chunks = 0;
  SECTION("the same") {
    REQUIRE(r.go().ok());
    CHECK(r.source.chunks == 1);
  }
  SECTION("another") {
    r.source.checkpoint.id = "new";
    REQUIRE(r.go().ok());
    CHECK(r.source.chunks == 2);
  }
  CHECK(r.transfer.bytes_done == 8);
}

TEST_CASE("Transfer file: what is there, and nothing else, is gone on with", "[cluster][move]") {
  Receiving r;
  r.source.chunk = [&](const thrift::ChunkCall& wanted) -> Result<std::string> {
    if (wanted.file == "d/b") return Error{ErrorCode::Unavailable, "gone"};
    return std::string(wanted.length, 'x');
  };
  REQUIRE_FALSE(r.go().ok());
  const auto& directory = r.transfer.directory;
  CHECK_FALSE(load_transfer(directory, r.source.checkpoint).has_value());
  REQUIRE(save_transfer(r.transfer).ok());
  auto loaded = load_transfer(directory, r.source.checkpoint);
  REQUIRE(loaded.has_value());
  CHECK(loaded->file == 1);
  CHECK(loaded->offset == 0);
  CHECK(loaded->bytes_done == 3);
  CHECK(loaded->bytes_total == 8);
  // Part of the second file.
  std::ofstream(directory / "d" / "b") << "xxxx";
  loaded->offset = 2;
  REQUIRE(save_transfer(*loaded).ok());
  loaded = load_transfer(directory, r.source.checkpoint);
  REQUIRE(loaded.has_value());
  CHECK(loaded->offset == 2);
  CHECK(loaded->bytes_done == 5);
  SECTION("another checkpoint") {
    r.source.checkpoint.id = "new";
  }
  SECTION("a file that was cut") {
    std::filesystem::resize_file(directory / "a", 2);
  }
  SECTION("a part that was cut") {
    std::filesystem::resize_file(directory / "d" / "b", 1);
  }
  SECTION("a file that is gone") {
    std::filesystem::remove(directory / "a");
  }
  SECTION("a note that is no note") {
    std::ofstream(directory / storage::ShardStore::kTransferFile) << "{\"checkpoint\": 7}";
  }
  SECTION("forgotten") {
    REQUIRE(forget_transfer(directory).ok());
    REQUIRE(forget_transfer(directory).ok());
  }
  CHECK_FALSE(load_transfer(directory, r.source.checkpoint).has_value());
}

TEST_CASE("Receiver: refuses lists of files that cannot be", "[cluster][move]") {
  Receiving r;
  r.source.checkpoint.files = {{"a", 3}, {"a", 3}};
  CHECK(r.go().error().code == ErrorCode::Corruption);
  r.source.checkpoint.files = {{"a", std::uint64_t{1} << 63U}, {"b", std::uint64_t{1} << 63U}};
  CHECK(r.go().error().code == ErrorCode::Corruption);
  r.source.checkpoint.files = {{"a", std::uint64_t{1} << 60U}};
  CHECK_FALSE(r.go().ok());
}

TEST_CASE("Receiver: takes its turn for every byte", "[cluster][move]") {
  Receiving r;
  constexpr std::uint64_t kBytes = 600'000;
  constexpr std::uint64_t kRate = 1'000'000;
  r.options.pace = std::make_shared<Pace>(kRate);
  r.source.checkpoint.files = {{"a", kBytes}};
  std::size_t longest = 0;
  r.source.chunk = [&](const thrift::ChunkCall& wanted) -> Result<std::string> {
    longest = std::max(longest, wanted.length);
    return std::string(wanted.length, 'x');
  };
  const auto begun = std::chrono::steady_clock::now();
  REQUIRE(r.go().ok());
  const auto took = std::chrono::steady_clock::now() - begun;
  CHECK(r.options.pace->bytes() == kBytes);
  CHECK(longest == 250'000);
  // 250,000 saved up; two pieces, of which the second waits for the first, and a shorter one.
  CHECK(took >= 240ms);
}

TEST_CASE("Receiver: ends when it is told to", "[cluster][move]") {
  Receiving r;
  r.after = Error{ErrorCode::FailedPrecondition, "ended"};
  CHECK(r.go().error().message == "ended");
  r.after = Done{};
  r.call.context.cancel = CancelToken::make();
  r.call.context.cancel.cancel();
  r.source.chunks = 0;
  CHECK(r.go().error().code == ErrorCode::DeadlineExceeded);
  CHECK(r.source.chunks == 0);
}

}  // namespace
}  // namespace quiver::cluster
