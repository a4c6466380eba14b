// What a session keeps beside its requests: the way for messages that nothing asked for.

#include "mcp/session.h"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

namespace quiver::mcp {
namespace {

TEST_CASE("Session: messages are pushed while there is a way", "[mcp]") {
  Session session;
  CHECK_FALSE(session.push("lost"));
  std::vector<std::string> heard;
  session.set_push([&](const std::string& message) {
    heard.push_back(message);
    return heard.size() < 2;
  });
  CHECK(session.push("one"));
  CHECK_FALSE(session.push("two"));
  session.end();
  CHECK_FALSE(session.push("three"));
  CHECK(heard == std::vector<std::string>{"one", "two"});
}

}  // namespace
}  // namespace quiver::mcp
