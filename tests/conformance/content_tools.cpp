#include <chrono>
#include <iterator>
#include <utility>

#include "fixtures.h"

namespace quiver::conformance {
namespace {

using mcp::Call;
using mcp::Outcome;
using mcp::Tool;
using mcp::ToolResult;
using std::chrono::milliseconds;

/// Eight samples of silence.
constexpr const char* kSilence =
    "UklGRiwAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQgAAACAgICAgICAgA==";

/// The suite compares it keyword by keyword with what tools/list says.
constexpr const char* kEveryKeyword = R"({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "$defs": {"address": {"$anchor": "addressDef", "type": "object", "properties": {
    "street": {"type": "string"}, "city": {"type": "string"}}}},
  "properties": {
    "name": {"type": "string"},
    "address": {"$ref": "#/$defs/address"},
    "contactMethod": {"type": "string", "enum": ["phone", "email"]},
    "phone": {"type": "string"},
    "email": {"type": "string"}},
  "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
  "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
  "then": {"required": ["phone"]},
  "else": {"required": ["email"]},
  "additionalProperties": false})";

Tool constant(std::string name, std::string description, Json content) {
  return tool(std::move(name), std::move(description),
              [content = std::move(content)](Call&) -> Outcome<ToolResult> {
                return ToolResult{.content = content};
              });
}

Outcome<ToolResult> log_three_times(Call& call) {
  constexpr const char* kMessages[] = {"Tool execution started", "Tool processing data",
                                       "Tool execution completed"};
  for (const char* message : kMessages) {
    if (message != kMessages[0]) {
      if (const Status over = pause(call, milliseconds(50)); !over.ok()) {
        return mcp::failed_result(over.error());
      }
    }
    call.log(mcp::LogLevel::Info, "conformance", message);
  }
  return mcp::text_result("Logged three messages.");
}

Outcome<ToolResult> report_progress(Call& call) {
  for (const std::uint64_t done : {0U, 50U, 100U}) {
    if (done > 0) {
      if (const Status over = pause(call, milliseconds(50)); !over.ok()) {
        return mcp::failed_result(over.error());
      }
    }
    if (call.context.progress) call.context.progress(done, 100, "");
  }
  return mcp::text_result("Done in three steps.");
}

Outcome<ToolResult> log_if_wanted(Call& call) {
  call.log(mcp::LogLevel::Info, "conformance", "Somebody asked for this.");
  return mcp::text_result("Logging evaluated");
}

Outcome<ToolResult> fail(Call&) {
  ToolResult result = mcp::text_result("This tool intentionally returns an error for testing");
  result.is_error = true;
  return result;
}

Outcome<ToolResult> repeat_region(Call& call) {
  const auto region = call.arguments.find("region");
  if (region == call.arguments.end()) return mcp::text_result("no region");
  if (!region->is_string()) {
    return mcp::failed_result({ErrorCode::InvalidArgument, "region: must be a string"});
  }
  return mcp::text_result("region " + region->get<std::string>());
}

/// Lets go of the connection, so that the client comes back for the result.
Outcome<ToolResult> hang_up(Call& call) {
  if (call.detach) call.detach();
  if (const Status over = pause(call, milliseconds(100)); !over.ok()) {
    return mcp::failed_result(over.error());
  }
  return mcp::text_result("The client came back for this.");
}

/// Tells that a list has changed, though it has not.
Tool signalling(std::string name, std::string description, const std::shared_ptr<mcp::Hub>& hub,
                mcp::Event::Kind kind) {
  return tool(std::move(name), std::move(description), [hub, kind](Call&) -> Outcome<ToolResult> {
    hub->publish({kind});
    return mcp::text_result("Mutation triggered");
  });
}

Tool with_every_keyword() {
  Tool made = constant("json_schema_2020_12_tool", "Has a schema of every kind of keyword.",
                       Json::array({text_block("Called.")}));
  made.input_schema = Json::parse(kEveryKeyword);
  return made;
}

Tool with_header() {
  Tool made =
      tool("test_custom_header", "Has an argument that clients repeat in a header.", repeat_region);
  made.input_schema = object_schema({{"region", {{"type", "string"}, {"x-mcp-header", "Region"}}}});
  return made;
}

}  // namespace

std::vector<Tool> content_tools(const std::shared_ptr<mcp::Hub>& hub) {
  const Json audio{{"type", "audio"}, {"data", kSilence}, {"mimeType", "audio/wav"}};
  std::vector<Tool> tools{
      constant("test_simple_text", "Returns a text.",
               Json::array({text_block("This is a simple text response for testing.")})),
      constant("test_image_content", "Returns an image.", Json::array({image_block()})),
      constant("test_audio_content", "Returns a sound.", Json::array({audio})),
      constant("test_embedded_resource", "Returns a resource.",
               Json::array({resource_block("test://embedded-resource", "text/plain",
                                           "This is an embedded resource content.")})),
      constant("test_multiple_content_types", "Returns a text, an image and a resource.",
               Json::array({text_block("Multiple content types test:"), image_block(),
                            resource_block("test://mixed-content-resource", "application/json",
                                           R"({"test":"data","value":123})")})),
      tool("test_tool_with_logging", "Logs three messages on its way.", log_three_times),
      tool("test_tool_with_progress", "Tells of its progress three times.", report_progress),
      tool("test_error_handling", "Fails.", fail),
      tool("test_reconnection", "Hangs up before it is done.", hang_up),
      tool("test_logging_tool", "Logs a message if the client wants any.", log_if_wanted),
      signalling("test_trigger_tool_change", "Tells that the tools have changed.", hub,
                 mcp::Event::Kind::ToolsChanged),
      signalling("test_trigger_prompt_change", "Tells that the prompts have changed.", hub,
                 mcp::Event::Kind::PromptsChanged),
  };
  tools.push_back(with_every_keyword());
  tools.push_back(with_header());
  return tools;
}

}  // namespace quiver::conformance
