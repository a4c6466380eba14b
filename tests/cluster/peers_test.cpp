// Addresses of servers as people write them.

#include "cluster/peers.h"

#include <catch2/catch.hpp>

using namespace quiver;
using namespace quiver::cluster;

TEST_CASE("Peers: an address is a host and a port", "[cluster][peers]") {
  CHECK(*parse_address("10.0.0.1:7700") == thrift::PeerAddress{"10.0.0.1", 7700, {}});
  CHECK(*parse_address("node-1.example:1") == thrift::PeerAddress{"node-1.example", 1, {}});
  CHECK(*parse_address("[::1]:65535") == thrift::PeerAddress{"::1", 65535, {}});
}

TEST_CASE("Peers: what is no address is named", "[cluster][peers]") {
  for (const auto* wrong : {"", "10.0.0.1", ":7700", "host:", "host:0", "host:65536", "host:7x",
                            "::1:7700", "[]:7700", "host:-1"}) {
    const auto parsed = parse_address(wrong);
    INFO(wrong);
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.error().code == ErrorCode::InvalidArgument);
    CHECK(parsed.error().message.find(std::string("got \"") + wrong) != std::string::npos);
  }
}
