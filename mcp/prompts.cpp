#include "mcp/prompts.h"

#include <algorithm>
#include <utility>

#include "mcp/fields.h"
#include "mcp/json_rpc.h"

namespace quiver::mcp {
namespace {

Json listed(const Prompt& prompt) {
  Json json{{"name", prompt.name}, {"description", prompt.description}};
  if (!prompt.title.empty()) json["title"] = prompt.title;
  for (const PromptArgument& argument : prompt.arguments) {
    json["arguments"].push_back({{"name", argument.name},
                                 {"description", argument.description},
                                 {"required", argument.required}});
  }
  return json;
}

template <typename Items>
std::string names_of(const Items& items) {
  std::string names;
  for (const auto& item : items) names += (names.empty() ? "" : ", ") + item.name;
  return names;
}

}  // namespace

Prompts::Prompts(std::vector<Prompt> prompts) : prompts_(std::move(prompts)) {
  Json all = Json::array();
  for (const Prompt& prompt : prompts_) {
    by_name_[prompt.name] = &prompt;
    all.push_back(listed(prompt));
  }
  for (const Revision& revision : kRevisions) {
    lists_[index_of(revision)] = to_text(fit_list(all, revision));
  }
}

Result<const Prompt*> Prompts::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  if (found != by_name_.end()) return found->second;
  return Error{ErrorCode::NotFound,
               "unknown prompt " + display(name) + ": there are " + names_of(prompts_)};
}

Status check_arguments(const Prompt& prompt, const Json& arguments) {
  std::string problems;
  const auto add = [&](const std::string& problem) {
    problems += (problems.empty() ? "" : "; ") + problem;
  };
  for (const PromptArgument& argument : prompt.arguments) {
    if (argument.required && !arguments.contains(argument.name)) {
      add(display(argument.name) + " is required");
    }
  }
  for (const auto& item : arguments.items()) {
    const bool known =
        std::any_of(prompt.arguments.begin(), prompt.arguments.end(),
                    [&](const PromptArgument& argument) { return argument.name == item.key(); });
    if (!known) add(display(item.key()) + " is unknown");
    if (problems.size() > 1024) break;
  }
  if (problems.empty()) return Done{};
  const std::string takes =
      prompt.arguments.empty() ? "no arguments" : "the arguments " + names_of(prompt.arguments);
  return Error{ErrorCode::InvalidArgument,
               "params.arguments: " + problems + "; " + prompt.name + " takes " + takes};
}

}  // namespace quiver::mcp
