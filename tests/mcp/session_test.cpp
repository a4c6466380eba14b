// What a session keeps beside its requests: the way for messages that nothing asked for.

#include "mcp/session.h"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

namespace quiver::mcp {
namespace {

TEST_CASE("Session: messages are pushed while there is a way", "[mcp]") {
  Session session;
  CHECK(session.push("lost") == Told::Nowhere);
  std::vector<std::string> heard;
  session.set_push([&](const std::string& message) {
    heard.push_back(message);
    return heard.size() < 2 ? Told::Yes : Told::Later;
  });
  CHECK(session.push("one") == Told::Yes);
  CHECK(session.push("two") == Told::Later);
  session.end();
  CHECK(session.push("three") == Told::Nowhere);
  CHECK(heard == std::vector<std::string>{"one", "two"});
}

}  // namespace
}  // namespace quiver::mcp
