#include "service/selection.h"

#include <algorithm>
#include <utility>

#include "core/text.h"
#include "service/problems.h"

namespace quiver::service {
namespace {

bool is_chosen(const Selection& selection, Toolset toolset) {
  const auto& sets = selection.toolsets;
  return std::find(sets.begin(), sets.end(), toolset) != sets.end();
}

const Choice& choice_of(const Selection& selection, const std::string& name) {
  static const Choice none;
  const auto found = selection.tools.find(name);
  return found == selection.tools.end() ? none : found->second;
}

/// nullopt: it is shown.
std::optional<Hidden> hidden_by(const Selection& selection, const Operation& operation) {
  const auto& name = operation.name;
  const auto& choice = choice_of(selection, name);
  const bool writes = operation.access != Access::Read;
  if (selection.read_only && writes) return Hidden{name, "mcp.read_only is true", true};
  if (choice.enabled == false) {
    return Hidden{name, "mcp.tools." + name + ".enabled is false", writes};
  }
  if (choice.enabled == true || is_chosen(selection, operation.toolset)) return std::nullopt;
  return Hidden{name, "mcp.toolsets does not name " + std::string(name_of(operation.toolset)),
                false};
}

Status check(const Registry& all, const Selection& selection) {
  Problems problems;
  std::vector<std::string> names;
  for (const auto& operation : all.operations()) names.push_back(operation.name);
  for (const auto& [name, choice] : selection.tools) {
    const std::string where = "mcp.tools." + std::string(utf8_prefix(name, 80));
    if (all.find(name) == nullptr) {
      const auto near = nearest_word(utf8_prefix(name, 80), names);
      problems.add(where + ": there is no such tool" +
                   (near.empty() ? "" : "; did you mean " + near + "?"));
    }
    if (!choice.description) continue;
    const auto size = choice.description->size();
    if (size == 0 || size > kToolDescriptionBytesMax || !is_utf8(*choice.description)) {
      problems.add(where + ".description: must be a text of 1 to " +
                   std::to_string(kToolDescriptionBytesMax) + " bytes of UTF-8");
    }
  }
  for (const auto toolset : selection.toolsets) {
    const bool has_any = std::any_of(all.operations().begin(), all.operations().end(),
                                     [&](const auto& o) { return o.toolset == toolset; });
    if (!has_any) {
      problems.add("mcp.toolsets: this server has no tools of the set " +
                   std::string(name_of(toolset)));
    }
  }
  return problems.status();
}

}  // namespace

std::string_view name_of(Toolset toolset) noexcept {
  for (const auto& [known, name] : EnumNames<Toolset>::names) {
    if (known == toolset) return name;
  }
  return "";
}

Result<Registry> select(const Registry& all, const Selection& selection) {
  QV_CHECK(check(all, selection));
  std::vector<Operation> chosen = all.internal_operations();
  std::vector<Hidden> hidden;
  for (const auto& operation : all.operations()) {
    if (auto entry = hidden_by(selection, operation)) {
      hidden.push_back(*std::move(entry));
      continue;
    }
    chosen.push_back(operation);
    const auto& choice = choice_of(selection, operation.name);
    if (choice.description) chosen.back().description = *choice.description;
  }
  return Registry(std::move(chosen), std::move(hidden));
}

Result<Json> SelectedExecutor::invoke(const CallContext& call, std::string_view operation,
                                      const Json& arguments) {
  const Hidden* hidden = selected_.hidden(operation);
  if (hidden != nullptr && hidden->is_refused) {
    return Error{ErrorCode::PermissionDenied, hidden->name + " is switched off: " + hidden->reason};
  }
  return inner_.invoke(call, operation, arguments);
}

}  // namespace quiver::service
