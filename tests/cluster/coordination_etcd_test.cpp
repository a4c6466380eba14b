// What is etcd's own: the traps of its gateway, as they are and as the store deals with them.

#include <atomic>
#include <fstream>

#include <catch2/catch.hpp>

#include "core/base64.h"
#include "tests/cluster/coordination_suite.h"
#include "tests/cluster/etcd_cluster.h"

namespace quiver::cluster {
namespace {

std::string b64(const std::string& text) {
  return base64_encode(text, Base64::Standard);
}

Revision put(CoordinationStore& store, const std::string& key, const std::string& value) {
  const auto done = store.txn({}, {}, {{key, value}});
  REQUIRE(done.ok());
  REQUIRE(*done == TxnOutcome::Done);
  return done->revision;
}

void compact(EtcdCluster& etcd, Revision revision) {
  const auto reply = etcd.post(
      "/v3/kv/compaction",
      {{"revision", std::to_string(static_cast<std::uint64_t>(revision))}, {"physical", true}});
  REQUIRE(reply.status == 200);
}

void allow_log_in(EtcdCluster& etcd) {
  const Json root = {{"name", "root"}, {"password", "secret"}};
  REQUIRE(etcd.post("/v3/auth/user/add", root).status == 200);
  REQUIRE(etcd.post("/v3/auth/role/add", {{"name", "root"}}).status == 200);
  REQUIRE(etcd.post("/v3/auth/user/grant", {{"user", "root"}, {"role", "root"}}).status == 200);
  REQUIRE(etcd.post("/v3/auth/enable", Json::object()).status == 200);
}

TEST_CASE("etcd gateway: its traps are as they are known", "[cluster][etcd]") {
  EtcdCluster etcd({});
  const auto json = [&](std::string_view path, const Json& body) {
    return Json::parse(etcd.post(path, body).body);
  };

  // A failed transaction has no `succeeded`, a missing key neither `kvs` nor `count`.
  const Json mod = {{"key", b64("a")}, {"target", "MOD"}, {"result", "EQUAL"}};
  Json exists = mod;
  exists["mod_revision"] = "5";
  CHECK_FALSE(json("/v3/kv/txn", {{"compare", {exists}}}).contains("succeeded"));
  const auto missing = json("/v3/kv/range", {{"key", b64("a")}});
  CHECK_FALSE(missing.contains("kvs"));
  CHECK_FALSE(missing.contains("count"));
  CHECK(missing["header"]["revision"].is_string());

  // An unknown field is ignored: the compare is with 0 and holds.
  Json misspelt = mod;
  misspelt["mod_revison"] = "5";
  CHECK(json("/v3/kv/txn", {{"compare", {misspelt}}})["succeeded"] == true);

  // A keepalive of a lease that does not exist is a 200 without TTL; its revocation is a 404.
  const auto dead = etcd.post("/v3/lease/keepalive", {{"ID", "77"}});
  CHECK(dead.status == 200);
  CHECK_FALSE(Json::parse(dead.body)["result"].contains("TTL"));

  // The bounds that check_txn() keeps.
  Json puts = Json::array();
  for (int i = 0; i < 129; ++i) {
    puts.push_back({{"request_put", {{"key", b64(std::to_string(i))}, {"value", ""}}}});
  }
  const auto refused = [&](const Json& body) {
    CallContext call;
    call.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    const auto reply =
        etcd.http().send(call, etcd.endpoint(0), {"POST", "/v3/kv/txn", {}, body.dump()});
    CHECK(reply.response.status == 400);
    return Json::parse(reply.response.body)["message"].get<std::string>();
  };
  CHECK_THAT(refused({{"success", puts}}), Catch::Contains("too many operations"));
  CHECK_THAT(refused({{"success", {puts[0], puts[0]}}}), Catch::Contains("duplicate key"));
  puts[0]["request_put"]["value"] = b64(std::string(1'600'000, 'x'));
  CHECK_THAT(refused({{"success", {puts[0]}}}), Catch::Contains("too large"));
}

TEST_CASE("etcd: an etcd started from a file says what is missing", "[cluster][etcd]") {
  EtcdCluster::Options options;
  options.from_file = true;
  EtcdCluster etcd(options);
  const auto store = etcd.store();
  std::string message;
  REQUIRE(eventually([&] {
    const auto read = store->get({}, "a");
    REQUIRE_FALSE(read.ok());
    message = read.error().message;
    return message.find("no connection") == std::string::npos;
  }));
  CHECK_THAT(message, Catch::Contains("enable-grpc-gateway: true"));
  CHECK(store->txn({}, {}, {{"a", "1"}}).error().code == ErrorCode::Unavailable);
}

TEST_CASE("etcd: a watch below a compacted revision lists again", "[cluster][etcd]") {
  EtcdCluster etcd({});
  const auto store = etcd.store();
  const Revision old = put(*store, "w/a", "1");
  put(*store, "w/gone", "x");
  REQUIRE(outcome(store->txn({}, {}, {{"w/gone", std::nullopt}})) == TxnOutcome::Done);
  put(*store, "w/a", "2");
  compact(etcd, put(*store, "w/b", "3"));
  Observer observer(*store, "w/", old);
  CHECK(observer.knows({{"w/a", "2"}, {"w/b", "3"}}));
  CHECK(observer.relists() == 1);
  put(*store, "w/a", "4");
  CHECK(observer.knows({{"w/a", "4"}, {"w/b", "3"}}));
  CHECK(observer.relists() == 1);
}

TEST_CASE("etcd: a watch goes on while its member is away", "[cluster][etcd]") {
  EtcdCluster::Options options;
  options.members = 3;
  options.quick_elections = true;
  EtcdCluster etcd(options);
  const auto watching = etcd.store(0);
  const auto writing = etcd.store(1);
  // Elections leave some writes Unknown; the same again is the same.
  const auto write = [](CoordinationStore& store, const std::string& key,
                        const std::string& value) {
    return eventually([&] {
      const auto done = store.txn({}, {}, {{key, value}});
      return done.ok() && *done == TxnOutcome::Done;
    });
  };
  Observer observer(*watching, "w/", Revision{1});
  REQUIRE(write(*writing, "w/a", "1"));
  REQUIRE(observer.knows({{"w/a", "1"}}));
  etcd.kill(0);
  REQUIRE(write(*writing, "w/a", "2"));
  CHECK(observer.knows({{"w/a", "2"}}));
  etcd.start(0);
  etcd.pause(1);
  REQUIRE(write(*etcd.store(2), "w/b", "3"));
  CHECK(observer.knows({{"w/a", "2"}, {"w/b", "3"}}));
  etcd.resume(1);
}

TEST_CASE("etcd: a listing whose revision is compacted away begins again", "[cluster][etcd]") {
  EtcdCluster etcd({});
  const auto store = etcd.store();
  for (int i = 0; i < 30; ++i) put(*store, "l/" + std::to_string(i), "1");
  std::atomic<bool> stop{false};
  std::thread compacting([&] {
    while (!stop) {
      const auto done = store->txn({}, {}, {{"other", "x"}});
      if (!done.ok() || *done != TxnOutcome::Done) return;
      etcd.post("/v3/kv/compaction",
                {{"revision", std::to_string(static_cast<std::uint64_t>(done->revision))}});
    }
  });
  // Each listing is whole or an error, whatever is compacted meanwhile.
  for (int i = 0; i < 50; ++i) {
    const auto listing = store->list({}, "l/");
    if (!listing.ok()) {
      CHECK_THAT(listing.error().message, Catch::Contains("faster than it can be listed"));
      continue;
    }
    CHECK(listing->entries.size() == 30);
  }
  stop = true;
  compacting.join();
  CHECK(store->list({}, "l/")->entries.size() == 30);
}

TEST_CASE("etcd: a lease that somebody else ended is lost", "[cluster][etcd]") {
  EtcdCluster etcd({});
  const auto store = etcd.store();
  std::atomic<int> lost{0};
  auto lease = store->grant({}, std::chrono::seconds(2), [&lost] { ++lost; });
  REQUIRE(lease.ok());
  const auto first_until = (*lease)->valid_until();
  CHECK(eventually([&] { return (*lease)->valid_until() > first_until; }));
  CHECK(lost == 0);
  const auto id = std::to_string(static_cast<std::uint64_t>((*lease)->id()));
  REQUIRE(etcd.post("/v3/lease/revoke", {{"ID", id}}).status == 200);
  CHECK(eventually([&] { return lost == 1; }));
  CHECK((*lease)->valid_until() <= std::chrono::steady_clock::now());
  CHECK((*lease)->revoke({}).ok());
}

TEST_CASE("etcd: a user logs in, and again when etcd forgot", "[cluster][etcd]") {
  EtcdCluster etcd({});
  put(*etcd.store(), "a", "1");
  allow_log_in(etcd);
  auto options = etcd.store_options();
  SECTION("without a user nothing is allowed") {
    const auto refused = etcd.store()->get({}, "a");
    REQUIRE_FALSE(refused.ok());
    const auto write = etcd.store()->txn({}, {}, {{"a", "2"}});
    REQUIRE_FALSE(write.ok());
  }
  SECTION("a wrong password is an error") {
    options.user = "root";
    options.password = "wrong";
    const auto store = EtcdStore::make(etcd.http(), options);
    const auto read = (*store)->get({}, "a");
    REQUIRE_FALSE(read.ok());
    CHECK_THAT(read.error().message, Catch::Contains("authentication failed"));
  }
  SECTION("tokens are lost when etcd restarts") {
    options.user = "root";
    options.password = "secret";
    const auto store = EtcdStore::make(etcd.http(), options);
    CHECK((*(*store)->get({}, "a"))->value == "1");
    Observer observer(**store, "", put(**store, "a", "2"));
    put(**store, "b", "3");
    CHECK(observer.knows({{"b", "3"}}));
    etcd.kill(0);
    etcd.start(0);
    REQUIRE(eventually([&] { return etcd.healthy(); }));
    put(**store, "a", "4");
    CHECK(observer.knows({{"a", "4"}, {"b", "3"}}));
  }
}

TEST_CASE("etcd: TLS on both sides", "[cluster][etcd]") {
  const TempDir dir;
  EtcdCluster::Options options;
  options.scheme = "https";
  options.tls = make_certificates(dir.path());
  options.flags = {"--client-cert-auth", "--trusted-ca-file=" + options.tls.ca.string(),
                   "--cert-file=" + options.tls.certificate.string(),
                   "--key-file=" + options.tls.key.string()};
  EtcdCluster etcd(options);
  const auto store = etcd.store();
  Observer observer(*store, "", put(*store, "a", "1"));
  put(*store, "a", "2");
  CHECK(observer.knows({{"a", "2"}}));

  // Whoever shows no certificate, or does not know the CA, gets nothing, and says why.
  const auto stranger = make_http({options.tls.ca, {}, {}});
  auto anonymous = EtcdStore::make(*stranger, etcd.store_options());
  CHECK((*anonymous)->get({}, "a").error().code == ErrorCode::Unavailable);
  const auto doubting = make_http({});
  auto unknown_ca = EtcdStore::make(*doubting, etcd.store_options());
  CHECK(eventually([&] {
    const auto refused = (*unknown_ca)->txn({}, {}, {{"a", "3"}});
    return !refused.ok() && refused.error().message.find("certificate") != std::string::npos;
  }));
  CHECK((*store->get({}, "a"))->value == "2");
}

TEST_CASE("etcd: options that cannot be used are refused", "[cluster][etcd]") {
  const auto http = make_http({});
  const auto refused = [&](EtcdOptions options, const std::string& word) {
    const auto store = EtcdStore::make(*http, std::move(options));
    REQUIRE_FALSE(store.ok());
    CHECK(store.error().code == ErrorCode::InvalidArgument);
    CHECK_THAT(store.error().message, Catch::Contains(word));
  };
  EtcdOptions good;
  good.endpoints = {"http://10.0.0.1:2379"};
  good.prefix = "/quiver/test/";
  CHECK(EtcdStore::make(*http, good).ok());
  auto options = good;
  options.endpoints.clear();
  refused(options, "at least one endpoint");
  for (const char* endpoint : {"10.0.0.1:2379", "ftp://a:1", "http://a", "http://a:", "http://:1",
                               "http://a:b", "http://a:2379/"}) {
    options.endpoints = {endpoint};
    refused(options, endpoint);
  }
  options = good;
  options.prefix = "quiver";
  refused(options, "must end with '/'");
  options = good;
  options.user = "root";
  refused(options, "needs a password");
  options = good;
  options.page_keys = 0;
  refused(options, "page_keys");
}

}  // namespace
}  // namespace quiver::cluster
