#include "service/registry.h"

#include <algorithm>
#include <exception>
#include <new>
#include <string>
#include <utility>

#include "core/log.h"
#include "core/text.h"

namespace quiver::service {
namespace {

Error unknown_operation(const Registry& registry, std::string_view name) {
  std::vector<std::string> names;
  std::string list;
  for (const auto& operation : registry.operations()) {
    names.push_back(operation.name);
    list += (list.empty() ? "" : ", ") + operation.name;
  }
  const std::string cut(utf8_prefix(name, 80));
  std::string text = "there is no operation " + shown(cut);
  if (const auto near = nearest_word(cut, names); !near.empty()) {
    text += "; did you mean " + near + "?";
  }
  return {ErrorCode::NotFound, text + " (operations: " + list + ")"};
}

Error bug(const Operation& operation, const char* what) {
  QV_LOG_ERROR("operation_threw operation={} what=\"{}\"", operation.name, what);
  return {ErrorCode::Internal,
          operation.name + ": failed because of a bug in the server, which has logged it"};
}

}  // namespace

Registry::Registry(std::vector<Operation> operations) : operations_(std::move(operations)) {
  std::sort(operations_.begin(), operations_.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
}

const Operation* Registry::find(std::string_view name) const noexcept {
  const auto found = std::lower_bound(operations_.begin(), operations_.end(), name,
                                      [](const auto& a, auto wanted) { return a.name < wanted; });
  return found != operations_.end() && found->name == name ? &*found : nullptr;
}

Result<Json> LocalExecutor::invoke(const CallContext& call, std::string_view operation,
                                   const Json& arguments) {
  const Operation* found = registry_.find(operation);
  if (found == nullptr) return unknown_operation(registry_, operation);
  QV_CHECK(call.check());
  try {
    return found->invoke(call, engine_, arguments);
  } catch (const std::bad_alloc&) {
    QV_LOG_ERROR("operation_out_of_memory operation={}", found->name);
    return Error{ErrorCode::ResourceExhausted,
                 found->name + ": out of memory; ask for less at once"};
  } catch (const std::exception& problem) {
    return bug(*found, problem.what());
  }
}

}  // namespace quiver::service
