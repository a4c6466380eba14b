#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "core/result.h"
#include "mcp/call.h"

namespace quiver::mcp {

/// What a person is typing: an argument of a prompt, or a variable of a resource template.
struct CompletionQuery {
  enum class Kind { Prompt, ResourceTemplate };

  Kind kind = Kind::Prompt;
  /// The prompt's name, or the template's URI.
  std::string subject;
  std::string argument;
  /// As typed so far.
  std::string value;
  /// Of the same subject, filled in already: an object of strings.
  Json context = Json::object();
};

struct Completion {
  /// At most 100.
  std::vector<std::string> values;
  /// Nothing if not known.
  std::optional<std::size_t> total;
  bool has_more = false;
};

/// Errors: InvalidArgument if there is no such subject or argument.
using Complete = std::function<Result<Completion>(Call& call, const CompletionQuery& query)>;

}  // namespace quiver::mcp
