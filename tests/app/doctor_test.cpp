// Each check against a real directory, port or file that is well or ill.

#include "app/doctor.h"

#include <string>

#include <arpa/inet.h>
#include <catch2/catch.hpp>
#include <netinet/in.h>
#include <sys/socket.h>

#include "app/data_lock.h"
#include "app/doctor_cluster.h"
#include "app/fd.h"
#include "tests/app/fake_store.h"
#include "tests/support/temp_dir.h"

namespace quiver::app {
namespace {

namespace fs = std::filesystem;
using Catch::Matchers::Contains;
using Level = Finding::Level;

TEST_CASE("doctor: a data directory that is there, absent, open to others or a file",
          "[app][doctor]") {
  const TempDir dir;
  const auto data = dir.path() / "data";
  const auto absent = check_data_directory(data);
  CHECK(absent.level == Level::Ok);
  CHECK_THAT(absent.message, Contains("will be made"));
  CHECK_FALSE(fs::exists(data));
  fs::create_directory(data);
  fs::permissions(data, fs::perms::owner_all);
  CHECK(check_data_directory(data).level == Level::Ok);
  fs::permissions(data, fs::perms::owner_all | fs::perms::others_read);
  const auto open = check_data_directory(data);
  CHECK(open.level == Level::Warn);
  CHECK_THAT(open.remedy, Contains("chmod 700"));
  const auto file = dir.write("file", "");
  CHECK(check_data_directory(file).level == Level::Fail);
  CHECK(check_data_directory(file / "below").level == Level::Fail);
}

TEST_CASE("doctor: tells who owns the data", "[app][doctor]") {
  const TempDir dir;
  CHECK(check_owner(dir.path()).message == "nobody yet");
  CHECK_FALSE(fs::exists(dir.path() / "lock"));
  auto lock = DataLock::try_acquire(dir.path());
  REQUIRE((*lock)->publish("/s").ok());
  CHECK_THAT(check_owner(dir.path()).message,
             Contains("process " + std::to_string(::getpid()) + " owns it"));
  lock->reset();
  CHECK(check_owner(dir.path()).message == "no process uses the directory");
}

struct Answers final : service::Executor {
  Result<Json> answer = Json::object();
  int asked = 0;
  Result<Json> invoke(const CallContext& call, std::string_view operation, const Json&) override {
    ++asked;
    CHECK(operation == "collection_list");
    CHECK(call.deadline.has_value());
    return answer;
  }
};

TEST_CASE("doctor: asks for the collections, but not of a directory that is not in use",
          "[app][doctor]") {
  const TempDir dir;
  Answers executor;
  CHECK(check_collections(dir.path(), executor).level == Level::Ok);
  CHECK(executor.asked == 0);
  dir.write("lock", "");
  executor.answer =
      Json{{"collections", {{{"name", "a"}, {"count", 3}}, {{"name", "b"}, {"count", 4}}}}};
  CHECK(check_collections(dir.path(), executor).message == "2 with 7 points");
  executor.answer = Json{{"collections", {{{"name", "a"}, {"problem", "torn log"}}}}};
  const auto damaged = check_collections(dir.path(), executor);
  CHECK(damaged.level == Level::Fail);
  CHECK_THAT(damaged.message, Contains("torn log"));
  executor.answer = Error{ErrorCode::DeadlineExceeded, "process 7 does not answer"};
  CHECK_THAT(check_collections(dir.path(), executor).remedy, Contains("end the process"));
  executor.answer = Error{ErrorCode::Corruption, "bad"};
  CHECK_THAT(check_collections(dir.path(), executor).remedy, Contains("backup"));
}

TEST_CASE("doctor: a model that is missing or damaged names the remedy", "[app][doctor]") {
  const TempDir dir;
  const auto missing = check_model(dir.path());
  REQUIRE(missing.size() >= 2);
  for (const auto& finding : missing) {
    CHECK(finding.level == Level::Fail);
    CHECK_THAT(finding.remedy, Contains("make setup"));
  }
  CHECK_THAT(missing.front().subject, Contains("model file "));
}

TEST_CASE("doctor: a port that is free, taken, or of another machine", "[app][doctor]") {
  const Fd taken(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(taken.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(taken.get(), 1) == 0);
  socklen_t size = sizeof address;
  REQUIRE(::getsockname(taken.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  const std::uint16_t port = ntohs(address.sin_port);
  CHECK(check_port("127.0.0.1", port).level == Level::Warn);
  CHECK(check_port("127.0.0.1", 0).level == Level::Ok);
  CHECK(check_port("192.0.2.1", 0).level == Level::Fail);
  CHECK(check_port("no such host", 0).level == Level::Fail);
}

TEST_CASE("doctor: space and processor are always told", "[app][doctor]") {
  const TempDir dir;
  CHECK_THAT(check_free_space(dir.path() / "not" / "yet").message, Contains("MiB free"));
  CHECK_FALSE(check_processor().message.empty());
}

// More than connect before the test ends: nobody accepts them.
constexpr int kWaiting = 64;

/// A port of loopback that somebody listens on, or nobody any more.
std::uint16_t loopback_port(const Fd& socket) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(socket.get(), kWaiting) == 0);
  socklen_t size = sizeof address;
  REQUIRE(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ntohs(address.sin_port);
}

TEST_CASE("doctor: what a server needs of its cluster", "[app][doctor]") {
  const TempDir dir;
  cluster::ClusterOptions options;
  CHECK(check_cluster(options).empty());
  options.coordination = "managed";
  options.token = "a token of the tests";
  Fd listening(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto heard = std::to_string(loopback_port(listening));
  std::string silent;
  {
    const Fd gone(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    silent = std::to_string(loopback_port(gone));
  }
  options.nodes = {"127.0.0.1:7700", "127.0.0.1:" + heard, "127.0.0.1:" + silent};
  ClusterProbe probe;
  probe.etcd = (dir.path() / "no-etcd").string();
  const auto of = [&](const std::string& subject) {
    for (const auto& finding : check_cluster(options, probe)) {
      if (finding.subject == subject) return finding;
    }
    FAIL("nothing is said of " + subject);
    return Finding{};
  };
  CHECK(of("cluster secret").level == Level::Ok);
  CHECK_THAT(of("cluster secret").message, !Contains("a token of the tests"));
  CHECK(of("etcd program").level == Level::Fail);
  CHECK_THAT(of("etcd program").remedy, Contains("install etcd"));
  probe.etcd = dir.write("etcd", "#!/bin/sh\n").string();
  fs::permissions(probe.etcd, fs::perms::owner_all);
  CHECK(of("etcd program").level == Level::Ok);
  const auto seeds = of("servers to join through");
  CHECK(seeds.level == Level::Warn);
  CHECK_THAT(seeds.message, Contains("1 answer; 127.0.0.1:" + silent + ": "));
  // Nobody's etcd runs yet.
  CHECK(of("coordination store").level == Level::Warn);
  options.coordination = "etcd";
  options.endpoints = {"http://127.0.0.1:" + silent};
  CHECK(of("coordination store").level == Level::Fail);
  CHECK_THAT(of("coordination store").message, Contains("does not answer"));
  options.token.clear();
  CHECK(of("cluster secret").level == Level::Fail);
  options.nodes = {"127.0.0.1:7700"};
  CHECK_THAT(of("servers to join through").message, Contains("none but this one"));
  options.nodes = {"127.0.0.1:" + heard};
  CHECK(of("servers to join through").level == Level::Ok);
  options.tls_ca = dir.write("ca.pem", "x").string();
  options.tls_certificate = (dir.path() / "none.pem").string();
  options.tls_key = dir.write("key.pem", "x").string();
  fs::permissions(options.tls_key, fs::perms::owner_read | fs::perms::others_read);
  CHECK(of("cluster.tls.ca").level == Level::Ok);
  CHECK_THAT(of("cluster.tls.certificate").message, Contains("cannot be read"));
  CHECK_THAT(of("cluster.tls.key").remedy, Contains("chmod 600"));
  CHECK(of("cluster secret").message == "certificates");
  options.tls_key = dir.write("empty.pem", "").string();
  CHECK_THAT(of("cluster.tls.key").message, Contains("it is empty"));
  CHECK(has_failure(check_cluster(options, probe)));
}

TEST_CASE("doctor: the whole is a list with a verdict", "[app][doctor]") {
  const TempDir dir;
  Options options;
  options.data_dir = (dir.path() / "data").string();
  options.embedding.model_dir = dir.path().string();
  options.server.port = 0;
  Answers executor;
  const auto findings = diagnose(options, "/nowhere", executor);
  CHECK(has_failure(findings));  // no model here
  CHECK_FALSE(fs::exists(options.data_dir));
  const auto json = to_json(findings);
  CHECK(json.at("ok") == false);
  CHECK(json.at("findings").size() == findings.size());
  const auto text = to_text({{Level::Ok, "a", "fine", ""}, {Level::Fail, "b", "ill", "rest"}});
  CHECK(text == "ok    a: fine\nfail  b: ill\n      do: rest\n");
  CHECK_FALSE(has_failure({{Level::Ok, "a", "", ""}, {Level::Warn, "b", "", ""}}));
  options.data_dir = dir.write("file", "").string();
  CHECK(diagnose(options, "/nowhere", executor).front().level == Level::Fail);
}

}  // namespace
}  // namespace quiver::app
