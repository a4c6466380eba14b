#include "storage/kv_store.h"

#include <fstream>
#include <sstream>

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include "tests/storage/scratch.h"

using namespace quiver;
using namespace quiver::storage;
using namespace quiver::storage::test;

using Pairs = std::vector<std::pair<std::string, std::string>>;

namespace {

/// The only write-ahead log of a closed store.
std::filesystem::path log_of(const std::filesystem::path& meta) {
  std::filesystem::path found;
  for (const auto& entry : std::filesystem::directory_iterator(meta)) {
    if (entry.path().extension() != ".log" || entry.file_size() == 0) continue;
    REQUIRE(found.empty());
    found = entry.path();
  }
  REQUIRE_FALSE(found.empty());
  return found;
}

void write_all(const std::filesystem::path& meta, int count) {
  const auto store = KvStore::open(meta);
  REQUIRE(store.ok());
  for (int i = 0; i < count; ++i) {
    REQUIRE((*store)->write({{"k" + std::to_string(i), std::string(100, 'v')}}).ok());
  }
}

/// Collects what is logged as long as it lives.
class LogCapture {
 public:
  LogCapture() : before_(spdlog::default_logger()) {
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(text_);
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("captured", std::move(sink)));
  }
  ~LogCapture() { spdlog::set_default_logger(before_); }
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;
  std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> before_;
};

}  // namespace

TEST_CASE("KvStore: keeps what was written, in order of key", "[storage][kv]") {
  const ScratchDirectory scratch;
  {
    const auto store = KvStore::open(scratch / "a" / "meta");
    REQUIRE(store.ok());
    CHECK_FALSE((*store)->get("x")->has_value());
    REQUIRE((*store)->write({{"c/2", "two"}, {"c/1", "one"}, {"d", ""}}).ok());
    REQUIRE((*store)->write({{"c/2", std::nullopt}, {"c/3", "three"}}).ok());
  }
  const auto store = KvStore::open(scratch / "a" / "meta");
  REQUIRE(store.ok());
  CHECK((*store)->list("c/").value() == Pairs{{"c/1", "one"}, {"c/3", "three"}});
  CHECK((*store)->list("").value() == Pairs{{"c/1", "one"}, {"c/3", "three"}, {"d", ""}});
  CHECK((*store)->list("e").value().empty());
  CHECK((*store)->get("c/3").value() == "three");
  CHECK((*store)->get("d").value() == "");
}

TEST_CASE("KvStore: the later of two writes to a key in one batch wins", "[storage][kv]") {
  const ScratchDirectory scratch;
  const auto store = KvStore::open(scratch / "meta");
  REQUIRE(store.ok());
  REQUIRE((*store)->write({{"k", "1"}, {"k", std::nullopt}, {"k", "2"}}).ok());
  CHECK((*store)->get("k").value() == "2");
  REQUIRE((*store)->write({}).ok());
}

TEST_CASE("KvStore: is open once", "[storage][kv]") {
  const ScratchDirectory scratch;
  const auto store = KvStore::open(scratch / "meta");
  REQUIRE(store.ok());
  const auto second = KvStore::open(scratch / "meta");
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().code == ErrorCode::Unavailable);
}

TEST_CASE("KvStore: a directory that cannot be is a clear error", "[storage][kv]") {
  const ScratchDirectory scratch;
  std::ofstream(scratch / "file") << "x";
  const auto store = KvStore::open(scratch / "file" / "meta");
  REQUIRE_FALSE(store.ok());
  CHECK(store.error().code == ErrorCode::Unavailable);
  CHECK(store.error().message.find("the metadata directory") != std::string::npos);
}

TEST_CASE("KvStore: a record that a crash tore is cut, with a reason in the log", "[storage][kv]") {
  const ScratchDirectory scratch;
  const auto meta = scratch / "meta";
  write_all(meta, 3);
  // The third record is on its way: not all of it reached the disk, and nobody was told that it
  // did.
  const auto acknowledged_two = [&] {
    const ScratchDirectory other;
    write_all(other / "meta", 2);
    std::ifstream in(other / "meta" / "TAIL", std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }();
  std::ofstream(meta / "TAIL", std::ios::binary) << acknowledged_two;
  std::filesystem::resize_file(log_of(meta), std::filesystem::file_size(log_of(meta)) - 10);
  const LogCapture log;
  {
    const auto store = KvStore::open(meta);
    REQUIRE(store.ok());
    CHECK((*store)->list("k").value().size() == 2);
    CHECK_THAT(log.text(), Catch::Contains("dropping"));
    REQUIRE((*store)->write({{"k9", "after"}}).ok());
  }
  const auto store = KvStore::open(meta);
  REQUIRE(store.ok());
  CHECK((*store)->list("k").value().size() == 3);
}

TEST_CASE("KvStore: damage that takes acknowledged writes is an error", "[storage][kv]") {
  const ScratchDirectory scratch;
  const auto meta = scratch / "meta";
  write_all(meta, 5);
  const auto log = log_of(meta);
  const auto size = std::filesystem::file_size(log);
  SECTION("in the middle") {
    std::fstream file(log, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(size / 2));
    file.put('\x7f');
  }
  SECTION("at the end") {
    std::filesystem::resize_file(log, size - 10);
  }
  SECTION("gone") {
    std::filesystem::remove(log);
  }
  for (int i = 0; i < 2; ++i) {
    const auto store = KvStore::open(meta);
    REQUIRE_FALSE(store.ok());
    CHECK(store.error().code == ErrorCode::Corruption);
    CHECK_THAT(store.error().message, Catch::Contains("acknowledged"));
  }
  // Whoever accepts the loss says so.
  std::filesystem::remove(meta / "TAIL");
  CHECK(KvStore::open(meta).ok());
}
