// The names, HTTP status codes and numbers are promises to clients: they are written out here.

#include "core/error.h"

#include <set>
#include <string>

#include <catch2/catch.hpp>

namespace quiver {
namespace {

struct Promise {
  int number;
  const char* name;
  int http_status;
  bool retryable;
};

constexpr Promise kPromises[] = {
    {1, "invalid_argument", 400, false},  {2, "not_found", 404, false},
    {3, "already_exists", 409, false},    {4, "failed_precondition", 412, false},
    {5, "permission_denied", 403, false}, {6, "resource_exhausted", 429, true},
    {7, "wrong_owner", 503, true},        {8, "unavailable", 503, true},
    {9, "deadline_exceeded", 504, true},  {10, "corruption", 500, false},
    {11, "internal", 500, false},
};

TEST_CASE("error: what every code tells a client", "[core]") {
  std::set<std::string> names;
  for (const auto& promise : kPromises) {
    INFO(promise.number);
    const auto told = traits(static_cast<ErrorCode>(promise.number));
    CHECK(told.name == promise.name);
    CHECK(told.http_status == promise.http_status);
    CHECK(told.retryable == promise.retryable);
    names.emplace(told.name);
  }
  CHECK(names.size() == std::size(kPromises));
}

TEST_CASE("error: a code from a newer peer reads as internal", "[core]") {
  for (const int unknown : {0, 12, 255}) {
    CHECK(traits(static_cast<ErrorCode>(unknown)).name == "internal");
  }
}

}  // namespace
}  // namespace quiver
