// How the gateway takes what members answer, against members that answer what each test wants.

#include <deque>
#include <functional>

#include <catch2/catch.hpp>

#include "cluster/coordination/change_history.h"
#include "cluster/coordination/embedded_store.h"
#include "cluster/coordination/etcd_snapshot.h"
#include "cluster/coordination/etcd_store.h"
#include "tests/cluster/coordination_suite.h"
#include "tests/support/temp_dir.h"

namespace quiver::cluster {
namespace {

using State = HttpReply::State;

HttpReply answer(int status, const std::string& body) {
  return {State::Answered, {status, {}, body}, {}};
}
const HttpReply kNotSent{State::NotSent, {0, {}, {}}, "no connection"};
const HttpReply kLost{State::Lost, {0, {}, {}}, "silence"};
const std::string kDone = R"({"header":{"revision":"5"},"succeeded":true})";

/// Answers by a script, and remembers who was asked what.
class ScriptedHttp final : public HttpClient {
 public:
  explicit ScriptedHttp(std::deque<HttpReply> script) : script_(std::move(script)) {}

  HttpReply send(const CallContext&, const std::string& origin, const HttpRequest& what) override {
    asked.push_back(origin + ' ' + what.target);
    const auto token = what.headers.find("authorization");
    tokens.push_back(token == what.headers.end() ? "" : token->second);
    if (script_.empty()) return kNotSent;
    auto reply = script_.front();
    script_.pop_front();
    return reply;
  }
  HttpReply stream(const CallContext& call, const std::string& origin, const HttpRequest& what,
                   std::chrono::milliseconds, const HttpSink& sink) override {
    auto reply = send(call, origin, what);
    if (reply.response.status == 200 && !sink(reply.response.body)) reply.state = State::Answered;
    return reply;
  }

  std::vector<std::string> asked;
  std::vector<std::string> tokens;

 private:
  std::deque<HttpReply> script_;
};

EtcdOptions two_members() {
  EtcdOptions options;
  options.endpoints = {"http://a:1", "http://b:2"};
  options.prefix = "/q/";
  options.patience = std::chrono::milliseconds(0);
  return options;
}

Result<TxnResult> txn(ScriptedHttp& http, const EtcdOptions& options = two_members()) {
  return (*EtcdStore::make(http, options))->txn({}, {}, {{"k", "v"}});
}

const std::string kA = "http://a:1 /v3/kv/txn";
const std::string kB = "http://b:2 /v3/kv/txn";
using Asked = std::vector<std::string>;

TEST_CASE("EtcdGateway: a transaction goes on only from who did not take it", "[cluster][etcd]") {
  SECTION("no connection: the next one") {
    ScriptedHttp http({kNotSent, answer(200, kDone)});
    CHECK(*txn(http) == TxnOutcome::Done);
    CHECK(http.asked == Asked{kA, kB});
  }
  SECTION("no leader: the next one") {
    ScriptedHttp http(
        {answer(503, R"({"error":"etcdserver: no leader","code":14})"), answer(200, kDone)});
    CHECK(*txn(http) == TxnOutcome::Done);
    CHECK(http.asked == Asked{kA, kB});
  }
  SECTION("lost: Unknown, and nobody else is asked") {
    ScriptedHttp http({kLost, answer(200, kDone)});
    const auto result = txn(http);
    CHECK(*result == TxnOutcome::Unknown);
    CHECK(result->why.message == "the coordination store cannot be reached: silence");
    CHECK(http.asked == Asked{kA});
  }
  SECTION("answers that say nothing for sure: Unknown") {
    for (const auto& reply : {answer(503, R"({"error":"etcdserver: request timed out","code":14})"),
                              answer(502, "<html>bad gateway</html>"), answer(200, "not JSON"),
                              answer(200, "{}"), answer(500, R"({"error":"panic","code":13})")}) {
      ScriptedHttp http({reply, answer(200, kDone)});
      INFO(reply.response.body);
      CHECK(*txn(http) == TxnOutcome::Unknown);
      CHECK(http.asked == Asked{kA});
    }
  }
  SECTION("nobody: surely not written") {
    ScriptedHttp http({});
    const auto result = txn(http);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code == ErrorCode::Unavailable);
    CHECK(http.asked == Asked{kA, kB});
  }
}

TEST_CASE("EtcdGateway: a refusal is final, and its own error", "[cluster][etcd]") {
  const auto refused = [](int code, ErrorCode expected) {
    const std::string body = R"({"error":"because","code":)" + std::to_string(code) + '}';
    // Also when the client found the end of the response broken.
    for (const auto state : {State::Answered, State::Lost}) {
      ScriptedHttp http({HttpReply{state, {400, {}, body}, "broken"}, answer(200, kDone)});
      const auto result = txn(http);
      INFO(code);
      REQUIRE_FALSE(result.ok());
      CHECK(result.error().code == expected);
      CHECK(http.asked == Asked{kA});
    }
  };
  refused(3, ErrorCode::InvalidArgument);
  refused(5, ErrorCode::FailedPrecondition);
  refused(7, ErrorCode::PermissionDenied);
  refused(8, ErrorCode::ResourceExhausted);
  refused(9, ErrorCode::FailedPrecondition);
  refused(11, ErrorCode::FailedPrecondition);
  refused(12, ErrorCode::FailedPrecondition);
  refused(16, ErrorCode::PermissionDenied);
}

TEST_CASE("EtcdGateway: reads ask every member, and later calls the one that answered",
          "[cluster][etcd]") {
  const std::string found = R"({"header":{"revision":"5"},"kvs":[{"key":"L3Evaw==","value":"dg==",
      "mod_revision":"4"}]})";
  ScriptedHttp http({kLost, answer(200, found), answer(200, found)});
  const auto store = EtcdStore::make(http, two_members());
  const auto entry = (*store)->get({}, "k");
  REQUIRE(entry.ok());
  CHECK((*entry)->value == "v");
  CHECK((*store)->get({}, "k").ok());
  CHECK(http.asked ==
        Asked{"http://a:1 /v3/kv/range", "http://b:2 /v3/kv/range", "http://b:2 /v3/kv/range"});
  ScriptedHttp broken({answer(200, R"({"kvs":[]})")});
  CHECK((*EtcdStore::make(broken, two_members()))->get({}, "k").error().code ==
        ErrorCode::Unavailable);
}

TEST_CASE("EtcdGateway: logs in before the first call and after a token is gone",
          "[cluster][etcd]") {
  auto options = two_members();
  options.user = "root";
  options.password = "secret";
  const auto token = [](const char* text) {
    return answer(200, std::string(R"({"token":")") + text + "\"}");
  };
  const auto invalid = answer(401, R"({"error":"etcdserver: invalid auth token","code":16})");
  SECTION("once") {
    ScriptedHttp http({token("t1"), answer(200, kDone)});
    CHECK(*txn(http, options) == TxnOutcome::Done);
    CHECK(http.asked == Asked{"http://a:1 /v3/auth/authenticate", kA});
    CHECK(http.tokens == Asked{"", "t1"});
  }
  SECTION("again") {
    ScriptedHttp http({token("t1"), invalid, token("t2"), answer(200, kDone)});
    CHECK(*txn(http, options) == TxnOutcome::Done);
    CHECK(http.tokens == Asked{"", "t1", "", "t2"});
  }
  SECTION("not for ever") {
    ScriptedHttp http({token("t1"), invalid, token("t2"), invalid, token("t3")});
    CHECK(txn(http, options).error().code == ErrorCode::PermissionDenied);
    CHECK(http.asked.size() == 4);
  }
  SECTION("a log-in that is not answered has sent no transaction") {
    for (const auto& reply : {kNotSent, kLost, answer(503, "busy"), answer(200, "{}")}) {
      ScriptedHttp http({reply, reply});
      CHECK(txn(http, options).error().code == ErrorCode::Unavailable);
      CHECK(http.asked.size() == 2);
    }
  }
}

TEST_CASE("EtcdStore: replies without meaning leave nothing behind", "[cluster][etcd]") {
  ScriptedHttp http({answer(200, R"({"ID":"7"})"), answer(200, R"({"header":{}, "kvs":1})")});
  const auto store = EtcdStore::make(http, two_members());
  CHECK((*store)->grant({}, std::chrono::seconds(5), {}).error().code == ErrorCode::Unavailable);
  CHECK((*store)->list({}, "").error().code == ErrorCode::Unavailable);
}

TEST_CASE("etcd snapshots: a broken one is not kept", "[cluster][etcd]") {
  const TempDir dir;
  const auto save = [&](const HttpReply& reply) {
    ScriptedHttp http({reply});
    return save_etcd_snapshot(http, {}, "http://a:1", dir.path() / "s.db");
  };
  const std::string half = R"({"result":{"remaining_bytes":"8","blob":"aGFsZg=="}})";
  for (const auto& reply : {answer(200, half + '\n'), answer(200, "{\"error\":\"gone\"}\n"),
                            answer(200, ""), answer(503, "busy"), kLost}) {
    CHECK(save(reply).error().code == ErrorCode::Unavailable);
    CHECK(std::filesystem::is_empty(dir.path()));
  }
  CHECK(save(answer(200, half + "\n{\"result\":{\"blob\":\"dGhlIHJlc3Q=\"}}\n")).ok());
  CHECK(std::filesystem::file_size(dir.path() / "s.db") == 12);
}

TEST_CASE("ChangeHistory: who comes too late lists again", "[cluster][coordination]") {
  ChangeHistory history(Revision{10});
  const std::atomic<bool> stopped{false};
  std::vector<Change> out;
  Revision after{9};
  CHECK(history.wait("", after, stopped, out) == ChangeHistory::Next::Missed);
  SECTION("too many changes") {
    for (std::uint64_t i = 11; i < 11 + 1025; ++i) {
      history.append({{"k", "v", Revision{i}}}, Revision{i});
    }
    after = Revision{10};
    CHECK(history.wait("", after, stopped, out) == ChangeHistory::Next::Missed);
    after = Revision{11};
    CHECK(history.wait("", after, stopped, out) == ChangeHistory::Next::Changes);
    CHECK(out.size() == 1024);
    CHECK(after == Revision{1035});
  }
  SECTION("too many bytes") {
    const std::string large(std::size_t{3} << 20U, 'x');
    history.append({{"a", large, Revision{11}}}, Revision{11});
    history.append({{"b", large, Revision{12}}}, Revision{12});
    after = Revision{10};
    CHECK(history.wait("", after, stopped, out) == ChangeHistory::Next::Missed);
    after = Revision{11};
    CHECK(history.wait("", after, stopped, out) == ChangeHistory::Next::Changes);
    CHECK(out.size() == 1);
  }
  SECTION("something that nobody knows") {
    history.append({{"a", "1", Revision{11}}}, Revision{11});
    history.forget(Revision{12});
    after = Revision{10};
    CHECK(history.wait("", after, stopped, out) == ChangeHistory::Next::Missed);
  }
}

TEST_CASE("EmbeddedStore: keys of leases do not outlive the process", "[cluster][coordination]") {
  const TempDir dir;
  const auto copy = dir.path() / "copy";
  Revision last{0};
  {
    auto store = std::move(*EmbeddedStore::open(dir.path() / "meta"));
    auto lease = std::move(*store->grant({}, std::chrono::seconds(5), {}));
    REQUIRE(outcome(store->txn({}, {}, {{"alive", "1", lease->id()}, {"stays", "2"}})) ==
            TxnOutcome::Done);
    last = (*store->get({}, "alive"))->revision;
    // What a process that is killed here leaves.
    std::filesystem::copy(dir.path() / "meta", copy, std::filesystem::copy_options::recursive);
  }
  auto store = std::move(*EmbeddedStore::open(copy));
  CHECK_FALSE((*store->get({}, "alive")).has_value());
  CHECK((*store->get({}, "stays"))->value == "2");
  CHECK(store->list({}, "")->revision > last);
  REQUIRE(outcome(store->txn({}, {}, {{"alive", "3"}})) == TxnOutcome::Done);
  store.reset();
  store = std::move(*EmbeddedStore::open(copy));
  CHECK((*store->get({}, "alive"))->value == "3");
}

}  // namespace
}  // namespace quiver::cluster
