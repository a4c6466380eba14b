#include "service/registry.h"

#include <algorithm>
#include <exception>
#include <iterator>
#include <new>
#include <string>
#include <utility>

#include "core/log.h"
#include "core/text.h"
#include "service/problems.h"

namespace quiver::service {
namespace {

void sort_by_name(std::vector<Operation>& operations) {
  std::sort(operations.begin(), operations.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
}

const Operation* find_in(const std::vector<Operation>& operations, std::string_view name) noexcept {
  const auto found = std::lower_bound(operations.begin(), operations.end(), name,
                                      [](const auto& a, auto wanted) { return a.name < wanted; });
  return found != operations.end() && found->name == name ? &*found : nullptr;
}

Error bug(const Operation& operation, const char* what) {
  QV_LOG_ERROR("operation_threw operation={} what=\"{}\"", operation.name, what);
  return {ErrorCode::Internal,
          operation.name + ": failed because of a bug in the server, which has logged it"};
}

}  // namespace

Json listed_schema(const Operation& operation) {
  Json schema = operation.request_schema;
  for (const auto& name : operation.unlisted) schema.at("properties").erase(name);
  return schema;
}

Registry::Registry(std::vector<Operation> operations, std::vector<Hidden> hidden)
    : operations_(std::move(operations)), hidden_(std::move(hidden)) {
  const auto internal =
      std::stable_partition(operations_.begin(), operations_.end(),
                            [](const auto& operation) { return operation.shown; });
  internal_.assign(std::make_move_iterator(internal), std::make_move_iterator(operations_.end()));
  operations_.erase(internal, operations_.end());
  sort_by_name(operations_);
  sort_by_name(internal_);
}

const Operation* Registry::find(std::string_view name) const noexcept {
  return find_in(operations_, name);
}

const Operation* Registry::find_internal(std::string_view name) const noexcept {
  return find_in(internal_, name);
}

const Hidden* Registry::hidden(std::string_view name) const noexcept {
  const auto found = std::find_if(hidden_.begin(), hidden_.end(),
                                  [&](const Hidden& entry) { return entry.name == name; });
  return found == hidden_.end() ? nullptr : &*found;
}

std::string Registry::unknown(std::string_view kind, std::string_view name) const {
  const std::string what(kind);
  if (const Hidden* entry = hidden(name)) {
    return what + " " + entry->name + " is switched off: " + entry->reason;
  }
  std::vector<std::string> names;
  std::string list;
  for (const auto& operation : operations_) {
    names.push_back(operation.name);
    list += (list.empty() ? "" : ", ") + operation.name;
  }
  const std::string cut(utf8_prefix(name, 80));
  std::string text = "there is no " + what + " " + shown(cut);
  if (const auto near = nearest_word(cut, names); !near.empty()) {
    text += "; did you mean " + near + "?";
  }
  return text + " (" + what + "s: " + list + ")";
}

Result<Json> LocalExecutor::invoke(const CallContext& call, std::string_view operation,
                                   const Json& arguments) {
  const Operation* found = registry_.find(operation);
  if (found == nullptr) found = registry_.find_internal(operation);
  if (found == nullptr) {
    return Error{ErrorCode::NotFound, registry_.unknown("operation", operation)};
  }
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
