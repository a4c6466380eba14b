#include "service/cursor.h"

#include <bit>

#include "core/text.h"
#include "service/base64.h"

namespace quiver::service {
namespace {

constexpr std::size_t kTagBytes = 6;

template <typename Integer>
void put(std::string& out, Integer value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 255U);
}

std::uint32_t take32(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value |= std::uint32_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
  }
  return value;
}

std::string tag(std::string_view bound, std::string_view position) {
  CursorBound both(bound);
  std::string out;
  put(out, stable_hash(both.add(position).str()), kTagBytes);
  return out;
}

Error bad_cursor() {
  return {ErrorCode::InvalidArgument,
          "cursor: not a next_cursor of this request; repeat the arguments of the first page "
          "unchanged, or start over without cursor"};
}

std::uint32_t hash_of(const PointId& id) {
  return static_cast<std::uint32_t>(stable_hash(id.key()));
}

}  // namespace

std::string make_cursor(std::string_view bound, std::string_view position) {
  return base64_encode(tag(bound, position) + std::string(position), Base64::Url);
}

Result<std::string> open_cursor(std::string_view bound, std::string_view cursor) {
  const auto bytes = base64_decode(cursor, Base64::Url);
  if (!bytes || bytes->size() < kTagBytes) return bad_cursor();
  auto position = bytes->substr(kTagBytes);
  if (tag(bound, position) != bytes->substr(0, kTagBytes)) return bad_cursor();
  return position;
}

SearchPosition SearchPosition::after(const ScoredPoint& hit, std::size_t seen) {
  return {static_cast<std::uint32_t>(seen), hit.score, hash_of(hit.point.id)};
}

bool SearchPosition::is_at(const ScoredPoint& hit) const noexcept {
  return hit.score == score && hash_of(hit.point.id) == id_hash;
}

std::string SearchPosition::to_bytes() const {
  std::string out;
  put(out, std::bit_cast<std::uint32_t>(score), 4);
  put(out, id_hash, 4);
  put(out, seen, 4);
  while (out.size() > 8 && out.back() == '\0') out.pop_back();
  return out;
}

Result<SearchPosition> SearchPosition::from_bytes(std::string_view bytes) {
  if (bytes.size() < 8 || bytes.size() > 12) return bad_cursor();
  std::string whole(bytes);
  whole.resize(12, '\0');
  return SearchPosition{take32(whole, 8), std::bit_cast<float>(take32(whole, 0)), take32(whole, 4)};
}

CursorBound& CursorBound::add(std::string_view part) {
  text_ += std::to_string(part.size());
  text_ += ':';
  text_ += part;
  return *this;
}

}  // namespace quiver::service
