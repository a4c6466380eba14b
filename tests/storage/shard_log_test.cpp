// The log over a real database: what it accepts, what survives, and what damage says.

#include "storage/shard_log.h"

#include <fstream>

#include <rocksdb/write_batch.h>

#include "storage/coding.h"
#include "storage/mutation_codec.h"
#include "storage/shard_columns.h"
#include "tests/storage/scratch.h"

using namespace quiver;
using namespace quiver::storage;
using namespace quiver::storage::test;

namespace {

LogEntry erase_entry(std::uint64_t seq, std::uint64_t term = 1) {
  LogEntry entry;
  entry.term = Term{term};
  entry.seq = Seq{seq};
  entry.mutation = ErasePoints{{PointId(seq)}};
  return entry;
}

std::vector<LogEntry> erase_entries(std::uint64_t from, std::uint64_t to, std::uint64_t term = 1) {
  std::vector<LogEntry> entries;
  for (auto seq = from; seq <= to; ++seq) entries.push_back(erase_entry(seq, term));
  return entries;
}

/// A log with its database, to be opened again and again.
class OpenLog {
 public:
  explicit OpenLog(std::filesystem::path directory, rocksdb::Env* env = nullptr)
      : directory_(std::move(directory)), resources_(1 << 20, 1 << 20, env) {}

  Status open(LogPosition applied = {}, Seq first = Seq{1}) {
    close();
    const auto columns = shard_columns();
    QV_CHECK(make_directories(directory_ / "rocksdb", "the test database"));
    QV_TRY(rocks_,
           Rocks::open(directory_ / "rocksdb", columns, resources_, Rocks::Create::IfMissing));
    QV_TRY(auto mark, TailMark::open(directory_ / "TAIL"));
    QV_TRY(log_, ShardLog::open(*rocks_, std::move(mark), applied, first));
    return Done{};
  }
  void close() {
    log_.reset();
    rocks_.reset();
  }
  ShardLog* operator->() { return log_.get(); }
  Rocks& rocks() { return *rocks_; }

 private:
  std::filesystem::path directory_;
  RocksResources resources_;
  std::unique_ptr<Rocks> rocks_;
  std::unique_ptr<ShardLog> log_;
};

std::vector<std::uint64_t> seqs(const Result<std::vector<LogEntry>>& entries) {
  REQUIRE(entries.ok());
  std::vector<std::uint64_t> out;
  for (const auto& entry : *entries) out.push_back(raw(entry.seq));
  return out;
}

}  // namespace

TEST_CASE("ShardLog: entries survive without a flush", "[storage][log]") {
  const ScratchDirectory scratch;
  OpenLog log(scratch.path());
  REQUIRE(log.open().ok());
  CHECK(log->tail() == LogPosition{});
  REQUIRE(log->append(erase_entries(1, 3)).ok());
  REQUIRE(log->append(erase_entries(4, 4, 2)).ok());
  CHECK(log->append({}).ok());
  CHECK(log->tail() == LogPosition{Term{2}, Seq{4}});

  REQUIRE(log.open().ok());
  CHECK(log->tail() == LogPosition{Term{2}, Seq{4}});
  CHECK(seqs(log->read(Seq{1}, 1 << 20)) == std::vector<std::uint64_t>{1, 2, 3, 4});
  const auto stored = log->read(Seq{2});
  REQUIRE(stored.ok());
  CHECK(std::get<ErasePoints>(stored->entry.mutation).ids == std::vector{PointId(2)});
  CHECK(stored->bytes == encode_log_entry(erase_entry(2))->size());
}

TEST_CASE("ShardLog: a gap or an older term is refused whole", "[storage][log]") {
  const ScratchDirectory scratch;
  OpenLog log(scratch.path());
  REQUIRE(log.open().ok());
  REQUIRE(log->append(erase_entries(1, 2, 5)).ok());

  const auto gap = log->append(erase_entries(4, 4, 5));
  REQUIRE_FALSE(gap.ok());
  CHECK(gap.error().code == ErrorCode::InvalidArgument);
  CHECK(gap.error().message.find("the next is 3") != std::string::npos);
  CHECK_FALSE(log->append(erase_entries(2, 2, 5)).ok());
  CHECK_FALSE(log->append(erase_entries(3, 3, 4)).ok());
  // A good entry in front of a bad one is not kept either.
  CHECK_FALSE(log->append(std::vector{erase_entry(3, 5), erase_entry(5, 5)}).ok());
  CHECK(log->tail() == LogPosition{Term{5}, Seq{2}});
  CHECK(seqs(log->read(Seq{1}, 1 << 20)) == std::vector<std::uint64_t>{1, 2});
}

TEST_CASE("ShardLog: a read returns at least one entry and stops at the bytes", "[storage][log]") {
  const ScratchDirectory scratch;
  OpenLog log(scratch.path());
  REQUIRE(log.open().ok());
  REQUIRE(log->append(erase_entries(1, 10)).ok());
  const auto size = encode_log_entry(erase_entry(1))->size();
  CHECK(seqs(log->read(Seq{4}, 0)) == std::vector<std::uint64_t>{4});
  CHECK(seqs(log->read(Seq{4}, 3 * size)) == std::vector<std::uint64_t>{4, 5, 6});
  CHECK(seqs(log->read(Seq{4}, 3 * size - 1)) == std::vector<std::uint64_t>{4, 5});
  CHECK(seqs(log->read(Seq{11}, 1000)).empty());
}

TEST_CASE("ShardLog: what was truncated is gone for good", "[storage][log]") {
  const ScratchDirectory scratch;
  OpenLog log(scratch.path());
  REQUIRE(log.open().ok());
  REQUIRE(log->append(erase_entries(1, 4, 1)).ok());
  REQUIRE(log->append(erase_entries(5, 9, 2)).ok());

  const LogPosition applied{Term{1}, Seq{2}};
  const auto too_far = log->truncate_after(Seq{1}, applied);
  REQUIRE_FALSE(too_far.ok());
  CHECK(too_far.error().code == ErrorCode::FailedPrecondition);
  CHECK(log->truncate_after(Seq{9}, applied).ok());
  CHECK(log->tail().seq == Seq{9});

  REQUIRE(log->truncate_after(Seq{4}, applied).ok());
  CHECK(log->tail() == LogPosition{Term{1}, Seq{4}});
  REQUIRE(log.open(applied).ok());
  CHECK(log->tail() == LogPosition{Term{1}, Seq{4}});
  REQUIRE(log->append(erase_entries(5, 5, 3)).ok());
  CHECK(log->read(Seq{5})->entry.term == Term{3});
  CHECK_FALSE(log->read(Seq{6}).ok());

  REQUIRE(log->truncate_after(Seq{2}, applied).ok());
  CHECK(log->tail() == applied);
}

TEST_CASE("ShardLog: what was trimmed is refused, and stays so after opening", "[storage][log]") {
  const ScratchDirectory scratch;
  OpenLog log(scratch.path());
  REQUIRE(log.open().ok());
  REQUIRE(log->append(erase_entries(1, 100)).ok());
  REQUIRE(log.rocks().flush().ok());
  REQUIRE(log->trim_before(Seq{61}).ok());
  CHECK(log->first() == Seq{61});
  CHECK(seqs(log->read(Seq{61}, 0)) == std::vector<std::uint64_t>{61});
  const auto gone = log->read(Seq{60}, 0);
  REQUIRE_FALSE(gone.ok());
  CHECK(gone.error().code == ErrorCode::FailedPrecondition);
  CHECK(gone.error().message.find("begins at 61") != std::string::npos);
  CHECK(log->trim_before(Seq{10}).ok());
  CHECK_FALSE(log->trim_before(Seq{102}).ok());
  CHECK(log->first() == Seq{61});

  const LogPosition applied{Term{1}, Seq{100}};
  REQUIRE(log.open(applied, Seq{61}).ok());
  CHECK(log->first() == Seq{61});
  REQUIRE(log->trim_before(Seq{101}).ok());
  REQUIRE(log.open(applied, Seq{101}).ok());
  CHECK(log->tail() == applied);
  REQUIRE(log->append(erase_entries(101, 101)).ok());
  CHECK(seqs(log->read(Seq{101}, 0)) == std::vector<std::uint64_t>{101});
}

TEST_CASE("ShardLog: a log that ends before the state or begins behind it is damaged",
          "[storage][log]") {
  const ScratchDirectory scratch;
  OpenLog log(scratch.path());
  REQUIRE(log.open().ok());
  REQUIRE(log->append(erase_entries(1, 5)).ok());
  const auto short_log = log.open({Term{1}, Seq{6}}, Seq{3});
  REQUIRE_FALSE(short_log.ok());
  CHECK(short_log.error().code == ErrorCode::Corruption);

  REQUIRE(log.open().ok());
  REQUIRE(log->trim_before(Seq{4}).ok());
  const auto late_log = log.open({Term{1}, Seq{4}}, Seq{2});
  REQUIRE_FALSE(late_log.ok());
  CHECK(late_log.error().code == ErrorCode::Corruption);
  CHECK(late_log.error().message.find("log entry 2 is missing") != std::string::npos);
}

TEST_CASE("ShardLog: damaged bytes are a Corruption that names the entry", "[storage][log]") {
  const ScratchDirectory scratch;
  OpenLog log(scratch.path());
  REQUIRE(log.open().ok());
  REQUIRE(log->append(erase_entries(1, 3)).ok());
  auto bytes = encode_log_entry(erase_entry(2)).value();
  bytes[20] = static_cast<char>(bytes[20] + 1);
  auto* column = handle(log.rocks(), Column::Log);
  REQUIRE(log.rocks().db().Put({}, column, big_endian(std::uint64_t{2}), bytes).ok());

  const auto one = log->read(Seq{2});
  REQUIRE_FALSE(one.ok());
  CHECK(one.error().code == ErrorCode::Corruption);
  CHECK(one.error().message.find("log entry 2") != std::string::npos);
  const auto many = log->read(Seq{1}, 1 << 20);
  REQUIRE_FALSE(many.ok());
  CHECK(many.error().code == ErrorCode::Corruption);

  REQUIRE(log.rocks().db().Delete({}, column, big_endian(std::uint64_t{2})).ok());
  const auto hole = log->read(Seq{1}, 1 << 20);
  REQUIRE_FALSE(hole.ok());
  CHECK(hole.error().message.find("log entry 2 is missing") != std::string::npos);
}

TEST_CASE("ShardLog: a write-ahead log that lost acknowledged entries is noticed",
          "[storage][log]") {
  const ScratchDirectory scratch;
  OpenLog log(scratch.path());
  REQUIRE(log.open().ok());
  for (std::uint64_t seq = 1; seq <= 20; ++seq) REQUIRE(log->append(erase_entries(seq, seq)).ok());
  log.close();

  // One flipped byte in the middle: RocksDB alone would take it for the end.
  for (const auto& entry : std::filesystem::directory_iterator(scratch / "rocksdb")) {
    if (entry.path().extension() != ".log" || entry.file_size() == 0) continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(entry.file_size() / 2));
    const auto byte = static_cast<char>(file.get() ^ 0x10);
    file.seekp(static_cast<std::streamoff>(entry.file_size() / 2));
    file.put(byte);
  }
  const auto damaged = log.open();
  REQUIRE_FALSE(damaged.ok());
  CHECK(damaged.error().code == ErrorCode::Corruption);
  CHECK(damaged.error().message.find("entries up to 20 were acknowledged") != std::string::npos);

  // Who removes the mark accepts the loss.
  log.close();
  std::filesystem::remove(scratch / "TAIL");
  REQUIRE(log.open().ok());
  CHECK(log->tail().seq > Seq{0});
  CHECK(log->tail().seq < Seq{20});
}

TEST_CASE("ShardLog: a torn last record was never acknowledged and is dropped", "[storage][log]") {
  const ScratchDirectory scratch;
  OpenLog log(scratch.path());
  REQUIRE(log.open().ok());
  REQUIRE(log->append(erase_entries(1, 5)).ok());
  std::filesystem::copy(scratch / "TAIL", scratch / "TAIL.before");
  REQUIRE(log->append(erase_entries(6, 6)).ok());
  log.close();
  std::filesystem::rename(scratch / "TAIL.before", scratch / "TAIL");
  for (const auto& entry : std::filesystem::directory_iterator(scratch / "rocksdb")) {
    if (entry.path().extension() == ".log" && entry.file_size() > 0) {
      std::filesystem::resize_file(entry.path(), entry.file_size() - 3);
    }
  }
  REQUIRE(log.open().ok());
  CHECK(log->tail().seq == Seq{5});
}

TEST_CASE("ShardLog: a failed sync changes nothing and refuses all that follows",
          "[storage][log]") {
  const ScratchDirectory scratch;
  Faults faults;
  const auto env = faulty_environment(faults);
  OpenLog log(scratch.path(), env.get());
  REQUIRE(log.open().ok());
  REQUIRE(log->append(erase_entries(1, 2)).ok());

  faults.sync_fails = true;
  const auto failed = log->append(erase_entries(3, 3));
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.error().code == ErrorCode::Unavailable);
  CHECK(log->tail().seq == Seq{2});
  CHECK(seqs(log->read(Seq{1}, 1 << 20)) == std::vector<std::uint64_t>{1, 2});

  faults.sync_fails = false;
  const auto refused = log->append(erase_entries(3, 3));
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::Unavailable);
  CHECK(refused.error().message.find("opened anew") != std::string::npos);
  CHECK_FALSE(log->truncate_after(Seq{1}, {}).ok());

  REQUIRE(log.open().ok());
  // The entry may or may not have reached the disk; the log is whole either way.
  const auto tail = log->tail().seq;
  CHECK((tail == Seq{2} || tail == Seq{3}));
  CHECK(log->append(erase_entries(raw(tail) + 1, raw(tail) + 1)).ok());
}

TEST_CASE("ShardLog: a full disk is ResourceExhausted, and heals when opened anew",
          "[storage][log]") {
  const ScratchDirectory scratch;
  Faults faults;
  const auto env = faulty_environment(faults);
  OpenLog log(scratch.path(), env.get());
  REQUIRE(log.open().ok());
  REQUIRE(log->append(erase_entries(1, 2)).ok());
  faults.disk_full = true;
  const auto full = log->append(erase_entries(3, 3));
  REQUIRE_FALSE(full.ok());
  CHECK(full.error().code == ErrorCode::ResourceExhausted);
  CHECK(full.error().message.find("disk is full") != std::string::npos);
  CHECK(log->append(erase_entries(3, 3)).error().code == ErrorCode::ResourceExhausted);
  CHECK(log->tail().seq == Seq{2});

  faults.disk_full = false;
  REQUIRE(log.open().ok());
  CHECK(log->tail().seq == Seq{2});
  CHECK(log->append(erase_entries(3, 3)).ok());
}

TEST_CASE("TailMark: a damaged mark reads as unknown", "[storage][log]") {
  const ScratchDirectory scratch;
  {
    auto mark = TailMark::open(scratch / "TAIL");
    REQUIRE(mark.ok());
    CHECK(mark->value() == Seq{0});
    mark->store(Seq{300});
  }
  CHECK(TailMark::open(scratch / "TAIL")->value() == Seq{300});
  std::fstream(scratch / "TAIL", std::ios::in | std::ios::out | std::ios::binary).put('x');
  CHECK(TailMark::open(scratch / "TAIL")->value() == Seq{0});
  std::filesystem::resize_file(scratch / "TAIL", 5);
  CHECK(TailMark::open(scratch / "TAIL")->value() == Seq{0});
  CHECK_FALSE(TailMark::open(scratch / "TAIL" / "below").ok());
}
