#include "app/http_head.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <ctime>
#include <string_view>

namespace quiver::app {
namespace {

std::string_view http_date(std::array<char, 40>& text) {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  const std::size_t size =
      std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &utc);
  return {text.data(), size};
}

/// RFC 9110 5.6.2.
bool is_token(std::string_view name) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [&](unsigned char c) {
    return (c < 0x80 && std::isalnum(c) != 0) || kOthers.find(static_cast<char>(c)) != kOthers.npos;
  });
}

bool is_field_value(std::string_view value) {
  return std::all_of(value.begin(), value.end(),
                     [](unsigned char c) { return c == '\t' || (c >= 0x20 && c != 0x7F); });
}

bool is_ours(std::string_view name) {
  constexpr std::array<std::string_view, 4> kOurs{"connection", "content-length", "date",
                                                  "transfer-encoding"};
  const auto same = [&](std::string_view other) {
    return std::equal(name.begin(), name.end(), other.begin(), other.end(),
                      [](unsigned char a, char b) { return std::tolower(a) == b; });
  };
  return std::any_of(kOurs.begin(), kOurs.end(), same);
}

}  // namespace

bool is_bodiless(int status) noexcept {
  return status == 204 || status == 304;
}

bool is_sound_head(const HttpResponse& response) {
  return response.status >= 200 && response.status <= 599 &&
         std::all_of(response.headers.begin(), response.headers.end(), [](const auto& field) {
           return is_token(field.first) && is_field_value(field.second);
         });
}

std::string render_head(const HttpResponse& response, const HttpFraming& framing) {
  std::array<char, 40> date{};
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " ";
  head.append(reason_phrase(response.status))
      .append("\r\nDate: ")
      .append(http_date(date))
      .append("\r\n");
  for (const auto& [name, value] : response.headers) {
    if (!is_ours(name)) head.append(name).append(": ").append(value).append("\r\n");
  }
  if (framing.length && !is_bodiless(response.status)) {
    head.append("Content-Length: ").append(std::to_string(*framing.length)).append("\r\n");
  }
  if (!framing.length && framing.chunked) head.append("Transfer-Encoding: chunked\r\n");
  if (!framing.keep_alive) {
    head.append("Connection: close\r\n");
  } else if (framing.old_client) {
    head.append("Connection: keep-alive\r\n");
  }
  return head.append("\r\n");
}

}  // namespace quiver::app
