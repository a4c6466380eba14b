#include "core/base64.h"

#include <array>
#include <cstdint>

namespace quiver {
namespace {

constexpr std::uint8_t kNone = 255;

constexpr std::string_view digits(Base64 alphabet) {
  return alphabet == Base64::Standard
             ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
             : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
}

constexpr std::array<std::uint8_t, 256> reversed(Base64 alphabet) {
  std::array<std::uint8_t, 256> table{};
  for (auto& entry : table) entry = kNone;
  const auto from = digits(alphabet);
  for (std::size_t i = 0; i < from.size(); ++i) {
    table[static_cast<unsigned char>(from[i])] = static_cast<std::uint8_t>(i);
  }
  return table;
}

constexpr auto kStandardValues = reversed(Base64::Standard);
constexpr auto kUrlValues = reversed(Base64::Url);

}  // namespace

std::string base64_encode(std::string_view bytes, Base64 alphabet) {
  const auto table = digits(alphabet);
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8U | (j < count ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j <= count; ++j) out += table[group >> (18 - 6 * j) & 63U];
  }
  if (alphabet == Base64::Standard) out.append((4 - out.size() % 4) % 4, '=');
  return out;
}

std::optional<std::string> base64_decode(std::string_view text, Base64 alphabet) {
  if (alphabet == Base64::Standard) {
    if (text.size() % 4 != 0) return std::nullopt;
    for (int i = 0; i < 2 && !text.empty() && text.back() == '='; ++i) text.remove_suffix(1);
  }
  if (text.size() % 4 == 1) return std::nullopt;
  const auto& values = alphabet == Base64::Standard ? kStandardValues : kUrlValues;
  std::string out;
  out.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const char c : text) {
    const std::uint8_t value = values[static_cast<unsigned char>(c)];
    if (value == kNone) return std::nullopt;
    bits = bits << 6U | value;
    held += 6;
    if (held >= 8) {
      held -= 8;
      out += static_cast<char>(bits >> held & 255U);
    }
  }
  // Bits left over are padding: another value of them would be a second spelling of the same bytes.
  if ((bits & ((1U << held) - 1U)) != 0) return std::nullopt;
  return out;
}

}  // namespace quiver
