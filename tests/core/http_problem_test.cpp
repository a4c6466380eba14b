// Problems as RFC 9457 has them.

#include "core/http_problem.h"

#include <catch2/catch.hpp>

#include "core/json.h"

namespace quiver {
namespace {

TEST_CASE("problem: an error becomes its status, its sentence and whether to try again", "[core]") {
  const HttpResponse busy = problem(Error{ErrorCode::ResourceExhausted, "too \"many\" \xff"});
  CHECK(busy.status == 429);
  CHECK(busy.headers.at("content-type") == "application/problem+json");
  CHECK(busy.headers.at("retry-after") == "1");
  CHECK(Json::parse(busy.body) == Json{{"type", "about:blank"},
                                       {"title", "Too Many Requests"},
                                       {"status", 429},
                                       {"detail", "too \"many\" \xef\xbf\xbd"},
                                       {"code", "resource_exhausted"},
                                       {"retryable", true}});
  CHECK_FALSE(problem(Error{ErrorCode::NotFound, "no"}).headers.contains("retry-after"));
}

TEST_CASE("problem: statuses of HTTP's own, with a code or without", "[core]") {
  CHECK(Json::parse(problem(405, ErrorCode::InvalidArgument, "GET only").body) ==
        Json{{"type", "about:blank"},
             {"title", "Method Not Allowed"},
             {"status", 405},
             {"detail", "GET only"},
             {"code", "invalid_argument"},
             {"retryable", false}});
  CHECK(Json::parse(problem(431, "too long").body) ==
        Json{{"type", "about:blank"},
             {"title", "Request Header Fields Too Large"},
             {"status", 431},
             {"detail", "too long"}});
}

TEST_CASE("problem: every status of an error has a title", "[core]") {
  for (int code = 1; code <= static_cast<int>(ErrorCode::Internal); ++code) {
    CHECK_FALSE(reason_phrase(traits(static_cast<ErrorCode>(code)).http_status).empty());
  }
  CHECK(reason_phrase(299).empty());
}

}  // namespace
}  // namespace quiver
