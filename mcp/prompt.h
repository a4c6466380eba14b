#pragma once

#include <functional>
#include <string>
#include <vector>

#include "mcp/call.h"

namespace quiver::mcp {

struct PromptArgument {
  std::string name;
  std::string description;
  bool required = false;
};

struct PromptResult {
  std::string description;
  /// PromptMessage objects.
  Json messages = Json::array();
};

/// A text that a person may choose to start from.
struct Prompt {
  std::string name;
  std::string title;
  std::string description;
  std::vector<PromptArgument> arguments;
  /// The arguments are strings, those required are there, and none is unknown. On a thread that may
  /// wait.
  std::function<Outcome<PromptResult>(Call& call)> run;
};

}  // namespace quiver::mcp
