#pragma once

#include <array>
#include <string>

#include "mcp/revision.h"
#include "service/registry.h"

namespace quiver::mcp {

/// The operations of a registry as MCP tools. Borrows the registry.
///
/// What tools/list answers never changes, so it is rendered once for each revision, in the order of
/// the registry: clients that cache prompts depend on both.
///
/// Threads: any; unchanged after construction.
class Tools {
 public:
  explicit Tools(const service::Registry& registry);

  /// JSON text of an array, with the fields that `revision` has and no others.
  const std::string& list(const Revision& revision) const noexcept {
    return lists_[index_of(revision)];
  }
  /// Null if there is none of that name.
  const service::Operation* find(std::string_view name) const noexcept {
    return registry_.find(name);
  }
  /// What to say of a name that find() does not know.
  std::string unknown(std::string_view name) const;

 private:
  const service::Registry& registry_;
  std::array<std::string, kRevisions.size()> lists_;
};

}  // namespace quiver::mcp
