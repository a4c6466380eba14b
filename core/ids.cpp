#include "core/ids.h"

#include <array>
#include <cerrno>
#include <system_error>

#include <sys/random.h>

#include "core/limits.h"
#include "core/text.h"

namespace quiver {
namespace {

constexpr char kNumberTag = '\x01';
constexpr char kTextTag = '\x02';

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

RequestId RequestId::random() {
  RequestId id;
  // Not std::random_device: each one asks the processor what it can do, which in a virtual machine
  // takes longer than most calls. Up to 256 bytes come whole, or not at all.
  while (::getrandom(id.bytes.data(), id.bytes.size(), 0) < 0) {
    if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "getrandom");
  }
  return id;
}

std::string RequestId::hex() const {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const auto byte : bytes) {
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 15U];
  }
  return out;
}

Result<RequestId> RequestId::from_hex(std::string_view text) {
  RequestId id;
  const Error wrong{ErrorCode::InvalidArgument, "a request id is 32 hexadecimal digits"};
  if (text.size() != id.bytes.size() * 2) return wrong;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    const int high = hex_value(text[2 * i]);
    const int low = hex_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return wrong;
    id.bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return id;
}

Result<PointId> PointId::from_text(std::string text) {
  if (text.empty() || text.size() > limits::kPointIdBytesMax) {
    return Error{ErrorCode::InvalidArgument,
                 "id: a string of 1 to " + std::to_string(limits::kPointIdBytesMax) +
                     " bytes, got " + std::to_string(text.size()) + " bytes"};
  }
  if (!is_utf8(text)) return Error{ErrorCode::InvalidArgument, "id: not valid UTF-8"};
  return PointId(std::move(text));
}

Result<PointId> PointId::from_json(const Json& json) {
  if (json.is_string()) return from_text(json.get<std::string>());
  if (json.is_number_unsigned()) return PointId(json.get<std::uint64_t>());
  return Error{ErrorCode::InvalidArgument,
               std::string("id: a string or an unsigned 64-bit integer, got ") +
                   (json.is_number() ? json.dump() : json.type_name())};
}

Json PointId::to_json() const {
  return std::visit([](const auto& value) { return Json(value); }, value_);
}

std::string PointId::display() const {
  return to_json().dump();
}

std::string PointId::key() const {
  if (const auto* text = std::get_if<std::string>(&value_)) return kTextTag + *text;
  const auto number = std::get<std::uint64_t>(value_);
  std::string out(9, kNumberTag);
  for (unsigned i = 0; i < 8; ++i) out[1 + i] = static_cast<char>(number >> (56 - 8 * i));
  return out;
}

Result<PointId> PointId::from_key(std::string_view key) {
  if (key.size() == 9 && key.front() == kNumberTag) {
    std::uint64_t number = 0;
    for (const char byte : key.substr(1)) number = number << 8U | static_cast<unsigned char>(byte);
    return PointId(number);
  }
  if (key.size() >= 2 && key.front() == kTextTag) {
    auto id = from_text(std::string(key.substr(1)));
    if (id.ok()) return id;
  }
  return Error{ErrorCode::Corruption, "a stored point id is malformed"};
}

}  // namespace quiver
