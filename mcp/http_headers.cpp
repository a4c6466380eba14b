#include "mcp/http_headers.h"

#include <algorithm>

#include "core/text.h"
#include "service/base64.h"

namespace quiver::mcp {
namespace {

/// Whether one form is wanted, by the most specific range that says so.
struct Wanted {
  int said_by = 0;
  bool is = false;

  void say(int specific, bool wanted) {
    if (specific == said_by) is = is || wanted;
    if (specific > said_by) is = wanted;
    said_by = std::max(said_by, specific);
  }
};

/// Whether the weight of an item of Accept is 0.
bool is_refused(std::string_view item) {
  for (auto semicolon = item.find(';'); semicolon != std::string_view::npos;) {
    const auto next = item.find(';', semicolon + 1);
    std::string parameter;
    for (const char c : item.substr(semicolon + 1, next - semicolon - 1)) {
      if (c != ' ' && c != '\t') parameter += c;
    }
    const bool is_weight = parameter.starts_with("q=") || parameter.starts_with("Q=");
    if (is_weight && parameter.size() > 2 && parameter[2] == '0' &&
        parameter.find_first_not_of("0.", 2) == std::string::npos) {
      return true;
    }
    semicolon = next;
  }
  return false;
}

}  // namespace

Accepted accepted_forms(const std::optional<std::string>& accept) {
  if (!accept) return {true, true};
  // RFC 9110 12.5.1: the most specific range decides, and a weight of 0 is a no.
  Wanted json;
  Wanted events;
  for (std::string_view rest = *accept; !rest.empty();) {
    const auto comma = rest.find(',');
    const std::string_view item = rest.substr(0, comma);
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    const auto types = media_types(item.substr(0, item.find(';')));
    const std::string type = types.empty() ? "" : types.front();
    const bool wanted = !is_refused(item);
    if (type == "*/*") json.say(1, wanted), events.say(1, wanted);
    if (type == "application/*") json.say(2, wanted);
    if (type == "application/json") json.say(3, wanted);
    if (type == "text/*") events.say(2, wanted);
    if (type == "text/event-stream") events.say(3, wanted);
  }
  return {json.is, events.is};
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
