#include "mcp/collection_uri.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/text.h"
#include "service/point_text.h"

namespace quiver::mcp {
namespace {

constexpr std::string_view kPoints = "/points/";

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

std::string encode(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (is_unreserved(c)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out;
}

/// One segment of a path. Nothing if it is empty, not encoded as it must be, or not UTF-8.
std::optional<std::string> decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      if (text[i] == '/' || text[i] == '?' || text[i] == '#') return std::nullopt;
      out += text[i];
      continue;
    }
    unsigned byte = 0;
    const std::string_view hex = text.substr(i + 1, 2);
    const auto [end, fault] = std::from_chars(hex.data(), hex.data() + hex.size(), byte, 16);
    if (hex.size() != 2 || fault != std::errc() || end != hex.data() + hex.size()) {
      return std::nullopt;
    }
    out += static_cast<char>(byte);
    i += 2;
  }
  if (out.empty() || !is_utf8(out)) return std::nullopt;
  return out;
}

}  // namespace

std::string to_text(const CollectionUri& uri) {
  std::string text(kCollectionsUri);
  if (uri.collection.empty()) return text;
  text += "/" + encode(uri.collection);
  if (uri.point) text.append(kPoints).append(encode(service::point_text(*uri.point)));
  return text;
}

std::optional<CollectionUri> read_collection_uri(std::string_view text) {
  if (!text.starts_with(kCollectionsUri)) return std::nullopt;
  text.remove_prefix(kCollectionsUri.size());
  if (text.empty()) return CollectionUri{};
  if (text.front() != '/') return std::nullopt;
  text.remove_prefix(1);
  const auto points = text.find(kPoints);
  auto collection = decode(text.substr(0, points));
  if (!collection) return std::nullopt;
  CollectionUri uri{.collection = *std::move(collection)};
  if (points == std::string_view::npos) return uri;
  const auto segment = decode(text.substr(points + kPoints.size()));
  if (segment) uri.point = service::read_point_text(*segment);
  return uri.point ? std::optional(std::move(uri)) : std::nullopt;
}

}  // namespace quiver::mcp
