// What is kept for clients that come back, and what is forgotten when it is too much.

#include "mcp/event_log.h"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "mcp/event_stream.h"

namespace quiver::mcp {
namespace {

std::vector<std::string> texts(const EventLog& log, EventLog::Owner owner, std::uint64_t stream,
                               std::uint64_t after = 0) {
  std::vector<std::string> out;
  for (const auto& event : log.after(owner, stream, after)) out.push_back(event.message);
  return out;
}

using Texts = std::vector<std::string>;

TEST_CASE("EventLog: what came after an event, of its stream and session alone", "[mcp][http]") {
  EventLog log({});
  CHECK(log.add(1, {0, 1, "a"}));
  CHECK(log.add(1, {7, 1, "x"}));
  CHECK(log.add(1, {0, 2, "b"}));
  CHECK(log.add(2, {0, 1, "other"}));
  CHECK(texts(log, 1, 0) == Texts{"a", "b"});
  CHECK(texts(log, 1, 0, 1) == Texts{"b"});
  CHECK(texts(log, 1, 0, 2).empty());
  CHECK(texts(log, 1, 7) == Texts{"x"});
  CHECK(texts(log, 3, 0).empty());
  log.forget(1);
  CHECK(texts(log, 1, 0).empty());
  CHECK(texts(log, 2, 0) == Texts{"other"});
  log.forget(2);
  log.forget(2);
  CHECK(log.bytes() == 0);
}

TEST_CASE("EventLog: a session's oldest events make room for its newest", "[mcp][http]") {
  EventLog log({.session_events = 3, .session_bytes = 2000, .total_bytes = 100'000});
  for (std::uint64_t i = 1; i <= 5; ++i) CHECK(log.add(1, {0, i, std::to_string(i)}));
  CHECK(texts(log, 1, 0) == Texts{"3", "4", "5"});
  // By bytes: what costs more than all that a session may have is kept alone.
  const std::string large(5000, 'x');
  CHECK(log.add(1, {0, 6, large}));
  CHECK(texts(log, 1, 0) == Texts{large});
  CHECK(log.add(1, {0, 7, "7"}));
  CHECK(texts(log, 1, 0) == Texts{"7"});
}

TEST_CASE("EventLog: the oldest of all sessions goes first when all are too much", "[mcp][http]") {
  const std::string text(1000, 'x');
  EventLog log({.session_events = 100, .session_bytes = 100'000, .total_bytes = 10'000});
  for (std::uint64_t owner = 1; owner <= 100; ++owner) {
    CHECK(log.add(owner, {0, 1, text}));
    CHECK(log.bytes() <= 10'000);
  }
  CHECK(texts(log, 1, 0).empty());
  CHECK(texts(log, 100, 0) == Texts{text});
  CHECK(texts(log, 95, 0) == Texts{text});
  // What is larger than all that may be kept pushes nothing out.
  CHECK_FALSE(log.add(7, {0, 1, std::string(10'000, 'y')}));
  CHECK(texts(log, 100, 0) == Texts{text});
  EventLog none({.session_events = 0});
  CHECK_FALSE(none.add(1, {0, 1, "a"}));
}

TEST_CASE("event_text: an event on the wire", "[mcp][http]") {
  CHECK(event_text("{}") == "data: {}\n\n");
  CHECK(event_text("{}", "message", "3:1") == "event: message\nid: 3:1\ndata: {}\n\n");
  CHECK(event_text("a\nb\r\nc\rd") == "data: a\ndata: b\ndata: c\ndata: d\n\n");
  CHECK(event_text("") == "data: \n\n");
}

}  // namespace
}  // namespace quiver::mcp
