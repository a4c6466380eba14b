// The map of the cluster on a server's disk: what is written, what is taken for it, and what keeps
// it up to date.

#include "cluster/view/view_file.h"

#include <array>
#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <thread>

#include <catch2/catch.hpp>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cluster/coordination/embedded_store.h"
#include "cluster/known_map.h"
#include "cluster/placement/slots.h"
#include "cluster/view/keys.h"
#include "cluster/view/view_builder.h"
#include "cluster/view/view_keeper.h"
#include "core/text.h"
#include "tests/cluster/away_store.h"
#include "tests/support/temp_dir.h"

namespace quiver::cluster {
namespace {

namespace fs = std::filesystem;
using Catch::Contains;

const std::string kCluster(32, 'c');
const NodeId kSelf{std::string(32, 'a')};
const NodeId kOther{std::string(32, 'b')};

NodeRecord record_of(const NodeId& id) {
  NodeRecord record;
  record.id = id;
  record.label = "label of " + id.text.substr(0, 1);
  record.rpc_address = "10.0.0." + std::to_string(id.text[0] - 'a' + 1) + ":7700";
  record.version = "1.2.3";
  record.state = NodeState::Active;
  return record;
}

Entry entry_of(std::string key, const Json& value, std::uint64_t revision) {
  return {std::move(key), value.dump(), Revision{revision}, LeaseId{0}};
}

ViewFile file_of(const std::vector<NodeRecord>& nodes) {
  ViewFile file{kCluster, kSelf, {"http://10.0.0.1:7701", "http://10.0.0.2:7701"}, {}};
  std::uint64_t revision = 40;
  for (const auto& node : nodes) {
    file.map.entries.push_back(entry_of(keys::node(node.id), node.to_json(), ++revision));
  }
  file.map.revision = Revision{1'000'000'007};
  return file;
}

std::string content_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

bool is_same(const Entry& a, const Entry& b) {
  return a.key == b.key && a.value == b.value && a.revision == b.revision;
}

void check_same(const ViewFile& a, const ViewFile& b) {
  CHECK(a.cluster_id == b.cluster_id);
  CHECK(a.node == b.node);
  CHECK(a.coordination == b.coordination);
  CHECK(a.map.revision == b.map.revision);
  REQUIRE(a.map.entries.size() == b.map.entries.size());
  for (std::size_t i = 0; i < a.map.entries.size(); ++i) {
    CHECK(is_same(a.map.entries[i], b.map.entries[i]));
  }
}

ErrorCode refusal_of(const TempDir& dir) {
  const auto read = ViewFile::read(dir.path());
  REQUIRE_FALSE(read.ok());
  return read.error().code;
}

template <typename Condition>
bool eventually(const Condition& holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

/// A store with one server in it, and the way to it.
struct Store {
  Store() : inner(EmbeddedStore::open(dir.path() / "meta").value()), away(*inner) {
    put(keys::node(kSelf), record_of(kSelf).to_json());
  }
  void put(const std::string& key, const Json& value) {
    REQUIRE(*inner->txn(CallContext{}, {}, {{key, value.dump()}}) == TxnOutcome::Done);
  }
  const TempDir dir;
  const std::unique_ptr<EmbeddedStore> inner;
  AwayStore away;
};

}  // namespace

TEST_CASE("ViewFile: what was written is read", "[cluster][view]") {
  const TempDir dir;
  CHECK(refusal_of(dir) == ErrorCode::NotFound);
  auto file = file_of({record_of(kSelf), record_of(kOther)});
  file.map.entries.push_back({"colls/x", "a \"text\"\n with \xC3\xA9 in it", Revision{7}, {}});
  REQUIRE(file.write(dir.path()).ok());
  check_same(*ViewFile::read(dir.path()), file);
  // Replaced whole, by what is smaller, too; nothing is left beside it.
  const ViewFile none{kCluster, kOther, {}, {}};
  REQUIRE(none.write(dir.path()).ok());
  check_same(*ViewFile::read(dir.path()), none);
  CHECK(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()) == 1);
  REQUIRE(ViewFile::remove(dir.path()).ok());
  CHECK(refusal_of(dir) == ErrorCode::NotFound);
  CHECK(ViewFile::remove(dir.path()).ok());
}

TEST_CASE("ViewFile: a file that is not whole is refused", "[cluster][view]") {
  const TempDir dir;
  REQUIRE(file_of({record_of(kSelf), record_of(kOther)}).write(dir.path()).ok());
  const auto file = dir.path() / "VIEW";
  const std::string whole = content_of(file);
  SECTION("cut at any place") {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      dir.write("VIEW", whole.substr(0, size));
      INFO(size);
      CHECK(refusal_of(dir) == ErrorCode::Corruption);
    }
  }
  SECTION("with more behind it") {
    dir.write("VIEW", whole + ' ');
    CHECK(refusal_of(dir) == ErrorCode::Corruption);
  }
  SECTION("with any bit turned round") {
    for (std::size_t at = 0; at < whole.size(); ++at) {
      std::string flipped = whole;
      flipped[at] = static_cast<char>(flipped[at] ^ static_cast<char>(1 << (at % 8)));
      dir.write("VIEW", flipped);
      INFO(at);
      const auto code = refusal_of(dir);
      CHECK((code == ErrorCode::Corruption || code == ErrorCode::FailedPrecondition));
    }
  }
  SECTION("something else") {
    dir.write("VIEW", "{}\n");
    CHECK(refusal_of(dir) == ErrorCode::Corruption);
  }
}

TEST_CASE("ViewFile: what is whole and no map is refused", "[cluster][view]") {
  const TempDir dir;
  const auto write = [&](const std::string& version, const std::string& body) {
    std::array<char, 17> sum{};
    (void)std::snprintf(sum.data(), sum.size(), "%016llx",
                        static_cast<unsigned long long>(stable_hash(body)));
    dir.write("VIEW", "quiver-view " + version + ' ' + std::to_string(body.size()) + ' ' +
                          sum.data() + '\n' + body);
  };
  const std::string good = R"({"cluster_id":"c","coordination":[],"entries":[["k","v",3]],)"
                           R"("node":"n","revision":3})";
  write("1", good);
  REQUIRE(ViewFile::read(dir.path()).ok());
  write("2", good);
  const auto newer = ViewFile::read(dir.path());
  REQUIRE_FALSE(newer.ok());
  CHECK(newer.error().code == ErrorCode::FailedPrecondition);
  CHECK_THAT(newer.error().message, Contains("format 2") && Contains("format 1"));
  for (const std::string body :
       {R"({})", R"([])", R"(no json)", R"({"cluster_id":1,"coordination":[],"entries":[]})",
        R"({"cluster_id":"c","coordination":[],"entries":[["k"]],"node":"n","revision":3})"}) {
    INFO(body);
    write("1", body);
    CHECK(refusal_of(dir) == ErrorCode::Corruption);
  }
}

TEST_CASE("ViewFile: a file that may not grow is a full disk, and changes nothing",
          "[cluster][view]") {
  const TempDir dir;
  const auto before = file_of({record_of(kSelf)});
  REQUIRE(before.write(dir.path()).ok());
  auto larger = file_of({record_of(kSelf)});
  larger.map.entries.push_back({"colls/x", std::string(100'000, 'x'), Revision{7}, {}});
  // The limit holds for a whole process: a child takes it.
  const auto child = ::fork();
  if (child == 0) {
    (void)::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{50'000, 50'000};
    (void)::setrlimit(RLIMIT_FSIZE, &limit);
    const auto written = larger.write(dir.path());
    ::_exit(!written.ok() && written.error().code == ErrorCode::ResourceExhausted ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  check_same(*ViewFile::read(dir.path()), before);
  CHECK(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()) == 1);
}

TEST_CASE("ViewFile: it has a largest size, and holds text only", "[cluster][view]") {
  const TempDir dir;
  auto file = file_of({record_of(kSelf)});
  file.map.entries.push_back({"k", std::string(ViewFile::kBytesMax, 'x'), Revision{1}, {}});
  CHECK(file.write(dir.path()).error().code == ErrorCode::ResourceExhausted);
  file.map.entries.back().value = "\xFF";
  CHECK(file.write(dir.path()).error().code == ErrorCode::Corruption);
  CHECK(refusal_of(dir) == ErrorCode::NotFound);
  dir.write("VIEW", "quiver-view 1 ");
  fs::resize_file(dir.path() / "VIEW", ViewFile::kBytesMax + 1);
  CHECK(refusal_of(dir) == ErrorCode::ResourceExhausted);
}

TEST_CASE("known_map: only of this cluster, this server and this place", "[cluster][view]") {
  const TempDir dir;
  auto self = record_of(kSelf);
  auto other = record_of(kOther);
  const auto refused = [&](const std::string& cluster_id) {
    const auto map = known_map(dir.path(), cluster_id, self);
    REQUIRE_FALSE(map.ok());
    CHECK(map.error().code == ErrorCode::FailedPrecondition);
    return map.error().message;
  };
  CHECK(known_map(dir.path(), kCluster, self).error().code == ErrorCode::NotFound);
  REQUIRE(file_of({self, other}).write(dir.path()).ok());
  CHECK(known_map(dir.path(), kCluster, self)->map.entries.size() == 2);

  CHECK_THAT(refused(std::string(32, 'd')), Contains("another cluster (" + kCluster));
  self = record_of(kOther);
  CHECK_THAT(refused(kCluster), Contains("another server (" + kSelf.text));
  self = record_of(kSelf);
  self.rpc_address = "10.0.0.9:7700";
  CHECK_THAT(refused(kCluster), Contains("at 10.0.0.1:7700, not at 10.0.0.9:7700"));
  self = record_of(kSelf);
  self.version = "1.7.0";
  CHECK_THAT(refused(kCluster), Contains("1.7.0") && Contains("1.2.3"));
  self.version = "1.2.3";

  REQUIRE(file_of({other}).write(dir.path()).ok());
  CHECK_THAT(refused(kCluster), Contains("does not have this server"));
  auto removed = self;
  removed.state = NodeState::Removed;
  REQUIRE(file_of({removed, other}).write(dir.path()).ok());
  CHECK_THAT(refused(kCluster), Contains("removed"));
  auto joining = self;
  joining.state = NodeState::Joining;
  REQUIRE(file_of({joining, other}).write(dir.path()).ok());
  CHECK_THAT(refused(kCluster), Contains("joining"));
  // Of a server that has gone the version does not matter, and one that gives its shards away has
  // some of them still.
  auto draining = self;
  draining.state = NodeState::Draining;
  other.version = "0.9.0";
  other.state = NodeState::Removed;
  REQUIRE(file_of({draining, other}).write(dir.path()).ok());
  CHECK(known_map(dir.path(), kCluster, self).ok());

  auto strange = file_of({self});
  strange.map.entries.push_back({keys::node(kOther), "{}", Revision{50}, {}});
  REQUIRE(strange.write(dir.path()).ok());
  CHECK(known_map(dir.path(), kCluster, self).error().code == ErrorCode::Corruption);
}

TEST_CASE("ViewSource: a kept map makes the same view, without the signs of life",
          "[cluster][view]") {
  Store store;
  CollectionSpec spec;
  spec.id = std::string(32, '1');
  spec.name = "pond";
  spec.dimension = 4;
  spec.shard_count = 2;
  for (std::uint32_t i = 0; i < 2; ++i) {
    const CopyId copy{std::string(32, static_cast<char>('2' + i))};
    ShardState state;
    state.primary = copy;
    state.in_sync = {copy};
    state.copies.emplace(copy, CopyPlace{kSelf, CopyState::Active});
    store.put(keys::shard(spec.id, ShardId{i}), state.to_json());
  }
  store.put(keys::spec(spec.id), spec.to_json());
  store.put(std::string(keys::kSlots), with_slot({}, kSelf)->to_json());
  store.put(keys::alive(kSelf), AliveRecord{std::string(32, '0'), 5, "10.0.0.1:7700"}.to_json());
  store.put(keys::proof(kSelf), Json::object());
  const auto source = ViewSource::open(store.away, CallContext{}).value();
  const auto [map, epoch] = source->map();
  CHECK(epoch == source->current()->epoch);

  store.away.leave();
  const auto kept = ViewSource::detached(store.away, map).value();
  const auto now = kept->current();
  const auto then = source->current();
  CHECK(now->epoch == then->epoch);
  CHECK(now->slots == then->slots);
  REQUIRE(now->nodes.size() == 1);
  CHECK(now->find_node(kSelf)->record == then->find_node(kSelf)->record);
  CHECK(then->find_node(kSelf)->alive);
  CHECK_FALSE(now->find_node(kSelf)->alive);
  REQUIRE(now->find_collection("pond") != nullptr);
  CHECK(*now->find_collection("pond") == *then->find_collection("pond"));

  // It asks nobody before it is attached, whoever answers.
  store.away.return_again();
  CHECK_FALSE(kept->is_attached());
  CHECK(kept->refresh(CallContext{}).error().code == ErrorCode::Unavailable);
  store.put(keys::node(kOther), record_of(kOther).to_json());
  store.away.leave();
  CHECK(kept->attach(CallContext{}).error().code == ErrorCode::Unavailable);
  CHECK_FALSE(kept->is_attached());
  CHECK(kept->current()->nodes.size() == 1);
  store.away.return_again();
  REQUIRE(kept->attach(CallContext{}).ok());
  CHECK(kept->is_attached());
  CHECK(kept->current()->nodes.size() == 2);
  CHECK(kept->current()->find_node(kSelf)->alive);
  // It follows from here on.
  auto record = record_of(kOther);
  record.label = "another";
  store.put(keys::node(kOther), record.to_json());
  CHECK(eventually([&] { return kept->current()->find_node(kOther)->record == record; }));
  CHECK(kept->attach(CallContext{}).ok());
}

TEST_CASE("ViewSource: a store that is older than the kept map is the truth all the same",
          "[cluster][view]") {
  Store store;
  auto gone = record_of(kOther);
  const auto kept = ViewSource::detached(store.away, file_of({record_of(kSelf), gone}).map).value();
  REQUIRE(kept->current()->nodes.size() == 2);
  REQUIRE(kept->attach(CallContext{}).ok());
  CHECK(kept->current()->nodes.size() == 1);
  CHECK(kept->current()->epoch < 40);
}

TEST_CASE("ViewSource: a kept value that is none is named", "[cluster][view]") {
  Store store;
  const Listing map{{{keys::node(kSelf), "{}", Revision{3}, {}}}, Revision{3}};
  const auto opened = ViewSource::detached(store.away, map);
  REQUIRE_FALSE(opened.ok());
  CHECK(opened.error().code == ErrorCode::Corruption);
  CHECK_THAT(opened.error().message, Contains(keys::node(kSelf)));
}

TEST_CASE("ViewKeeper: the disk has the map of now", "[cluster][view]") {
  Store store;
  const TempDir dir;
  const auto views = ViewSource::open(store.away, CallContext{}).value();
  ViewKeeper keeper(*views, {dir.path(), kCluster, kSelf, {"http://10.0.0.1:7701"}});
  views->on_change([&] { keeper.changed(); });
  CHECK(keeper.kept_epoch() == 0);
  keeper.start();
  keeper.start();
  const auto is_kept = [&] { return keeper.kept_epoch() == views->current()->epoch; };
  REQUIRE(eventually(is_kept));
  auto read = ViewFile::read(dir.path());
  REQUIRE(read.ok());
  CHECK(read->cluster_id == kCluster);
  CHECK(read->node == kSelf);
  CHECK(read->coordination == std::vector<std::string>{"http://10.0.0.1:7701"});
  CHECK(read->map.entries.size() == 1);

  store.put(keys::node(kOther), record_of(kOther).to_json());
  REQUIRE(eventually([&] { return views->current()->nodes.size() == 2; }));
  REQUIRE(eventually(is_kept));
  CHECK(ViewFile::read(dir.path())->map.entries.size() == 2);

  // What is no part of the map does not wear out the disk.
  const auto content = content_of(dir.path() / "VIEW");
  fs::remove(dir.path() / "VIEW");
  store.put(keys::alive(kOther), AliveRecord{std::string(32, '0'), 5, "10.0.0.2:7700"}.to_json());
  REQUIRE(eventually([&] { return views->current()->find_node(kOther)->alive.has_value(); }));
  REQUIRE(keeper.keep_now().ok());
  CHECK_FALSE(fs::exists(dir.path() / "VIEW"));

  store.put(keys::node(kOther), record_of(kSelf).to_json());
  REQUIRE(views->refresh(CallContext{}).ok());
  views->on_change({});
  keeper.stop();
  // What had changed by then is written.
  CHECK(is_kept());
  CHECK(content_of(dir.path() / "VIEW") != content);
}

TEST_CASE("ViewKeeper: no map rather than an outdated one, where that is asked for",
          "[cluster][view]") {
  Store store;
  const TempDir dir;
  const auto views = ViewSource::open(store.away, CallContext{}).value();
  ViewKeeper keeper(*views, {dir.path(), kCluster, kSelf, {}});
  REQUIRE(keeper.keep_now().ok());
  REQUIRE(ViewFile::read(dir.path()).ok());
  store.put(keys::node(kOther), record_of(kOther).to_json());
  REQUIRE(views->refresh(CallContext{}).ok());
  // In the way of the file that is to become the new one.
  fs::create_directories(dir.path() / "VIEW.new" / "x");
  CHECK(keeper.keep_now().ok());
  CHECK(refusal_of(dir) == ErrorCode::NotFound);
  CHECK(keeper.kept_epoch() == 0);
  fs::remove_all(dir.path() / "VIEW.new");
  REQUIRE(keeper.keep_now().ok());
  CHECK(ViewFile::read(dir.path())->map.entries.size() == 2);
  // Nor can it be removed: then the caller must not rely on it.
  fs::remove(dir.path() / "VIEW");
  fs::create_directories(dir.path() / "VIEW" / "x");
  store.put(keys::node(kOther), record_of(kSelf).to_json());
  REQUIRE(views->refresh(CallContext{}).ok());
  CHECK_FALSE(keeper.keep_now().ok());
}

}  // namespace quiver::cluster
