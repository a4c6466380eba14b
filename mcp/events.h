#pragma once

#include <compare>
#include <string>

#include "core/json.h"

namespace quiver::mcp {

/// Something that a client has read is different now. Says where to look again, not what is new.
struct Event {
  enum class Kind { ToolsChanged, PromptsChanged, ResourcesChanged, ResourceUpdated };

  Kind kind = Kind::ToolsChanged;
  /// Of the resource that was updated; empty for the others, which are of whole lists.
  std::string uri = {};

  auto operator<=>(const Event&) const = default;
};

/// The notification that tells of an event; `meta` is its _meta, null: none.
std::string notification_of(const Event& event, const Json& meta = nullptr);

}  // namespace quiver::mcp
