#include "mcp/product_completion.h"

#include <string>
#include <vector>

namespace quiver::mcp {
namespace {

Result<Completion> complete_with(service::Executor& executor, const Call& call, const char* kind,
                                 const CompletionQuery& query, const Json& collection) {
  Json arguments{{"kind", kind}, {"prefix", query.value}};
  if (!collection.is_null()) arguments["collection"] = collection;
  const auto found = executor.invoke(call.context, "complete", arguments);
  if (!found.ok()) {
    const ErrorCode code = found.error().code;
    // The collection is half typed, perhaps, and need not be one yet.
    const bool names_one = !collection.is_null();
    if (names_one && (code == ErrorCode::NotFound || code == ErrorCode::InvalidArgument)) {
      return Completion{};
    }
    return found.error();
  }
  Completion completion;
  completion.values = found->at("values").get<std::vector<std::string>>();
  if (found->contains("total")) completion.total = found->at("total").get<std::size_t>();
  completion.has_more = found->value("has_more", false);
  return completion;
}

}  // namespace

Complete product_completion(service::Executor& executor) {
  return [&executor](Call& call, const CompletionQuery& query) -> Result<Completion> {
    if (query.argument == "collection" || query.argument == "name") {
      return complete_with(executor, call, "collection", query, nullptr);
    }
    if (query.argument == "field" && query.context.contains("collection")) {
      return complete_with(executor, call, "field", query, query.context["collection"]);
    }
    if (query.argument == "id" && query.context.contains("name")) {
      return complete_with(executor, call, "point", query, query.context["name"]);
    }
    // Anything can be a topic; fields and ids are those of a collection that is not known yet.
    return Completion{};
  };
}

}  // namespace quiver::mcp
