#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "mcp/prompt.h"
#include "mcp/revision.h"

namespace quiver::mcp {

/// The prompts of a server. What prompts/list answers never changes, so it is rendered once.
///
/// Threads: any; unchanged after construction.
class Prompts {
 public:
  explicit Prompts(std::vector<Prompt> prompts);

  /// JSON text of an array, with the fields that `revision` has and no others.
  const std::string& list(const Revision& revision) const noexcept {
    return lists_[index_of(revision)];
  }
  /// Errors: NotFound, naming the prompts there are.
  Result<const Prompt*> find(std::string_view name) const;

 private:
  const std::vector<Prompt> prompts_;
  std::map<std::string_view, const Prompt*> by_name_;
  std::array<std::string, kRevisions.size()> lists_;
};

/// `arguments` is an object of strings. Errors: InvalidArgument, naming every argument that is
/// missing or unknown.
Status check_arguments(const Prompt& prompt, const Json& arguments);

}  // namespace quiver::mcp
