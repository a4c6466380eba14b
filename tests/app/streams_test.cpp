// Standard streams, seen from outside of a process that plays with its own.

#include <filesystem>
#include <string>

#include <catch2/catch.hpp>

#include "tests/app/peer.h"

namespace quiver::app {
namespace {

const auto kProgram = std::filesystem::path(QV_BINARY_DIR) / "tests/app/app_streams";

TEST_CASE("streams: after the claim nothing but the protocol reaches stdout", "[app][streams]") {
  Child child(kProgram, {});
  child.send_line("x");
  CHECK(child.read_all() == "protocol x\n");
  CHECK(child.wait() == 0);
}

TEST_CASE("streams: closed ones are opened, so that no file takes their place", "[app][streams]") {
  Child child(kProgram, {"closed"});
  CHECK(child.wait() == 0);
}

}  // namespace
}  // namespace quiver::app
