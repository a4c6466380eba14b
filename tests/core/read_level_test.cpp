// The names of the levels, both ways, and what is no level.

#include "core/read_level.h"

#include <string>

#include <catch2/catch.hpp>

using quiver::read_level_from_name;
using quiver::ReadLevel;

TEST_CASE("ReadLevel: names lead back to their levels", "[core]") {
  CHECK(name(ReadLevel::Linearizable) == "linearizable");
  CHECK(name(ReadLevel::Session) == "session");
  CHECK(name(ReadLevel::Eventual) == "eventual");
  for (const auto level : {ReadLevel::Linearizable, ReadLevel::Session, ReadLevel::Eventual}) {
    CHECK(read_level_from_name(name(level)).value() == level);
  }
  CHECK(name(static_cast<ReadLevel>(0)) == "unknown");
}

TEST_CASE("ReadLevel: another word is refused, and the right ones are named", "[core]") {
  for (const std::string word : {"", "strong", "Session", "eventual ", "unknown"}) {
    const auto level = read_level_from_name(word);
    REQUIRE_FALSE(level.ok());
    CHECK(level.error().code == quiver::ErrorCode::InvalidArgument);
    CHECK(level.error().message ==
          "consistency: one of linearizable, session, eventual, got \"" + word + "\"");
  }
}
