#include "core/http_problem.h"

#include <string>
#include <utility>

#include "core/json.h"

namespace quiver {
namespace {

// What may pass, such as a full queue or a server that is joining, passes quickly or not at all.
constexpr int kRetryAfterSeconds = 1;

HttpResponse rendered(Json body) {
  const int status = body.at("status").get<int>();
  body["type"] = "about:blank";
  body["title"] = std::string(reason_phrase(status));
  return {status,
          {{"content-type", "application/problem+json"}},
          body.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

Json coded(int status, std::string_view detail, std::string_view code, bool retryable) {
  return {{"status", status},
          {"detail", std::string(detail)},
          {"code", std::string(code)},
          {"retryable", retryable}};
}

}  // namespace

std::string_view reason_phrase(int status) noexcept {
  switch (status) {
    case 200: return "OK";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 409: return "Conflict";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    default: return "";
  }
}

HttpResponse problem(const Error& error) {
  const ErrorTraits known = traits(error.code);
  HttpResponse response =
      rendered(coded(known.http_status, error.message, known.name, known.retryable));
  if (known.retryable) response.headers.emplace("retry-after", std::to_string(kRetryAfterSeconds));
  return response;
}

HttpResponse problem(int status, ErrorCode code, std::string_view detail) {
  return rendered(coded(status, detail, traits(code).name, false));
}

HttpResponse problem(int status, std::string_view detail) {
  return rendered({{"status", status}, {"detail", std::string(detail)}});
}

}  // namespace quiver
