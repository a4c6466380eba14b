// The suite of all coordination stores, on each of them. etcd is a real one.

#include <catch2/catch.hpp>

#include "cluster/coordination/embedded_store.h"
#include "tests/cluster/coordination_suite.h"
#include "tests/cluster/etcd_cluster.h"
#include "tests/support/temp_dir.h"

namespace quiver::cluster {
namespace {

/// Started once for all sections of a test case.
EtcdCluster& etcd(std::size_t members) {
  static std::unique_ptr<EtcdCluster> running;
  if (!running || running->size() != members) {
    running.reset();
    EtcdCluster::Options options;
    options.members = members;
    running = std::make_unique<EtcdCluster>(options);
  }
  return *running;
}

TEST_CASE("conformance: the embedded store", "[cluster][coordination]") {
  const TempDir dir;
  auto opened = EmbeddedStore::open(dir.path() / "meta");
  REQUIRE(opened.ok());
  auto& store = **opened;
  SECTION("keys") {
    keys_suite(store, store);
  }
  SECTION("bounds") {
    bounds_suite(store);
  }
  SECTION("leases") {
    lease_suite(store, store);
  }
  SECTION("watches") {
    watch_suite(store, store);
  }
}

void on_etcd(std::size_t members) {
  auto& cluster = etcd(members);
  const auto store = cluster.store(0);
  const auto other = cluster.store(members - 1);
  SECTION("keys") {
    keys_suite(*store, *other);
  }
  SECTION("bounds") {
    bounds_suite(*store);
  }
  SECTION("leases") {
    lease_suite(*store, *other);
  }
  SECTION("watches") {
    watch_suite(*store, *other);
  }
}

TEST_CASE("conformance: an etcd of one member", "[cluster][coordination][etcd]") {
  on_etcd(1);
}

TEST_CASE("conformance: an etcd of three members", "[cluster][coordination][etcd]") {
  on_etcd(3);
}

}  // namespace
}  // namespace quiver::cluster
