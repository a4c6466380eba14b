#include "api/rest/call_headers.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

#include "core/http_access.h"
#include "core/text.h"

namespace quiver::api {
namespace {

/// 8-4-4-4-12 digits without the hyphens; `text` itself if it has none there.
std::string without_hyphens(const std::string& text) {
  constexpr std::size_t kUuidSize = 36;
  constexpr std::string_view kShape = "........-....-....-....-............";
  if (text.size() != kUuidSize) return text;
  std::string digits;
  for (std::size_t i = 0; i < kUuidSize; ++i) {
    if (kShape[i] == '-' && text[i] != '-') return text;
    if (kShape[i] != '-') digits += text[i];
  }
  return digits;
}

}  // namespace

Result<std::optional<RequestId>> idempotency_key(const HttpRequest& request) {
  using Key = std::optional<RequestId>;
  const auto given = header(request, "idempotency-key");
  if (!given) return Key(std::nullopt);
  std::string text = *given;
  if (text.size() > 1 && text.front() == '"' && text.back() == '"') {
    text = text.substr(1, text.size() - 2);
  }
  const auto id = RequestId::from_hex(lower(without_hyphens(text)));
  if (id.ok() && !id->empty()) return Key(*id);
  return Error{ErrorCode::InvalidArgument,
               "header Idempotency-Key: must be a UUID or 32 hexadecimal digits, not all zero, "
               "got " +
                   shown_text(*given)};
}

Result<std::chrono::milliseconds> request_timeout(const HttpRequest& request,
                                                  std::chrono::milliseconds most) {
  constexpr double kMsPerSecond = 1000.0;
  const auto given = header(request, "request-timeout");
  if (!given) return most;
  double seconds = 0.0;
  const char* end = given->data() + given->size();
  const auto [stopped, error] =
      std::from_chars(given->data(), end, seconds, std::chars_format::fixed);
  const double ms = std::ceil(seconds * kMsPerSecond);
  const bool good = !given->empty() && stopped == end && error == std::errc() && seconds > 0.0 &&
                    ms <= static_cast<double>(most.count());
  if (good) return std::chrono::milliseconds(static_cast<std::int64_t>(ms));
  return Error{ErrorCode::InvalidArgument,
               "header Request-Timeout: must be seconds above 0 and at most " +
                   std::to_string(most.count() / 1000) + ", got " + shown_text(*given)};
}

bool takes_json(const HttpRequest& request) {
  const auto accept = header(request, "accept");
  if (!accept) return true;
  const auto types = media_types(*accept);
  return std::any_of(types.begin(), types.end(), [](const std::string& type) {
    return type == "*/*" || type == "application/*" || type == "application/json";
  });
}

}  // namespace quiver::api
