#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/http.h"
#include "core/http_access.h"

/// What lets a page of an allowed origin read the answers: Cross-Origin Resource Sharing.
///
/// Only for HttpAccess::allowed_origins. A page of the loopback may call, as a program there may,
/// but what it reads is for the browser's own rules to decide.
///
/// Source: WHATWG Fetch, 3.3 CORS protocol; WICG Private Network Access.
namespace quiver {

/// What pages may send to a surface and read from it. Borrows all of it.
struct CorsTerms {
  /// Of headers that pages may send, in lower case.
  std::vector<std::string_view> request_headers = {};
  /// All headers that begin so may be sent, too; empty: none.
  std::string_view request_prefix = {};
  /// Headers that a page may read beside those that any page may, separated by commas.
  std::string_view response_headers = {};
};

/// The answer to a browser that asks beforehand whether it may send a request; nothing if this is
/// none of those, or comes from an origin that was not allowed. `methods`: those there are.
std::optional<HttpResponse> cors_preflight(const HttpRequest& request, const HttpAccess& access,
                                           const CorsTerms& terms, std::string_view methods);

/// Takes responses to `request` on to `responder`, with the headers that let its page read them;
/// `responder` itself if it comes from no allowed origin.
std::shared_ptr<HttpResponder> with_cors_headers(std::shared_ptr<HttpResponder> responder,
                                                 const HttpRequest& request,
                                                 const HttpAccess& access, const CorsTerms& terms);

}  // namespace quiver
