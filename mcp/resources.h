#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "mcp/call.h"

namespace quiver::mcp {

struct ResourcePage {
  /// Resource objects.
  Json resources = Json::array();
  /// Opaque to the client; empty on the last page.
  std::string next_cursor = {};
};

struct ResourceContents {
  /// TextResourceContents and BlobResourceContents objects.
  Json contents = Json::array();
};

/// What can be read by URI.
///
/// Threads: any. Calls may wait.
class Resources {
 public:
  virtual ~Resources() = default;

  /// Errors: InvalidArgument for a cursor that list() did not give.
  virtual Result<ResourcePage> list(Call& call, const std::optional<std::string>& cursor) = 0;

  /// ResourceTemplate objects; never changes.
  virtual Json templates() const = 0;

  /// Nothing if there is no such resource.
  virtual std::optional<Outcome<ResourceContents>> read(Call& call, const std::string& uri) = 0;

  /// Whether a client may subscribe to `uri`: it has the form of a resource that can change.
  virtual bool can_subscribe(const std::string& uri) const = 0;

  /// A client waits to be told of changes. Does not wait.
  virtual void follow() {}
};

}  // namespace quiver::mcp
