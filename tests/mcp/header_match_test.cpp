// Headers that repeat parts of the body of a modern request.

#include "mcp/header_match.h"

#include <map>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

namespace quiver::mcp {
namespace {

Json schema(Json properties) {
  return {{"type", "object"}, {"properties", std::move(properties)}};
}

Json marked(const char* type, const char* name) {
  return {{"type", type}, {"x-mcp-header", name}};
}

std::vector<std::string> names(const Json& input_schema) {
  std::vector<std::string> out;
  for (const auto& header : param_headers(input_schema)) {
    out.push_back(header.name);
    for (const auto& key : header.path) out.back() += "/" + key;
  }
  return out;
}

using Names = std::vector<std::string>;

TEST_CASE("param_headers: marks that clients follow", "[mcp][http]") {
  CHECK(names(schema({{"region", marked("string", "Region")}})) ==
        Names{"mcp-param-region/region"});
  CHECK(names(schema({{"deep", schema({{"n", marked("integer", "N")}})}})) ==
        Names{"mcp-param-n/deep/n"});
  CHECK(names(schema({{"b", marked("boolean", "a!b")}})) == Names{"mcp-param-a!b/b"});
  CHECK(names(Json::object()).empty());
}

TEST_CASE("param_headers: marks that mean nothing", "[mcp][http]") {
  CHECK(names(schema({{"x", marked("number", "X")}})).empty());
  CHECK(names(schema({{"x", marked("object", "X")}})).empty());
  CHECK(names(schema({{"x", marked("string", "")}})).empty());
  CHECK(names(schema({{"x", marked("string", "a b")}})).empty());
  CHECK(names(schema({{"x", marked("string", "a:b")}})).empty());
  CHECK(names(schema({{"x", marked("string", "caf\xc3\xa9")}})).empty());
  CHECK(names(schema({{"x", {{"type", "string"}, {"x-mcp-header", 7}}}})).empty());
  CHECK(names(schema({{"x", {{"x-mcp-header", "X"}}}})).empty());
  CHECK(names(schema({{"x", marked("string", "Same")}, {"y", marked("string", "same")}})).empty());
  CHECK(names(schema({{"list", {{"type", "array"}, {"items", marked("string", "X")}}}})).empty());
  CHECK(names({{"anyOf", {schema({{"x", marked("string", "X")}})}}}).empty());
  CHECK(names(schema({{"x", true}})).empty());
  CHECK(names({{"properties", 7}}).empty());
}

struct Calls {
  std::vector<Tool> tools = [] {
    Tool tool;
    tool.name = "t";
    tool.input_schema = schema({{"region", marked("string", "Region")},
                                {"count", marked("integer", "Count")},
                                {"on", marked("boolean", "On")},
                                {"deep", schema({{"x", marked("string", "X")}})}});
    return std::vector<Tool>{tool};
  }();
  HeaderMatch match{tools};

  bool fits(const std::map<std::string, std::string>& headers, Json arguments) const {
    HttpRequest http{
        "POST",
        "/mcp",
        {{"mcp-protocol-version", "2026-07-28"}, {"mcp-method", "tools/call"}, {"mcp-name", "t"}},
        ""};
    for (const auto& [name, value] : headers) http.headers["mcp-param-" + name] = value;
    Request request{1, "tools/call", {{"name", "t"}}};
    if (!arguments.is_null()) request.params["arguments"] = std::move(arguments);
    const auto fault = match.fault(http, request, Json("2026-07-28"));
    if (fault) CHECK(fault->code == -32020);
    return !fault;
  }
};

TEST_CASE("HeaderMatch: strings", "[mcp][http]") {
  const Calls calls;
  CHECK(calls.fits({{"region", "=?base64?SGVsbG8=?="}}, {{"region", "Hello"}}));
  CHECK_FALSE(calls.fits({{"region", "=?base64?SGVsbG8?="}}, {{"region", "Hello"}}));
  CHECK_FALSE(calls.fits({{"region", "=?base64?SGVs!!!bG8=?="}}, {{"region", "Hello"}}));
  CHECK(calls.fits({{"region", "SGVsbG8="}}, {{"region", "SGVsbG8="}}));
  CHECK(calls.fits({{"region", "=?base64?SGVsbG8="}}, {{"region", "=?base64?SGVsbG8="}}));
  CHECK_FALSE(calls.fits({}, {{"region", "test-value"}}));
  CHECK_FALSE(calls.fits({{"region", "eu"}}, {{"region", "us"}}));
  CHECK_FALSE(calls.fits({{"region", "EU"}}, {{"region", "eu"}}));
  CHECK_FALSE(calls.fits({{"region", "eu"}}, Json::object()));
  CHECK_FALSE(calls.fits({{"region", "eu"}}, nullptr));
  CHECK_FALSE(calls.fits({{"region", "null"}}, {{"region", nullptr}}));
  CHECK_FALSE(calls.fits({{"region", "caf\xc3\xa9"}}, {{"region", "caf\xc3\xa9"}}));
  CHECK(calls.fits({}, {{"region", nullptr}}));
  CHECK(calls.fits({}, Json::object()));
  CHECK(calls.fits({}, nullptr));
  CHECK(calls.fits({{"unheard-of", "x"}}, Json::object()));
  CHECK(calls.fits({{"x", "1"}}, {{"deep", {{"x", "1"}}}}));
  CHECK_FALSE(calls.fits({}, {{"deep", {{"x", "1"}}}}));
  // Not what the schema says: the tool is to tell, unless a header claims otherwise.
  CHECK(calls.fits({}, {{"deep", 7}, {"region", {1}}}));
  CHECK_FALSE(calls.fits({{"region", "1"}}, {{"region", {1}}}));
  CHECK(calls.fits({}, Json::array()));
}

TEST_CASE("HeaderMatch: numbers by value, booleans by name", "[mcp][http]") {
  const Calls calls;
  for (const char* same : {"42", "42.0", "4.2e1"}) {
    CHECK(calls.fits({{"count", same}}, {{"count", 42}}));
    CHECK(calls.fits({{"count", same}}, {{"count", 42.0}}));
  }
  for (const char* other : {"43", "42.5", "", "0x2a", "nan", "inf", "42 ", "forty-two", "-42"}) {
    INFO(other);
    CHECK(calls.fits({{"count", other}}, {{"count", 42}}) == (std::string(other) == "42 "));
  }
  CHECK(calls.fits({{"count", "-7"}}, {{"count", -7}}));
  CHECK(calls.fits({{"count", "18446744073709551615"}}, {{"count", 18446744073709551615U}}));
  CHECK_FALSE(calls.fits({{"count", "18446744073709551614"}}, {{"count", 18446744073709551615U}}));
  CHECK(calls.fits({{"on", "true"}}, {{"on", true}}));
  CHECK(calls.fits({{"on", "false"}}, {{"on", false}}));
  CHECK_FALSE(calls.fits({{"on", "1"}}, {{"on", true}}));
  CHECK_FALSE(calls.fits({{"on", "True"}}, {{"on", true}}));
}

TEST_CASE("HeaderMatch: Mcp-Name of every method that has one", "[mcp][http]") {
  const HeaderMatch match({});
  const auto fits = [&](const std::string& method, const char* name, Json params) {
    HttpRequest http{"POST", "/mcp", {{"mcp-protocol-version", "v"}, {"mcp-method", method}}, ""};
    if (name != nullptr) http.headers["mcp-name"] = name;
    return !match.fault(http, {1, method, std::move(params)}, Json("v"));
  };
  CHECK(fits("prompts/get", "p", {{"name", "p"}}));
  CHECK_FALSE(fits("prompts/get", "q", {{"name", "p"}}));
  CHECK(fits("resources/read", "a://b", {{"uri", "a://b"}}));
  CHECK_FALSE(fits("resources/read", nullptr, {{"uri", "a://b"}}));
  for (const char* method : {"tasks/get", "tasks/update", "tasks/cancel"}) {
    CHECK(fits(method, "7", {{"taskId", "7"}}));
    CHECK_FALSE(fits(method, "8", {{"taskId", "7"}}));
    CHECK_FALSE(fits(method, nullptr, {{"taskId", "7"}}));
    CHECK_FALSE(fits(method, "7", Json::object()));
  }
  // That a name is missing from both is for the method to say.
  CHECK(fits("tools/call", nullptr, Json::object()));
  CHECK(fits("tools/list", "whatever", Json::object()));
}

}  // namespace
}  // namespace quiver::mcp
