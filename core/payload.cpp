#include "core/payload.h"

#include "core/limits.h"

namespace quiver {

Status check_payload(const Json& payload, std::size_t text_bytes, const std::string& where) {
  if (!payload.is_object()) {
    return Error{ErrorCode::InvalidArgument,
                 where + ": metadata must be an object, got " + payload.type_name()};
  }
  std::size_t bytes = text_bytes;
  try {
    bytes += payload.dump().size();
  } catch (const Json::exception&) {
    return Error{ErrorCode::InvalidArgument, where + ": metadata holds text that is not UTF-8"};
  }
  if (bytes <= limits::kPayloadBytesMax) return Done{};
  return Error{ErrorCode::InvalidArgument, where + ": text and metadata may have " +
                                               std::to_string(limits::kPayloadBytesMax) +
                                               " bytes together, got " + std::to_string(bytes)};
}

Json updated_payload(const Json& payload, const UpdatePayload& update) {
  if (update.mode == UpdatePayload::Mode::Replace) return update.payload;
  Json out = payload;
  for (const auto& [key, value] : update.payload.items()) {
    if (value.is_null()) {
      out.erase(key);
    } else {
      out[key] = value;
    }
  }
  return out;
}

}  // namespace quiver
