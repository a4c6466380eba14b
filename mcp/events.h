#pragma once

#include <compare>
#include <string>

#include "core/json.h"

namespace quiver::mcp {

/// Something that a client has read is different now. Says where to look again, not what is new.
struct Event {
  enum class Kind { ToolsChanged, PromptsChanged, ResourcesChanged, ResourceUpdated, TaskChanged };

  Kind kind = Kind::ToolsChanged;
  /// Of the resource that was updated, or the id of the task; empty for the others, which are of
  /// whole lists.
  std::string subject = {};

  auto operator<=>(const Event&) const = default;
};

/// Whether a client took what it was told.
enum class Told {
  Yes,
  /// Not now: it reads too slowly. Worth another try in a while.
  Later,
  /// There is no way to it; whoever opens one says so.
  Nowhere,
};

/// The notification that tells of an event, which is not of a task; `meta` is its _meta, null:
/// none.
std::string notification_of(const Event& event, const Json& meta = nullptr);

}  // namespace quiver::mcp
