#include "mcp/cors.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "mcp/http_headers.h"

namespace quiver::mcp {
namespace {

/// Headers that a page may send, in lower case; beside them all that begin with mcp-param-.
constexpr std::array<std::string_view, 8> kRequestHeaders{
    "accept",     "authorization", "content-type",         "last-event-id",
    "mcp-method", "mcp-name",      "mcp-protocol-version", "mcp-session-id"};
/// Headers that it may read, beside those that any page may.
constexpr const char* kResponseHeaders =
    "Mcp-Session-Id, MCP-Protocol-Version, Retry-After, WWW-Authenticate";
/// How long a browser may keep the answer.
constexpr const char* kMaxAgeSeconds = "600";
/// Of one header's name.
constexpr std::size_t kNameBytesMax = 128;

/// The origin of a request if its pages may read answers; as it came.
std::optional<std::string> allowed_origin(const HttpRequest& request, const HttpAccess& access) {
  auto origin = header(request, "origin");
  if (!origin) return std::nullopt;
  const std::string given = lower(*origin);
  const bool listed = std::any_of(access.allowed_origins.begin(), access.allowed_origins.end(),
                                  [&](const auto& entry) { return lower(entry) == given; });
  return listed ? origin : std::nullopt;
}

bool may_send(std::string_view name) {
  constexpr std::string_view kParam = "mcp-param-";
  return std::find(kRequestHeaders.begin(), kRequestHeaders.end(), name) != kRequestHeaders.end() ||
         (name.starts_with(kParam) && name.size() > kParam.size());
}

/// Those of the names in `asked`, separated by commas, that a page may send.
std::string sendable(std::string_view asked) {
  std::string names;
  while (!asked.empty()) {
    const auto comma = asked.find(',');
    std::string_view item = asked.substr(0, comma);
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    while (!item.empty() && item.back() == ' ') item.remove_suffix(1);
    const std::string name = lower(item);
    if (name.size() <= kNameBytesMax && may_send(name)) {
      names.append(names.empty() ? "" : ", ").append(name);
    }
    if (comma == std::string_view::npos) break;
    asked.remove_prefix(comma + 1);
  }
  return names;
}

class CorsResponder final : public HttpResponder {
 public:
  CorsResponder(std::shared_ptr<HttpResponder> inner, std::string origin)
      : inner_(std::move(inner)), origin_(std::move(origin)) {}

  void respond(HttpResponse response) override { inner_->respond(readable(std::move(response))); }
  std::shared_ptr<HttpStream> stream(HttpResponse head) override {
    return inner_->stream(readable(std::move(head)));
  }
  void on_gone(std::function<void()> gone) override { inner_->on_gone(std::move(gone)); }

 private:
  HttpResponse readable(HttpResponse response) const {
    response.headers["access-control-allow-origin"] = origin_;
    response.headers["access-control-expose-headers"] = kResponseHeaders;
    response.headers["vary"] = "Origin";
    return response;
  }

  const std::shared_ptr<HttpResponder> inner_;
  const std::string origin_;
};

}  // namespace

std::optional<HttpResponse> preflight(const HttpRequest& request, const HttpAccess& access,
                                      const char* methods) {
  if (request.method != "OPTIONS" || !header(request, "access-control-request-method")) {
    return std::nullopt;
  }
  const auto origin = allowed_origin(request, access);
  if (!origin) return std::nullopt;
  HttpResponse response{http::kNoContent,
                        {{"access-control-allow-origin", *origin},
                         {"access-control-allow-methods", methods},
                         {"access-control-max-age", kMaxAgeSeconds},
                         {"vary", "Origin, Access-Control-Request-Headers"}},
                        ""};
  const auto asked = header(request, "access-control-request-headers");
  if (const std::string names = asked ? sendable(*asked) : ""; !names.empty()) {
    response.headers["access-control-allow-headers"] = names;
  }
  if (header(request, "access-control-request-private-network") == "true") {
    response.headers["access-control-allow-private-network"] = "true";
  }
  return response;
}

std::shared_ptr<HttpResponder> with_cors(std::shared_ptr<HttpResponder> responder,
                                         const HttpRequest& request, const HttpAccess& access) {
  auto origin = allowed_origin(request, access);
  if (!origin) return responder;
  return std::make_shared<CorsResponder>(std::move(responder), *std::move(origin));
}

}  // namespace quiver::mcp
