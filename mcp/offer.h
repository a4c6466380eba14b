#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mcp/completion.h"
#include "mcp/hub.h"
#include "mcp/prompt.h"
#include "mcp/resources.h"
#include "mcp/tool.h"

namespace quiver::mcp {

/// Who a server says it is.
struct About {
  std::string name;
  std::string title;
  std::string version;
  std::string description;
  /// To the model: how to use the server. Empty: none.
  std::string instructions;
};

/// All that a server offers to clients. Lists keep the order given here.
struct Offer {
  About about;
  std::vector<Tool> tools;
  /// Why a tool is not among them that could be; empty, or the function null: there is none of that
  /// name.
  std::function<std::string(std::string_view name)> why_hidden = nullptr;
  std::vector<Prompt> prompts;
  /// Null: none.
  std::shared_ptr<Resources> resources;
  /// Null: nothing can be completed.
  Complete complete;
  /// Where changes of the lists above and of resources are told. Null: nothing ever changes.
  std::shared_ptr<Hub> hub;
};

}  // namespace quiver::mcp
