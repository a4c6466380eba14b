#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "mcp/revision.h"
#include "mcp/tool.h"

namespace quiver::mcp {

/// The tools of a server.
///
/// What tools/list answers never changes, so it is rendered once for each revision, in the order
/// given: clients that cache prompts depend on both.
///
/// Threads: any; unchanged after construction.
class Tools {
 public:
  explicit Tools(std::vector<Tool> tools);

  /// JSON text of an array, with the fields that `revision` has and no others.
  const std::string& list(const Revision& revision) const noexcept {
    return lists_[index_of(revision)];
  }
  /// Null if there is none of that name.
  const Tool* find(std::string_view name) const noexcept;
  /// What to say of a name that find() does not know.
  std::string unknown(std::string_view name) const;

 private:
  const std::vector<Tool> tools_;
  std::map<std::string_view, const Tool*> by_name_;
  std::array<std::string, kRevisions.size()> lists_;
};

}  // namespace quiver::mcp
