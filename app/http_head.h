#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "core/http.h"
#include "core/http_problem.h"

namespace quiver::app {

/// How the body that follows a head is delimited, and whether another response may follow.
struct HttpFraming {
  /// Bytes of the body; none: its length shows at its end only.
  std::optional<std::size_t> length;
  /// With no length: chunks, or else all until the connection ends.
  bool chunked = false;
  bool keep_alive = true;
  /// The client speaks HTTP/1.0, which takes a connection as closing unless told otherwise.
  bool old_client = false;
};

/// Status line and headers, with the empty line that ends them. Date, Content-Length,
/// Transfer-Encoding and Connection are written from what is known here, whatever `response` says.
std::string render_head(const HttpResponse& response, const HttpFraming& framing);

/// Whether `response` can be put into a head: a final status, names that are tokens, values without
/// line ends, which would let one response pass for two.
bool is_sound_head(const HttpResponse& response);

/// Whether a response of that status has no body and no length (RFC 9110 6.4.1).
bool is_bodiless(int status) noexcept;

}  // namespace quiver::app
