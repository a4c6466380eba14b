// Replies and notifications as streams of events: when there is one, what it carries, and what
// happens when its connection breaks.

#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "http_support.h"
#include "mcp/hub.h"

namespace quiver::mcp {
namespace {

using test::call_of;
using test::FakeResponse;
using test::request;
using test::Site;
using test::SseEvent;

HttpRequest resume(const std::string& session, const std::string& event) {
  HttpRequest http = Site::get(session);
  http.headers["last-event-id"] = event;
  return http;
}

Json message(const SseEvent& event) {
  return test::parsed(event.data);
}

/// Tools that say one thing before they wait at the gate: `talk` just says it, `leave` lets go of
/// its stream.
void add_talkers(Offer& offer, test::Gate& gate) {
  const auto wait = [&gate](Call& call) -> Outcome<ToolResult> {
    const Status passed = gate.pass(call.context);
    return passed.ok() ? text_result("done") : failed_result(passed.error());
  };
  Tool talk;
  talk.name = "talk";
  talk.run = [wait](Call& call) {
    call.log(LogLevel::Warning, "", "hello");
    return wait(call);
  };
  Tool leave;
  leave.name = "leave";
  leave.run = [wait](Call& call) -> Outcome<ToolResult> {
    if (!call.detach()) return text_result("cannot leave");
    return wait(call);
  };
  offer.tools.push_back(talk);
  offer.tools.push_back(leave);
}

struct TalkingSite {
  test::Gate gate;
  Site site;
  explicit TalkingSite(HttpEndpointOptions options = {})
      : site(std::move(options), [this](Offer& offer) { add_talkers(offer, gate); }) {}
  ~TalkingSite() { gate.open(); }
  TalkingSite(const TalkingSite&) = delete;
  TalkingSite& operator=(const TalkingSite&) = delete;
};

TEST_CASE("HTTP stream: a call with progress, in a session", "[mcp][http]") {
  Site site;
  for (const char* version : {"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"}) {
    INFO(version);
    const bool primes = std::string(version) == "2025-11-25";
    const auto response = site.begin(Site::in(
        site.open(version), request(1, "tools/call", call_of("steps", Json::object(), "p"))));
    const auto events = response->all_events();
    CHECK(response->head().status == 200);
    CHECK(response->head().headers ==
          std::map<std::string, std::string>{{"content-type", "text/event-stream"},
                                             {"cache-control", "no-cache"},
                                             {"x-accel-buffering", "no"}});
    REQUIRE(events.size() == (primes ? 5 : 4));
    std::size_t at = 0;
    if (primes) {
      CHECK(events[at].id == "1:0");
      CHECK(events[at].data.empty());
      CHECK_FALSE(events[at].retry.empty());
      ++at;
    }
    for (int step = 1; step <= 3; ++step, ++at) {
      CHECK(events[at].id == "1:" + std::to_string(step));
      CHECK(events[at].name.empty());
      CHECK(message(events[at])["method"] == "notifications/progress");
      CHECK(message(events[at])["params"]["progress"] == step);
    }
    CHECK(events[at].id == "1:4");
    CHECK(message(events[at])["id"] == 1);
    CHECK(message(events[at])["result"].contains("content"));
  }
}

TEST_CASE("HTTP stream: a modern call has no ids and no priming", "[mcp][http]") {
  Site site;
  const auto response =
      site.begin(Site::modern_post(1, "tools/call", call_of("steps", Json::object(), 7)));
  const auto events = response->all_events();
  REQUIRE(events.size() == 4);
  for (const auto& event : events) {
    CHECK(event.id.empty());
    CHECK(event.retry.empty());
  }
  CHECK(message(events[0])["params"]["progressToken"] == 7);
  CHECK(message(events[3])["result"]["resultType"] == "complete");
}

TEST_CASE("HTTP stream: only in a form that the client takes", "[mcp][http]") {
  Site site;
  const std::string id = site.open();
  HttpRequest json = Site::in(id, request(1, "tools/call", call_of("steps", Json::object(), 7)));
  json.headers["accept"] = "application/json";
  CHECK(site.result(json).contains("content"));

  HttpRequest events = Site::in(id, request(2, "ping"));
  events.headers["accept"] = "text/event-stream";
  const auto all = site.begin(events)->all_events();
  REQUIRE(all.size() == 2);
  CHECK(message(all[1])["result"] == Json::object());
  // The session's id is in the head, whichever form the reply has.
  HttpRequest open = Site::post(request(0, "initialize", {{"protocolVersion", "2025-11-25"}}));
  open.headers["accept"] = "text/event-stream";
  const auto opened = site.begin(open);
  CHECK(message(opened->all_events().back())["id"] == 0);
  CHECK(opened->head().headers.count("mcp-session-id") == 1);
  // Modern faults keep their status.
  HttpRequest unknown = Site::modern_post(1, "nonsense");
  unknown.headers["accept"] = "text/event-stream";
  CHECK(site.status(unknown) == 404);
}

TEST_CASE("HTTP stream: a batch that has something to tell", "[mcp][http]") {
  Site site;
  const std::string batch = "[" + request(1, "tools/call", call_of("steps", Json::object(), 7)) +
                            "," + request(2, "ping") + "]";
  const auto events = site.begin(Site::in(site.open("2025-03-26"), batch))->all_events();
  REQUIRE(events.size() == 4);
  CHECK(message(events[0])["method"] == "notifications/progress");
  CHECK(message(events[3]).size() == 2);
}

TEST_CASE("HTTP stream: a broken connection ends no legacy call; the client comes back",
          "[mcp][http]") {
  TalkingSite talking;
  Site& site = talking.site;
  const std::string id = site.open();
  const auto first = site.begin(Site::in(id, request(1, "tools/call", call_of("talk"))));
  CHECK(message(first->events(2)[1])["method"] == "notifications/message");
  first->hang_up();
  SECTION("before the reply") {
    const auto back = site.begin(resume(id, "1:1"));
    CHECK(back->events(1)[0].id == "1:1");
    talking.gate.open();
    const auto events = back->all_events();
    REQUIRE(events.size() == 2);
    CHECK(events[1].id == "1:2");
    CHECK(message(events[1])["result"]["content"][0]["text"] == "done");
  }
  SECTION("and has not seen what came before") {
    talking.gate.open();
    const auto events = site.begin(resume(id, "1:0"))->events(3);
    CHECK(message(events[1])["method"] == "notifications/message");
    CHECK(events[1].id == "1:1");
  }
  SECTION("on another connection while the first is only thought to be alive") {
    const auto second = site.begin(resume(id, "1:1"));
    const auto third = site.begin(resume(id, "1:1"));
    CHECK(second->has_ended());
    second->hang_up();
    talking.gate.open();
    CHECK(message(third->all_events().back())["id"] == 1);
  }
}

TEST_CASE("HTTP stream: after the reply, what is left can still be fetched", "[mcp][http]") {
  TalkingSite talking;
  Site& site = talking.site;
  talking.gate.open();
  const std::string id = site.open();
  const auto done = site.begin(Site::in(id, request(1, "tools/call", call_of("talk"))));
  CHECK(done->all_events().size() == 3);
  const auto events = site.begin(resume(id, "1:1"))->all_events();
  REQUIRE(events.size() == 2);
  CHECK(message(events[1])["id"] == 1);
  // Nothing is left, or there never was: 400, since 404 would say that the session is gone.
  for (const char* event : {"1:2", "1:9", "2:0", "77:1", "nonsense", "1", ":", "1:", "-1:0", "1:0x",
                            "1:0, 1:1", "99999999999999999999:1"}) {
    INFO(event);
    CHECK(site.status(resume(id, event)) == 400);
  }
  // Another session's events are not to be had.
  CHECK(site.status(resume(site.open(), "1:1")) == 400);
}

TEST_CASE("HTTP stream: a slow reader is cut; what it missed is kept within bounds",
          "[mcp][http]") {
  TalkingSite talking;
  Site& site = talking.site;
  const std::string id = site.open();
  const auto slow = site.begin(Site::in(id, request(1, "tools/call", call_of("talk"))));
  slow->events(2);
  slow->stall();
  talking.gate.open();
  const auto back = site.begin(resume(id, "1:1"));
  CHECK(message(back->all_events().back())["id"] == 1);
}

TEST_CASE("HTTP stream: a call lets go of its stream, and replies when the client is back",
          "[mcp][http]") {
  TalkingSite talking;
  Site& site = talking.site;
  const std::string id = site.open();
  const auto first = site.begin(Site::in(id, request(1, "tools/call", call_of("leave"))));
  const auto primed = first->all_events();
  REQUIRE(primed.size() == 1);
  CHECK(primed[0].data.empty());
  CHECK_FALSE(primed[0].retry.empty());
  const auto back = site.begin(resume(id, primed[0].id));
  CHECK(back->events(1).size() == 1);
  talking.gate.open();
  CHECK(message(back->all_events()[1])["result"]["content"][0]["text"] == "done");

  // Who cannot know where to come back, or cannot come back at all, is not sent away.
  for (const char* version : {"2025-06-18", "2025-03-26", "2024-11-05"}) {
    const Json result =
        site.result(Site::in(site.open(version), request(1, "tools/call", call_of("leave"))));
    CHECK(result["content"][0]["text"] == "cannot leave");
  }
  const Json modern = site.result(Site::modern_post(1, "tools/call", call_of("leave")));
  CHECK(modern["content"][0]["text"] == "cannot leave");
  HttpRequest json = Site::in(id, request(2, "tools/call", call_of("leave")));
  json.headers["accept"] = "application/json";
  CHECK(site.result(json)["content"][0]["text"] == "cannot leave");
}

TEST_CASE("HTTP stream: a disconnect cancels a modern call and no legacy one", "[mcp][http]") {
  Site site;
  const std::string id = site.open();
  const auto legacy = site.begin(Site::in(id, request(1, "tools/call", call_of("hold"))));
  const auto modern = site.begin(Site::modern_post(2, "tools/call", call_of("hold")));
  REQUIRE(site.world.gate.wait_for(2));
  legacy->hang_up();
  modern->hang_up();
  // It ends though the gate is shut: it was cancelled, and nothing is said.
  CHECK(modern->head().status == 503);
  CHECK_FALSE(legacy->has_begun());
  site.world.gate.open();
  CHECK(test::parsed(legacy->head().body)["result"].contains("content"));
}

TEST_CASE("HTTP stream: GET listens to what nothing asked for", "[mcp][http]") {
  HttpSessions sessions({});
  const auto http = *sessions.begin();
  http->session()->agree(*find_revision("2025-11-25"), Json::object());
  // Nobody listens, and nobody will come back for it.
  CHECK(http->session()->push("{}") == Told::Nowhere);

  const auto first = std::make_shared<FakeResponse>();
  CHECK_FALSE(http->listen(first));
  CHECK(first->events(1)[0].id == "0:0");
  CHECK(first->events(1)[0].data.empty());
  CHECK(http->session()->push(R"({"n":1})") == Told::Yes);
  CHECK(first->events(2)[1].id == "0:1");
  CHECK(first->events(2)[1].data == R"({"n":1})");
  CHECK(http->in_use());
  const auto second = std::make_shared<FakeResponse>();
  CHECK(http->listen(second) == HttpSession::Refusal::AlreadyOpen);
  CHECK_FALSE(second->has_begun());

  first->hang_up();
  CHECK_FALSE(http->in_use());
  CHECK(http->session()->push(R"({"n":2})") == Told::Yes);
  const auto back = std::make_shared<FakeResponse>();
  CHECK_FALSE(http->resume({0, 1}, back));
  CHECK(back->events(2)[1].data == R"({"n":2})");
  CHECK(http->resume({0, 3}, std::make_shared<FakeResponse>()) ==
        HttpSession::Refusal::UnknownEvent);
  // A client that has forgotten what it saw begins anew.
  back->hang_up();
  const auto anew = std::make_shared<FakeResponse>();
  CHECK_FALSE(http->listen(anew));
  CHECK(anew->events(1)[0].id == "0:2");
  CHECK(anew->events(1).size() == 1);

  sessions.end(http->id());
  CHECK(anew->has_ended());
  CHECK(http->session()->push("{}") == Told::Nowhere);
  CHECK(http->listen(std::make_shared<FakeResponse>()) == HttpSession::Refusal::Ended);
  CHECK(http->resume({0, 0}, std::make_shared<FakeResponse>()) == HttpSession::Refusal::Ended);
}

TEST_CASE("HTTP stream: who begins to listen hears of what has changed meanwhile", "[mcp][http]") {
  HttpSessions sessions({});
  std::mutex mutex;
  std::condition_variable changed;
  int tries = 0;
  Hub hub({.interval = std::chrono::milliseconds(1), .retry_max = std::chrono::milliseconds(1)});
  const auto http = *sessions.begin();
  const auto session = http->session();
  session->agree(*find_revision("2025-06-18"), Json::object());
  session->subscribe(*hub.subscribe({Event::Kind::ToolsChanged}, [&](const Event& event) {
    const std::lock_guard lock(mutex);
    ++tries;
    changed.notify_all();
    return session->push(notification_of(event));
  }));
  hub.publish({Event::Kind::ToolsChanged});
  {
    std::unique_lock lock(mutex);
    REQUIRE(changed.wait_for(lock, test::kPatience, [&] { return tries == 1; }));
  }
  const auto stream = std::make_shared<FakeResponse>();
  CHECK_FALSE(http->listen(stream));
  CHECK_THAT(stream->events(1)[0].data, Catch::Contains("tools/list_changed"));
  session->subscribe(nullptr);
}

TEST_CASE("HTTP stream: who comes back behind a gap is told of all it subscribed to",
          "[mcp][http]") {
  HttpSessionLimits limits;
  limits.events.session_events = 2;
  HttpSessions sessions(limits);
  Hub hub({.interval = std::chrono::milliseconds(1), .retry_max = std::chrono::milliseconds(1)});
  const auto http = *sessions.begin();
  const auto session = http->session();
  session->agree(*find_revision("2025-06-18"), Json::object());
  const auto subscription = *hub.subscribe({Event::Kind::ToolsChanged}, [&](const Event& event) {
    return session->push(notification_of(event));
  });
  REQUIRE(subscription->watch("test://a").ok());
  session->subscribe(subscription);
  const auto first = std::make_shared<FakeResponse>();
  CHECK_FALSE(http->listen(first));
  for (int n = 1; n <= 4; ++n) {
    CHECK(session->push("{\"n\":" + std::to_string(n) + "}") == Told::Yes);
  }
  first->events(4);
  first->hang_up();
  // Of 2 to 4, the first is not kept any more.
  const auto back = std::make_shared<FakeResponse>();
  CHECK_FALSE(http->resume({0, 1}, back));
  const auto events = back->events(4);
  CHECK(events[0].id == "0:3");
  CHECK(events[1].id == "0:4");
  const auto told = events[2].data + events[3].data;
  CHECK_THAT(told, Catch::Contains("tools/list_changed") && Catch::Contains("test://a"));
  back->hang_up();
  // Nothing is missing here, and nothing is told but what comes next.
  const auto again = std::make_shared<FakeResponse>();
  CHECK_FALSE(http->resume({0, 5}, again));
  CHECK(session->push(R"({"n":7})") == Told::Yes);
  CHECK(again->events(2)[0].id == "0:6");
  CHECK(again->events(2)[1].data == R"({"n":7})");
  session->subscribe(nullptr);
}

TEST_CASE("HTTP stream: GET by HTTP", "[mcp][http]") {
  Site site;
  const std::string id = site.open("2025-06-18");
  const auto first = site.begin(Site::get(id));
  CHECK(first->head().status == 200);
  CHECK(first->head().headers.at("content-type") == "text/event-stream");
  CHECK(first->head().body.empty());
  CHECK(site.status(Site::get(id)) == 409);
  HttpRequest json = Site::get(site.open());
  json.headers["accept"] = "application/json";
  CHECK(site.status(json) == 406);
  first->hang_up();
  const auto second = site.begin(Site::get(id));
  CHECK(second->is_stream());

  site.endpoint.stop();
  CHECK(second->has_ended());
  CHECK(site.status(Site::get(id)) == 503);
  CHECK(site.status(Site::in(id, request(1, "ping"))) == 503);
}

TEST_CASE("HTTP stream: calls under way are not ended by stop", "[mcp][http]") {
  TalkingSite talking;
  Site& site = talking.site;
  const auto call = site.begin(Site::in(site.open(), request(1, "tools/call", call_of("talk"))));
  call->events(2);
  site.endpoint.stop();
  CHECK_FALSE(call->has_ended());
  talking.gate.open();
  CHECK(message(call->all_events().back())["id"] == 1);
}

TEST_CASE("HttpEndpoint: heavy bodies are read elsewhere", "[mcp][http]") {
  Site site;
  const std::string id = site.open();
  const std::string padding(100'000, ' ');
  CHECK(site.result(Site::in(id, request(1, "ping") + padding)) == Json::object());
  site.busy = true;
  const HttpResponse busy = site.send(Site::in(id, request(1, "ping") + padding));
  CHECK(busy.status == 503);
  CHECK(busy.headers.count("retry-after") == 1);
  CHECK(site.status(Site::in(id, request(1, "ping"))) == 200);
}

TEST_CASE("HttpEndpoint: what is under way is bounded", "[mcp][http]") {
  HttpEndpointOptions options;
  options.bytes_in_flight_max = 2000;
  Site site(options);
  const std::string id = site.open();
  const Json large{{"text", std::string(1500, 'x')}};
  const auto held = site.begin(Site::in(id, request(1, "tools/call", call_of("hold", large))));
  REQUIRE(site.world.gate.wait_for(1));
  // Going away gives nothing back.
  held->hang_up();
  CHECK(site.status(Site::in(id, request(2, "tools/call", call_of("echo", large)))) == 503);
  CHECK(site.status(Site::in(id, request(3, "ping"))) == 200);
  site.world.gate.open();
  held->head();
  const auto until = std::chrono::steady_clock::now() + test::kPatience;
  int status = 503;
  while (status == 503 && std::chrono::steady_clock::now() < until) {
    status = site.status(Site::in(id, request(4, "tools/call", call_of("echo", large))));
  }
  CHECK(status == 200);
}

}  // namespace
}  // namespace quiver::mcp
