#include "mcp/operation_tools.h"

#include <memory>
#include <string>
#include <utility>

#include "core/ids.h"
#include "mcp/confirm.h"
#include "mcp/json_rpc.h"
#include "mcp/text_links.h"
#include "service/values.h"

namespace quiver::mcp {
namespace {

Json hints(const service::Operation& operation) {
  const bool reads = operation.access == service::Access::Read;
  return {{"readOnlyHint", reads},
          {"destructiveHint", operation.effects.destructive},
          {"idempotentHint", operation.effects.idempotent || reads},
          {"openWorldHint", false}};
}

/// The schema as it is; where it points to that of memory_search, which a setting takes away, with
/// what is said there.
Json input_schema(const service::Operation& operation, const service::Registry& registry) {
  Json schema = service::listed_schema(operation);
  const bool is_offered = registry.hidden("memory_search") == nullptr;
  if (is_offered || !schema.contains("properties")) return schema;
  for (auto& [name, field] : schema["properties"].items()) {
    if (field.is_object() && field.value("description", "") == service::kFilterAgainDoc) {
      field["description"] = service::kFilterDoc;
    }
  }
  return schema;
}

struct Rendered {
  std::string text;
  bool is_object;
  /// Blocks that follow the text.
  Json links;
};

Result<Rendered> invoke(const service::Operation& operation, service::Executor& executor,
                        std::size_t bytes_max, CallContext context, const Json& arguments) {
  if (operation.access != service::Access::Read) context.request_id = RequestId::random();
  QV_CHECK(context.check());
  QV_TRY(const Json answer, executor.invoke(context, operation.name, arguments));
  std::string text = to_text(answer);
  if (text.size() > bytes_max) {
    return Error{ErrorCode::ResourceExhausted, "the result has " + std::to_string(text.size()) +
                                                   " bytes, at most " + std::to_string(bytes_max) +
                                                   ": ask for less"};
  }
  Json links = text_links(operation, arguments, answer);
  return Rendered{std::move(text), answer.is_object(), std::move(links)};
}

ToolResult carry_out(const service::Operation& operation, service::Executor& executor,
                     std::size_t bytes_max, const CallContext& context, const Json& arguments) {
  auto rendered = invoke(operation, executor, bytes_max, context, arguments);
  if (!rendered.ok()) return failed_result(rendered.error());
  ToolResult result = rendered->is_object ? structured_result(std::move(rendered->text))
                                          : text_result(std::move(rendered->text));
  for (Json& link : rendered->links) result.content.push_back(std::move(link));
  return result;
}

}  // namespace

std::vector<Tool> operation_tools(const service::Registry& registry, service::Executor& executor,
                                  std::size_t result_bytes_max) {
  std::vector<Tool> tools;
  const auto spent = std::make_shared<Spent>();
  for (const auto& operation : registry.operations()) {
    Tool tool;
    tool.name = operation.name;
    tool.title = operation.title;
    tool.description = operation.description;
    tool.input_schema = input_schema(operation, registry);
    tool.output_schema = operation.response_schema;
    tool.annotations = hints(operation);
    if (operation.access != service::Access::Read) tool.tasks = TaskUse::WhenSlow;
    tool.run = [&operation, &executor, spent, result_bytes_max](Call& call) -> Outcome<ToolResult> {
      if (!is_confirmed(operation, call)) {
        return carry_out(operation, executor, result_bytes_max, call.context, call.arguments);
      }
      auto confirmed = confirm(operation, executor, call, *spent);
      if (auto* asked = std::get_if<InputRequired>(&confirmed)) return std::move(*asked);
      if (const auto* refused = std::get_if<Error>(&confirmed)) return failed_result(*refused);
      return carry_out(operation, executor, result_bytes_max, call.context,
                       std::get<Json>(confirmed));
    };
    tools.push_back(std::move(tool));
  }
  return tools;
}

}  // namespace quiver::mcp
