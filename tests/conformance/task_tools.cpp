#include <chrono>
#include <utility>

#include "fixtures.h"

namespace quiver::conformance {
namespace {

using mcp::Call;
using mcp::InputRequired;
using mcp::Outcome;
using mcp::TaskUse;
using mcp::Tool;
using mcp::ToolResult;
using std::chrono::milliseconds;

/// Longer than a call may take that does not become a task.
constexpr milliseconds kWork{1000};

Json confirmation() {
  return object_schema({{"confirm", {{"type", "boolean"}}}}, {"confirm"});
}

/// The text of an argument, or `otherwise`.
std::string text_of(const Call& call, const std::string& name, std::string otherwise) {
  const auto given = call.arguments.find(name);
  return given != call.arguments.end() && given->is_string() ? given->get<std::string>()
                                                             : std::move(otherwise);
}

Outcome<ToolResult> greet(Call& call) {
  return mcp::text_result("Hello, " + text_of(call, "name", "World") + "!");
}

Outcome<ToolResult> slow_compute(Call& call) {
  const auto seconds = call.arguments.find("seconds");
  if (seconds == call.arguments.end() || !seconds->is_number() || *seconds < 0 || *seconds > 600) {
    return mcp::failed_result(
        {ErrorCode::InvalidArgument, "seconds: must be a number between 0 and 600"});
  }
  const milliseconds time(static_cast<std::int64_t>(seconds->get<double>() * 1000));
  if (const Status over = pause(call, time); !over.ok()) return mcp::failed_result(over.error());
  return mcp::text_result("Computed " + text_of(call, "label", "something"));
}

Outcome<ToolResult> fail_late(Call& call) {
  if (const Status over = pause(call, kWork); !over.ok()) return mcp::failed_result(over.error());
  return mcp::failed_result({ErrorCode::Internal, "the job failed, as it always does"});
}

Outcome<ToolResult> break_late(Call& call) {
  if (const Status over = pause(call, kWork); !over.ok()) return mcp::failed_result(over.error());
  return mcp::RpcError{mcp::rpc::kInternalError, "the job broke, as it always does"};
}

Outcome<ToolResult> confirm_delete(Call& call) {
  const std::string file = text_of(call, "filename", "nothing");
  if (!call.inputs.responses.contains("confirm")) {
    return InputRequired{{elicitation("confirm", "Delete " + file + "?", confirmation())}};
  }
  const Json* confirmed = filled_in(call, "confirm", "confirm");
  return mcp::text_result(confirmed != nullptr && *confirmed == true ? "Deleted " + file
                                                                     : "Kept " + file);
}

Outcome<ToolResult> multi_input(Call& call) {
  if (!call.inputs.responses.contains("first") || !call.inputs.responses.contains("second")) {
    return InputRequired{{elicitation("first", "Confirm the first.", confirmation()),
                          elicitation("second", "Confirm the second.", confirmation())}};
  }
  return mcp::text_result("Both are answered.");
}

/// Asks before it is a task, and is one afterwards.
Outcome<ToolResult> ask_then_work(Call& call) {
  const Json* name = filled_in(call, "user_name", "name");
  if (name == nullptr) {
    const Json schema = object_schema({{"name", {{"type", "string"}}}}, {"name"});
    return InputRequired{{elicitation("user_name", "What is your name?", schema)}};
  }
  if (const Status over = pause(call, kWork); !over.ok()) return mcp::failed_result(over.error());
  return mcp::text_result("Worked for " + mcp::to_text(*name));
}

Tool task_tool(Tool made, TaskUse use, Json schema = Json{{"type", "object"}}) {
  made.tasks = use;
  made.input_schema = std::move(schema);
  return made;
}

}  // namespace

std::vector<Tool> task_tools() {
  const Json text{{"type", "string"}};
  return {
      task_tool(tool("greet", "Greets at once.", greet), TaskUse::Never,
                object_schema({{"name", text}})),
      task_tool(tool("slow_compute", "Takes its time.", slow_compute), TaskUse::Always,
                object_schema({{"seconds", {{"type", "number"}}}, {"label", text}}, {"seconds"})),
      task_tool(tool("failing_job", "Fails after a while.", fail_late), TaskUse::Required),
      task_tool(tool("protocol_error_job", "Breaks after a while.", break_late), TaskUse::Always),
      task_tool(tool("confirm_delete", "Asks before it deletes.", confirm_delete), TaskUse::Always,
                object_schema({{"filename", text}})),
      task_tool(tool("multi_input", "Asks two things at once.", multi_input), TaskUse::Always),
      task_tool(tool("test_tool_with_task", "Asks, then works.", ask_then_work), TaskUse::WhenSlow),
  };
}

}  // namespace quiver::conformance
