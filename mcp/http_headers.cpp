#include "mcp/http_headers.h"

#include <algorithm>

#include "core/text.h"
#include "service/base64.h"

namespace quiver::mcp {

Accepted accepted_forms(const std::optional<std::string>& accept) {
  if (!accept) return {true, true};
  Accepted forms;
  for (const std::string& type : media_types(*accept)) {
    const bool any = type == "*/*";
    forms.json |= any || type == "application/json" || type == "application/*";
    forms.events |= any || type == "text/event-stream" || type == "text/*";
  }
  return forms;
}

std::optional<std::string> decode_header(std::string_view value) {
  constexpr std::string_view kPrefix = "=?base64?";
  constexpr std::string_view kSuffix = "?=";
  const bool encoded = value.size() >= kPrefix.size() + kSuffix.size() &&
                       value.starts_with(kPrefix) && value.ends_with(kSuffix);
  if (!encoded) {
    const bool plain = std::all_of(value.begin(), value.end(),
                                   [](char c) { return c == '\t' || (c >= ' ' && c <= '~'); });
    return plain ? std::optional(std::string(value)) : std::nullopt;
  }
  value.remove_prefix(kPrefix.size());
  value.remove_suffix(kSuffix.size());
  auto text = service::base64_decode(value, service::Base64::Standard);
  if (!text || !is_utf8(*text)) return std::nullopt;
  return text;
}

}  // namespace quiver::mcp
