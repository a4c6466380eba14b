#pragma once

#include <functional>
#include <string>

#include "core/error.h"
#include "mcp/call.h"

namespace quiver::mcp {

/// Whether a call may be answered with a task, which the client then polls, if the client can:
/// never; once it has taken a while; always; or always, and refused to clients that cannot.
enum class TaskUse { Never, WhenSlow, Always, Required };

struct ToolResult {
  /// Content blocks.
  Json content = Json::array();
  /// JSON text of an object that fits the tool's output_schema; empty: none.
  std::string structured = {};
  bool is_error = false;
  /// An object; null: none.
  Json meta = nullptr;
};

/// What a model may call.
struct Tool {
  std::string name;
  std::string title;
  std::string description;
  /// JSON Schema 2020-12 objects; the second null if the result has no structure.
  Json input_schema = Json{{"type", "object"}};
  Json output_schema = nullptr;
  /// ToolAnnotations without a title; null: none.
  Json annotations = nullptr;
  /// Null: none.
  Json meta = nullptr;
  TaskUse tasks = TaskUse::Never;
  /// ClientCapabilities without which a call is refused; null: none.
  Json required_capabilities = nullptr;
  /// On a thread that may wait.
  std::function<Outcome<ToolResult>(Call& call)> run;
};

/// One block of text.
ToolResult text_result(std::string text);

/// `text` is the JSON text of an object: it becomes the structure, and the content for clients that
/// read that alone.
ToolResult structured_result(std::string text);

/// A failure that the model is to read: {code, message, retryable}.
ToolResult failed_result(const Error& error);

}  // namespace quiver::mcp
