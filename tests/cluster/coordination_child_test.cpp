// A managed etcd: a real one, which is killed, stopped and kept from starting.

#include <csignal>
#include <fstream>
#include <set>

#include <catch2/catch.hpp>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cluster/coordination/etcd_child.h"
#include "tests/cluster/etcd_cluster.h"

namespace quiver::cluster {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

const SystemClock kClock;

CallContext within(milliseconds time) {
  CallContext call;
  call.deadline = std::chrono::steady_clock::now() + time;
  return call;
}

std::string url(int port) {
  return "http://127.0.0.1:" + std::to_string(port);
}

/// Member `which` of an etcd on `ports`: two for each member.
EtcdChildOptions options_of(const fs::path& directory, const std::vector<int>& ports,
                            std::size_t which = 0) {
  EtcdChildOptions options;
  for (std::size_t i = 0; i < ports.size() / 2; ++i) {
    options.members.push_back({"n" + std::to_string(i), url(ports[2 * i + 1])});
  }
  options.name = options.members[which].name;
  options.directory = directory / options.name;
  options.client_url = url(ports[2 * which]);
  options.cluster_token = "test-cluster";
  options.heartbeat = milliseconds(50);
  options.election_timeout = milliseconds(500);
  options.unsafe_no_fsync = true;
  return options;
}

std::unique_ptr<EtcdChild> start(HttpClient& http, const EtcdChildOptions& options) {
  auto child = EtcdChild::start(http, kClock, options);
  if (!child.ok()) FAIL(child.error().message);
  return std::move(*child);
}

void require_ready(EtcdChild& child) {
  const auto ready = child.wait_ready(within(seconds(30)));
  if (!ready.ok()) FAIL(ready.error().message);
}

std::unique_ptr<EtcdStore> store_of(HttpClient& http, const std::vector<std::string>& endpoints) {
  EtcdOptions options;
  options.endpoints = endpoints;
  options.prefix = "/quiver/test/";
  return std::move(EtcdStore::make(http, options)).value();
}

bool write(CoordinationStore& store, const std::string& key, const std::string& value) {
  const auto done = store.txn({}, {}, {{key, value}});
  return done.ok() && *done == TxnOutcome::Done;
}

/// Whether the process is there and not a zombie.
bool runs(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  if (!std::getline(stat, text)) return false;
  return text[text.rfind(')') + 2] != 'Z';
}

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST_CASE("EtcdChild: starts an etcd that keeps what it knew", "[cluster][etcd]") {
  const TempDir dir;
  const auto http = make_http({});
  const auto options = options_of(dir.path(), free_ports(2));
  // Meant for another etcd: this one would not start with it.
  ::setenv("ETCD_QUOTA_BACKEND_BYTES", "not a number", 1);
  pid_t pid = -1;
  {
    auto child = start(*http, options);
    require_ready(*child);
    pid = child->pid();
    CHECK(runs(pid));
    CHECK(child->ends() == 0);
    CHECK(child->client_url() == options.client_url);
    CHECK(write(*store_of(*http, {child->client_url()}), "a", "1"));
    struct stat info {};
    REQUIRE(::stat(options.directory.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777U) == 0700U);
    child->stop();
    CHECK(child->pid() == -1);
    CHECK_FALSE(runs(pid));
    CHECK(child->wait_ready(within(seconds(1))).error().code == ErrorCode::Unavailable);
    child->stop();
  }
  ::unsetenv("ETCD_QUOTA_BACKEND_BYTES");
  auto child = start(*http, options);
  require_ready(*child);
  CHECK((*store_of(*http, {child->client_url()})->get({}, "a"))->value == "1");
}

TEST_CASE("EtcdChild: is known by a name, and listens at an address", "[cluster][etcd]") {
  const TempDir dir;
  const auto http = make_http({});
  const auto ports = free_ports(2);
  auto options = options_of(dir.path(), ports);
  options.members.front().peer_url = "http://localhost:" + std::to_string(ports[1]);
  options.client_url = "http://localhost:" + std::to_string(ports[0]);
  options.listen_host = "127.0.0.1";
  const auto child = start(*http, options);
  require_ready(*child);
  const auto store = store_of(*http, {url(ports[0])});
  CHECK(write(*store, "a", "1"));
  options.listen_host = "localhost";
  CHECK(check_etcd_options(options).error().code == ErrorCode::InvalidArgument);
}

TEST_CASE("EtcdChild: starts it again when it dies", "[cluster][etcd]") {
  const TempDir dir;
  const auto http = make_http({});
  auto child = start(*http, options_of(dir.path(), free_ports(2)));
  require_ready(*child);
  const auto store = store_of(*http, {child->client_url()});
  REQUIRE(write(*store, "a", "1"));
  const pid_t first = child->pid();
  ::kill(first, SIGKILL);
  CHECK(eventually([&] { return child->ends() == 1 && child->pid() > 0; }));
  CHECK(child->pid() != first);
  require_ready(*child);
  CHECK((*store->get({}, "a"))->value == "1");
}

TEST_CASE("EtcdChild: three of them are one etcd", "[cluster][etcd]") {
  const TempDir dir;
  const auto http = make_http({});
  const auto ports = free_ports(6);
  std::vector<std::unique_ptr<EtcdChild>> children;
  std::vector<std::string> endpoints;
  for (std::size_t i = 0; i < 3; ++i) {
    children.push_back(start(*http, options_of(dir.path(), ports, i)));
    endpoints.push_back(children.back()->client_url());
  }
  for (auto& child : children) require_ready(*child);
  const auto store = store_of(*http, endpoints);
  CHECK(eventually([&] { return write(*store, "a", "1"); }));
  for (const auto& endpoint : endpoints) {
    CHECK((*store_of(*http, {endpoint})->get({}, "a"))->value == "1");
  }
  // An orderly stop of any of them leaves a majority.
  children[0]->stop();
  CHECK(eventually([&] { return write(*store, "a", "2"); }));
}

TEST_CASE("EtcdChild: https for clients and members", "[cluster][etcd]") {
  const TempDir dir;
  auto options = options_of(dir.path(), free_ports(2));
  options.tls = make_certificates(dir.path());
  options.client_url.replace(0, 4, "https");
  options.members[0].peer_url.replace(0, 4, "https");
  const auto http = make_http(options.tls);
  auto child = start(*http, options);
  require_ready(*child);
  CHECK(write(*store_of(*http, {child->client_url()}), "a", "1"));
  const auto stranger = make_http({options.tls.ca, {}, {}});
  CHECK_FALSE(write(*store_of(*stranger, {child->client_url()}), "a", "2"));
}

TEST_CASE("EtcdChild: says why etcd does not start", "[cluster][etcd]") {
  const TempDir dir;
  EtcdCluster other({});
  auto options = options_of(dir.path(), free_ports(2));
  const auto http = make_http({});
  SECTION("its port is taken, and it serves no one") {
    // A listener that takes no connections of its own: the other etcd's peer would answer 404.
    options.members[0].peer_url = other.endpoint(0);
    auto child = start(*http, options);
    const auto ready = child->wait_ready(within(seconds(30)));
    REQUIRE_FALSE(ready.ok());
    CHECK(ready.error().code == ErrorCode::Unavailable);
    CHECK_THAT(ready.error().message, Catch::Contains("exited with"));
    CHECK_THAT(ready.error().message, Catch::Contains("address already in use"));
    CHECK_THAT(ready.error().message, Catch::Contains(child->log_file().string()));
  }
  SECTION("the other members are not there") {
    const auto ports = free_ports(4);
    options.members.push_back({"n1", url(ports[1])});
    options.members.push_back({"n2", url(ports[3])});
    auto child = start(*http, options);
    const auto ready = child->wait_ready(within(seconds(1)));
    REQUIRE_FALSE(ready.ok());
    CHECK(ready.error().code == ErrorCode::DeadlineExceeded);
  }
}

TEST_CASE("EtcdChild: one that does not end is killed", "[cluster][etcd]") {
  const TempDir dir;
  const auto http = make_http({});
  auto options = options_of(dir.path(), free_ports(2));
  options.stop_timeout = milliseconds(300);
  auto child = start(*http, options);
  require_ready(*child);
  const pid_t pid = child->pid();
  ::kill(pid, SIGSTOP);
  child->stop();
  CHECK_FALSE(runs(pid));
}

TEST_CASE("EtcdChild: ends with a server that is killed", "[cluster][etcd]") {
  const TempDir dir;
  const auto options = options_of(dir.path(), free_ports(2));
  int pipe[2];
  REQUIRE(::pipe(pipe) == 0);
  const pid_t server = ::fork();
  if (server == 0) {
    const auto http = make_http({});
    auto child = EtcdChild::start(*http, kClock, options);
    if (!child.ok() || !(*child)->wait_ready(within(seconds(30))).ok()) ::_exit(1);
    const pid_t pid = (*child)->pid();
    [[maybe_unused]] const auto told = ::write(pipe[1], &pid, sizeof pid);
    while (true) ::pause();
  }
  pid_t etcd = -1;
  REQUIRE(::read(pipe[0], &etcd, sizeof etcd) == static_cast<ssize_t>(sizeof etcd));
  CHECK(runs(etcd));
  ::kill(server, SIGKILL);
  ::waitpid(server, nullptr, 0);
  CHECK(eventually([&] { return !runs(etcd); }));
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST_CASE("EtcdChild: takes snapshots that are whole, and keeps a few", "[cluster][etcd]") {
  const TempDir dir;
  const auto http = make_http({});
  auto options = options_of(dir.path(), free_ports(2));
  options.snapshot_every = seconds(1);
  options.snapshots_kept = 2;
  auto child = start(*http, options);
  require_ready(*child);
  REQUIRE(write(*store_of(*http, {child->client_url()}), "a", "a value to be found again"));
  const auto snapshots = [&] {
    std::vector<fs::path> all;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(options.directory / "snapshots", ignored)) {
      if (entry.path().extension() == ".db") all.push_back(entry.path());
    }
    std::sort(all.begin(), all.end());
    return all;
  };
  std::set<fs::path> seen;
  REQUIRE(eventually([&] {
    const auto all = snapshots();
    seen.insert(all.begin(), all.end());
    return seen.size() >= 4;
  }));
  child->stop();
  const auto left = snapshots();
  CHECK(left.size() == 2);
  // etcd ends a snapshot with the SHA-256 of what is before.
  const std::string text = text_of(left.back());
  REQUIRE(text.size() > 32);
  CHECK(text.find("a value to be found again") != std::string::npos);
  std::string digest(32, '\0');
  REQUIRE(::EVP_Digest(text.data(), text.size() - 32,
                       reinterpret_cast<unsigned char*>(digest.data()), nullptr, ::EVP_sha256(),
                       nullptr) == 1);
  CHECK(text.substr(text.size() - 32) == digest);
}

TEST_CASE("etcd snapshots: a snapshot that is not whole is not there", "[cluster][etcd]") {
  const TempDir dir;
  EtcdCluster etcd({});
  const auto target = dir.path() / "s.db";
  SECTION("etcd is away") {
    etcd.kill(0);
    CHECK(save_etcd_snapshot(etcd.http(), within(seconds(2)), etcd.endpoint(0), target)
              .error()
              .code == ErrorCode::Unavailable);
  }
  SECTION("the directory is away") {
    const auto nowhere = dir.path() / "none" / "s.db";
    CHECK(save_etcd_snapshot(etcd.http(), within(seconds(2)), etcd.endpoint(0), nowhere)
              .error()
              .code == ErrorCode::ResourceExhausted);
  }
  CHECK(fs::is_empty(dir.path()));
}

TEST_CASE("EtcdChild: options that cannot be used are refused", "[cluster][etcd]") {
  const TempDir dir;
  const auto http = make_http({});
  const auto good = options_of(dir.path(), {7701, 7702, 7703, 7704, 7705, 7706});
  CHECK(check_etcd_options(good).ok());
  const auto refused = [&](const EtcdChildOptions& options, const std::string& word) {
    const auto child = EtcdChild::start(*http, kClock, options);
    REQUIRE_FALSE(child.ok());
    CHECK(child.error().code == ErrorCode::InvalidArgument);
    CHECK_THAT(child.error().message, Catch::Contains(word));
    CHECK(fs::is_empty(dir.path()));
  };
  auto options = good;
  options.members.pop_back();
  refused(options, "got 2: an even number");
  options.members.clear();
  refused(options, "got 0");
  options = good;
  options.members[1].name = "n 1";
  refused(options, "cannot name a member");
  options.members[1].name = "n0";
  refused(options, "twice");
  options = good;
  options.members[1].peer_url = "10.0.0.1:7702";
  refused(options, "http://10.0.0.1:7702");
  options.members[1].peer_url = "http://a,b:7702";
  refused(options, "a,b");
  options = good;
  options.name = "n9";
  refused(options, "not among the members");
  options = good;
  options.directory.clear();
  refused(options, "needs a directory");
  options = good;
  options.client_url = "http://127.0.0.1";
  refused(options, "client url");
  options = good;
  options.cluster_token = "";
  refused(options, "cluster token");
  options = good;
  options.client_url = "https://127.0.0.1:7701";
  refused(options, "needs a CA");
  options = good;
  options.election_timeout = 4 * options.heartbeat;
  refused(options, "5 heartbeats");
  options = good;
  options.snapshots_kept = 0;
  refused(options, "snapshots");
}

TEST_CASE("EtcdChild: a program that is not there", "[cluster][etcd]") {
  const TempDir dir;
  const auto http = make_http({});
  auto options = options_of(dir.path(), free_ports(2));
  options.program = "no-such-etcd";
  auto missing = EtcdChild::start(*http, kClock, options);
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().code == ErrorCode::FailedPrecondition);
  CHECK_THAT(missing.error().message, Catch::Contains("not in PATH"));
  options.program = dir.write("etcd", "not a program").string();
  CHECK_THAT(EtcdChild::start(*http, kClock, options).error().message,
             Catch::Contains("cannot") || Catch::Contains("not a program"));
  // One that runs and ends at once is told apart from one that is not ready.
  options.program = "false";
  auto child = start(*http, options);
  const auto ready = child->wait_ready(within(seconds(20)));
  REQUIRE_FALSE(ready.ok());
  CHECK(ready.error().code == ErrorCode::Unavailable);
  CHECK_THAT(ready.error().message, Catch::Contains("exited with 1"));
}

}  // namespace
}  // namespace quiver::cluster
