#include "core/derived_request_id.h"

#include <cstdint>
#include <cstring>
#include <string>

#include "core/text.h"

namespace quiver {

RequestId derived_request_id(std::string_view seed) {
  RequestId id;
  const std::uint64_t high = stable_hash(std::string(seed) + "/high");
  const std::uint64_t low = stable_hash(std::string(seed) + "/low");
  std::memcpy(id.bytes.data(), &high, sizeof(high));
  std::memcpy(id.bytes.data() + sizeof(high), &low, sizeof(low));
  return id;
}

}  // namespace quiver
