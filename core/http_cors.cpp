#include "core/http_cors.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace quiver {
namespace {

constexpr int kNoContent = 204;
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

bool may_send(std::string_view name, const CorsTerms& terms) {
  const auto& known = terms.request_headers;
  return std::find(known.begin(), known.end(), name) != known.end() ||
         (!terms.request_prefix.empty() && name.starts_with(terms.request_prefix) &&
          name.size() > terms.request_prefix.size());
}

/// Those of the names in `asked`, separated by commas, that a page may send.
std::string sendable(std::string_view asked, const CorsTerms& terms) {
  std::string names;
  while (!asked.empty()) {
    const auto comma = asked.find(',');
    std::string_view item = asked.substr(0, comma);
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    while (!item.empty() && item.back() == ' ') item.remove_suffix(1);
    const std::string name = lower(item);
    if (name.size() <= kNameBytesMax && may_send(name, terms)) {
      names.append(names.empty() ? "" : ", ").append(name);
    }
    if (comma == std::string_view::npos) break;
    asked.remove_prefix(comma + 1);
  }
  return names;
}

class CorsResponder final : public HttpResponder {
 public:
  CorsResponder(std::shared_ptr<HttpResponder> inner, std::string origin,
                std::string_view readable_headers)
      : inner_(std::move(inner)), origin_(std::move(origin)), readable_(readable_headers) {}

  void respond(HttpResponse response) override { inner_->respond(readable(std::move(response))); }
  std::shared_ptr<HttpStream> stream(HttpResponse head) override {
    return inner_->stream(readable(std::move(head)));
  }
  void on_gone(std::function<void()> gone) override { inner_->on_gone(std::move(gone)); }

 private:
  HttpResponse readable(HttpResponse response) const {
    response.headers["access-control-allow-origin"] = origin_;
    response.headers["access-control-expose-headers"] = readable_;
    response.headers["vary"] = "Origin";
    return response;
  }

  const std::shared_ptr<HttpResponder> inner_;
  const std::string origin_;
  const std::string readable_;
};

}  // namespace

std::optional<HttpResponse> cors_preflight(const HttpRequest& request, const HttpAccess& access,
                                           const CorsTerms& terms, std::string_view methods) {
  if (request.method != "OPTIONS" || !header(request, "access-control-request-method")) {
    return std::nullopt;
  }
  const auto origin = allowed_origin(request, access);
  if (!origin) return std::nullopt;
  HttpResponse response{kNoContent,
                        {{"access-control-allow-origin", *origin},
                         {"access-control-allow-methods", std::string(methods)},
                         {"access-control-max-age", kMaxAgeSeconds},
                         {"vary", "Origin, Access-Control-Request-Headers"}},
                        ""};
  const auto asked = header(request, "access-control-request-headers");
  if (const std::string names = asked ? sendable(*asked, terms) : ""; !names.empty()) {
    response.headers["access-control-allow-headers"] = names;
  }
  if (header(request, "access-control-request-private-network") == "true") {
    response.headers["access-control-allow-private-network"] = "true";
  }
  return response;
}

std::shared_ptr<HttpResponder> with_cors_headers(std::shared_ptr<HttpResponder> responder,
                                                 const HttpRequest& request,
                                                 const HttpAccess& access, const CorsTerms& terms) {
  auto origin = allowed_origin(request, access);
  if (!origin) return responder;
  return std::make_shared<CorsResponder>(std::move(responder), *std::move(origin),
                                         terms.response_headers);
}

}  // namespace quiver
