// Targets against the rules of RFC 3986, worked out by hand.

#include "api/rest/target.h"

#include <catch2/catch.hpp>

namespace quiver::api {
namespace {

using Catch::Matchers::Contains;
using Pairs = std::vector<std::pair<std::string, std::string>>;
using Texts = std::vector<std::string>;

Target parsed(std::string_view target) {
  auto out = parse_target(target);
  REQUIRE(out.ok());
  return *std::move(out);
}

std::string error_of(std::string_view target) {
  const auto out = parse_target(target);
  REQUIRE_FALSE(out.ok());
  CHECK(out.error().code == ErrorCode::InvalidArgument);
  return out.error().message;
}

TEST_CASE("target: a path is cut at its slashes, then decoded", "[api]") {
  CHECK(parsed("/v1/nodes").segments == Texts{"v1", "nodes"});
  CHECK(parsed("/").segments == Texts{""});
  CHECK(parsed("/v1//x/").segments == Texts{"v1", "", "x", ""});
  CHECK(parsed("/a%2Fb/c%20d").segments == Texts{"a/b", "c d"});
  CHECK(parsed("/a+b").segments == Texts{"a+b"});
  CHECK(parsed("/%e2%82%AC").segments == Texts{"€"});
  CHECK(parsed("/€").segments == Texts{"€"});
  CHECK(parsed("/%25").segments == Texts{"%"});
  CHECK(parsed("/a/../b").segments == Texts{"a", "..", "b"});
}

TEST_CASE("target: a query is pairs, in their order", "[api]") {
  CHECK(parsed("/x").query.empty());
  CHECK(parsed("/x?").query.empty());
  CHECK(parsed("/x?a=1&b=2&a=3").query == Pairs{{"a", "1"}, {"b", "2"}, {"a", "3"}});
  CHECK(parsed("/x?a&b=&=c").query == Pairs{{"a", ""}, {"b", ""}, {"", "c"}});
  CHECK(parsed("/x?&a=1&").query == Pairs{{"a", "1"}});
  CHECK(parsed("/x?a=b=c").query == Pairs{{"a", "b=c"}});
  CHECK(parsed("/x?a=1+2%2B3").query == Pairs{{"a", "1 2+3"}});
  CHECK(parsed("/x?n%C3%A4me=caf%C3%A9").query == Pairs{{"n\u00e4me", "caf\u00e9"}});
  CHECK(parsed("/x?a=%26%3D").query == Pairs{{"a", "&="}});
  CHECK(parsed("/x?a=1?b").query == Pairs{{"a", "1?b"}});
}

TEST_CASE("target: what cannot be decoded is refused, and says where", "[api]") {
  CHECK_THAT(error_of("/a%2"), Contains("path") && Contains("%2") && Contains("%25"));
  CHECK_THAT(error_of("/a%"), Contains("percent-encoding"));
  CHECK_THAT(error_of("/%zz"), Contains("%zz"));
  CHECK_THAT(error_of("/%4g"), Contains("percent-encoding"));
  CHECK_THAT(error_of("/x?a=%f"), Contains("query"));
  CHECK_THAT(error_of("/x?%=1"), Contains("query"));
  CHECK_THAT(error_of("/%ff"), Contains("UTF-8"));
  CHECK_THAT(error_of("/%C0%AF"), Contains("UTF-8"));
  CHECK_THAT(error_of("/x?a=%ED%A0%80"), Contains("UTF-8"));
  CHECK_THAT(error_of("x"), Contains("begin with"));
  CHECK_THAT(error_of("*"), Contains("begin with"));
  CHECK_THAT(error_of("http://host/x"), Contains("begin with"));
  CHECK_THAT(error_of(""), Contains("begin with"));
}

TEST_CASE("target: its path ends at the query", "[api]") {
  CHECK(path_of("/a/b?c=d?e") == "/a/b");
  CHECK(path_of("/a") == "/a");
  CHECK(path_of("?a").empty());
}

}  // namespace
}  // namespace quiver::api
