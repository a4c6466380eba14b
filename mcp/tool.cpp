#include "mcp/tool.h"

#include <utility>

namespace quiver::mcp {

ToolResult text_result(std::string text) {
  ToolResult result;
  result.content.push_back({{"type", "text"}, {"text", std::move(text)}});
  return result;
}

ToolResult structured_result(std::string text) {
  ToolResult result = text_result(text);
  result.structured = std::move(text);
  return result;
}

ToolResult failed_result(const Error& error) {
  const ErrorTraits known = traits(error.code);
  ToolResult result = text_result(
      to_text({{"code", known.name}, {"message", error.message}, {"retryable", known.retryable}}));
  result.is_error = true;
  return result;
}

}  // namespace quiver::mcp
