// Requests and replies of etcd's gateway, against JSON written by hand from its documentation. A
// misspelt field is ignored by the gateway in silence, so each one is looked at here.

#include <catch2/catch.hpp>

#include "cluster/coordination/etcd_json.h"
#include "cluster/coordination/etcd_watch.h"

namespace quiver::cluster {
namespace {

using Lines = std::vector<std::string>;

TEST_CASE("etcd JSON: a transaction names every field as the gateway does", "[cluster][etcd]") {
  // "r/a" is ci9h, "r/b" is ci9i, "r/c" is ci9j, "1" is MQ==.
  const auto request = etcd::txn_request("r/", {{"a", Revision{0}}, {"b", Revision{1ULL << 60U}}},
                                         {{"a", "1"}, {"b", std::nullopt}, {"c", "", LeaseId{7}}});
  CHECK(request == Json::parse(R"({
    "compare": [
      {"key": "ci9h", "target": "MOD", "result": "EQUAL", "mod_revision": "0"},
      {"key": "ci9i", "target": "MOD", "result": "EQUAL", "mod_revision": "1152921504606846976"}],
    "success": [
      {"request_put": {"key": "ci9h", "value": "MQ=="}},
      {"request_delete_range": {"key": "ci9i"}},
      {"request_put": {"key": "ci9j", "value": "", "lease": "7"}}]})"));
}

TEST_CASE("etcd JSON: reads, leases and watches name every field", "[cluster][etcd]") {
  CHECK(etcd::get_request("a") == Json::parse(R"({"key": "YQ=="})"));
  CHECK(etcd::range_request("a", "a", 10, Revision{0}) ==
        Json::parse(R"({"key": "YQ==", "range_end": "Yg==", "limit": "10"})"));
  CHECK(etcd::range_request("a", "ab", 10, Revision{5}) ==
        Json::parse(R"({"key": "YWI=", "range_end": "Yg==", "limit": "10", "revision": "5"})"));
  CHECK(etcd::range_request("", "", 1, Revision{0}) ==
        Json::parse(R"({"key": "AA==", "range_end": "AA==", "limit": "1"})"));
  CHECK(etcd::lease_request(LeaseId{12}) == Json::parse(R"({"ID": "12"})"));
  CHECK(etcd::grant_request(std::chrono::seconds(5)) == Json::parse(R"({"TTL": "5"})"));
  CHECK(etcd::watch_request("a", Revision{41}) ==
        Json::parse(
            R"({"create_request": {"key": "YQ==", "range_end": "Yg==", "start_revision": "42"}})"));
  CHECK(etcd::watch_request("", Revision{0})["create_request"]["key"] == "AA==");
}

TEST_CASE("etcd JSON: the end of a prefix is the first key after it", "[cluster][etcd]") {
  CHECK(etcd::prefix_end("a") == "b");
  CHECK(etcd::prefix_end("a/") == "a0");
  CHECK(etcd::prefix_end("a\xFF") == "b");
  CHECK(etcd::prefix_end("a\xFE\xFF\xFF") == "a\xFF");
  CHECK(etcd::prefix_end("\xFF\xFF") == std::string(1, '\0'));
  CHECK(etcd::prefix_end("") == std::string(1, '\0'));
}

TEST_CASE("etcd JSON: zero values are not there", "[cluster][etcd]") {
  const auto none = etcd::parse_range(Json::parse(R"({"header": {"revision": "9"}})"), 2);
  REQUIRE(none.ok());
  CHECK(none->listing.entries.empty());
  CHECK(none->listing.revision == Revision{9});
  CHECK_FALSE(none->more);

  const auto failed = etcd::parse_txn(Json::parse(R"({"header": {"revision": "9"}})"));
  REQUIRE(failed.ok());
  CHECK(failed->outcome == TxnOutcome::Conflict);
  const auto done =
      etcd::parse_txn(Json::parse(R"({"header": {"revision": "10"}, "succeeded": true})"));
  REQUIRE(done.ok());
  CHECK(done->outcome == TxnOutcome::Done);
  CHECK(done->revision == Revision{10});

  const auto dead = etcd::parse_keepalive(Json::parse(R"({"result": {"header": {}, "ID": "3"}})"));
  REQUIRE(dead.ok());
  CHECK(dead->ttl.count() == 0);
  const auto alive = etcd::parse_keepalive(Json::parse(R"({"result": {"ID": "3", "TTL": "5"}})"));
  REQUIRE(alive.ok());
  CHECK(alive->ttl.count() == 5);
}

TEST_CASE("etcd JSON: an entry carries its revision and lease", "[cluster][etcd]") {
  const auto range = etcd::parse_range(
      Json::parse(R"({"header": {"revision": "9"}, "more": true, "count": "2", "kvs": [
        {"key": "ci9h", "value": "MQ==", "mod_revision": "8", "version": "1", "lease": "7"},
        {"key": "ci9i", "mod_revision": "9223372036854775807"}]})"),
      2);
  REQUIRE(range.ok());
  CHECK(range->more);
  const auto& entries = range->listing.entries;
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].key == "a");
  CHECK(entries[0].value == "1");
  CHECK(entries[0].revision == Revision{8});
  CHECK(entries[0].lease == LeaseId{7});
  CHECK(entries[1].key == "b");
  CHECK(entries[1].value.empty());
  CHECK(entries[1].revision == Revision{9223372036854775807ULL});
  CHECK(entries[1].lease == LeaseId{0});
}

TEST_CASE("etcd JSON: what etcd would not say is an error, not a value", "[cluster][etcd]") {
  for (const char* text :
       {R"({})", R"({"header": 1})", R"({"header": {"revision": 9}})",
        R"({"header": {"revision": "-1"}})", R"({"header": {"revision": "9x"}})",
        R"({"header": {"revision": ""}})", R"({"header": {"revision": "9"}, "kvs": {}})",
        R"({"header": {"revision": "9"}, "kvs": [1]})",
        R"({"header": {"revision": "9"}, "more": 1})",
        R"({"header": {"revision": "9"}, "kvs": [{"key": "%%%%"}]})",
        R"({"header": {"revision": "9"}, "kvs": [{"key": 4}]})",
        R"({"header": {"revision": "9"}, "kvs": [{"key": "YQ=="}]})",
        R"({"header": {"revision": "9"}, "kvs": [{"key": "ci9h", "lease": 3}]})"}) {
    INFO(text);
    const auto range = etcd::parse_range(Json::parse(text), 2);
    REQUIRE_FALSE(range.ok());
    CHECK(range.error().code == ErrorCode::Unavailable);
    CHECK_THAT(range.error().message, Catch::Contains("not one of etcd's gateway"));
  }
  CHECK_FALSE(etcd::parse_txn(Json::parse(R"({"succeeded": true})")).ok());
  CHECK_FALSE(
      etcd::parse_txn(Json::parse(R"({"header": {"revision": "1"}, "succeeded": "true"})")).ok());
  CHECK_FALSE(etcd::parse_granted(Json::parse(R"({"ID": "3"})")).ok());
  CHECK_FALSE(etcd::parse_granted(Json::parse(R"({"ID": "x", "TTL": "5"})")).ok());
  CHECK_FALSE(etcd::parse_keepalive(Json::parse(R"([])")).ok());
  CHECK_FALSE(etcd::parse_keepalive(Json::parse(R"({"TTL": "5"})")).ok());
}

TEST_CASE("etcd JSON: one line of a watch may carry many events", "[cluster][etcd]") {
  const auto line = etcd::parse_watch_line(R"({"result": {"header": {"revision": "12"}, "events": [
      {"kv": {"key": "ci9h", "value": "MQ==", "mod_revision": "11"}},
      {"type": "DELETE", "kv": {"key": "ci9i", "mod_revision": "12"}},
      {"type": "PUT", "kv": {"key": "ci9j", "mod_revision": "12"}}]}})",
                                           2);
  REQUIRE(line.ok());
  CHECK_FALSE(line->created);
  CHECK_FALSE(line->canceled);
  REQUIRE(line->changes.size() == 3);
  CHECK(line->changes[0].key == "a");
  CHECK(line->changes[0].value == "1");
  CHECK(line->changes[0].revision == Revision{11});
  CHECK(line->changes[1].key == "b");
  CHECK_FALSE(line->changes[1].value.has_value());
  CHECK(line->changes[2].value == "");
}

TEST_CASE("etcd JSON: a watch begins, ends and fails in lines of their own", "[cluster][etcd]") {
  const auto created =
      etcd::parse_watch_line(R"({"result":{"header":{"revision":"5"},"created":true}})", 0);
  REQUIRE(created.ok());
  CHECK(created->created);
  CHECK(created->revision == Revision{5});
  CHECK(created->changes.empty());

  const auto compacted = etcd::parse_watch_line(
      R"({"result":{"header":{"revision":"9"},"canceled":true,"compact_revision":"8"}})", 0);
  REQUIRE(compacted.ok());
  CHECK(compacted->canceled);
  CHECK(compacted->compacted == Revision{8});

  const auto failed = etcd::parse_watch_line(
      R"({"error":{"grpc_code":14,"http_code":503,"message":"etcdserver: no leader"}})", 0);
  REQUIRE_FALSE(failed.ok());
  CHECK_THAT(failed.error().message, Catch::Contains("no leader"));
  for (const char* text : {"", "{", "7", "{}", R"({"result":3})",
                           R"({"result":{"header":{"revision":"9"},"events":[{"type":"PUT"}]}})"}) {
    INFO(text);
    CHECK_FALSE(etcd::parse_watch_line(text, 0).ok());
  }
}

TEST_CASE("etcd JSON: a refusal has a reason, whoever it comes from", "[cluster][etcd]") {
  const auto plain = etcd::parse_refusal(R"({"error":"gone","message":"gone","code":5})");
  CHECK(plain.code == 5);
  CHECK(plain.message == "gone");
  const auto old = etcd::parse_refusal(R"({"error":"gone","code":5})");
  CHECK(old.message == "gone");
  const auto streamed = etcd::parse_refusal(R"({"error":{"grpc_code":14,"message":"no leader"}})");
  CHECK(streamed.code == 14);
  CHECK(streamed.message == "no leader");
  const auto proxy = etcd::parse_refusal("<html>bad gateway</html>");
  CHECK(proxy.code == 0);
  CHECK(proxy.message == "<html>bad gateway</html>");
  CHECK(etcd::parse_refusal(std::string(5000, 'x')).message.size() == 200);
}

TEST_CASE("LineSplitter: lines come whole, however the bytes are cut", "[cluster][etcd]") {
  const std::string text = "one\ntwo\n\nthree\nrest";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    LineSplitter splitter;
    Lines lines;
    for (std::size_t at = 0; at < text.size(); at += piece) {
      REQUIRE(splitter.feed(text.substr(at, piece), 100, [&](std::string_view line) {
        lines.emplace_back(line);
        return true;
      }));
    }
    CHECK(lines == Lines{"one", "two", "three"});
  }
}

TEST_CASE("LineSplitter: a line has a bound, and its reader the last word", "[cluster][etcd]") {
  const auto yes = [](std::string_view) { return true; };
  LineSplitter bounded;
  CHECK(bounded.feed("12345\n", 5, yes));
  CHECK(bounded.feed("123", 5, yes));
  CHECK_FALSE(bounded.feed("456", 5, yes));
  LineSplitter ended;
  int seen = 0;
  CHECK_FALSE(ended.feed("a\nb\n", 5, [&](std::string_view) { return ++seen > 1; }));
  CHECK(seen == 1);
}

}  // namespace
}  // namespace quiver::cluster
