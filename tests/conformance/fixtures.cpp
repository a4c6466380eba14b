#include "fixtures.h"

#include <algorithm>
#include <iterator>
#include <thread>
#include <utility>

namespace quiver::conformance {

Json text_block(std::string_view text) {
  return {{"type", "text"}, {"text", text}};
}

Json image_block() {
  return {{"type", "image"}, {"data", kPixel}, {"mimeType", "image/png"}};
}

Json resource_block(std::string_view uri, std::string_view mime_type, std::string_view text) {
  return {{"type", "resource"},
          {"resource", {{"uri", uri}, {"mimeType", mime_type}, {"text", text}}}};
}

Json object_schema(Json properties, std::vector<std::string> required) {
  Json schema{{"type", "object"}, {"properties", std::move(properties)}};
  if (!required.empty()) schema["required"] = std::move(required);
  return schema;
}

mcp::Tool tool(std::string name, std::string description,
               std::function<mcp::Outcome<mcp::ToolResult>(mcp::Call& call)> run) {
  mcp::Tool made;
  made.name = std::move(name);
  made.description = std::move(description);
  made.run = std::move(run);
  return made;
}

mcp::InputRequest elicitation(std::string key, std::string_view message, Json schema) {
  return {std::move(key),
          "elicitation/create",
          {{"message", message}, {"requestedSchema", std::move(schema)}}};
}

mcp::InputRequest sampling(std::string key, std::string_view prompt, int max_tokens) {
  const Json message{{"role", "user"}, {"content", text_block(prompt)}};
  return {std::move(key),
          "sampling/createMessage",
          {{"messages", Json::array({message})}, {"maxTokens", max_tokens}}};
}

mcp::InputRequest list_roots(std::string key) {
  return {std::move(key), "roots/list", Json::object()};
}

const Json* filled_in(const mcp::Call& call, const std::string& key, const std::string& field) {
  const auto given = call.inputs.responses.find(key);
  if (given == call.inputs.responses.end() || !given->second.is_object()) return nullptr;
  const Json& answer = given->second;
  const auto content = answer.find("content");
  if (answer.value("action", Json()) != "accept" || content == answer.end()) return nullptr;
  if (!content->is_object()) return nullptr;
  const auto value = content->find(field);
  return value != content->end() && value->is_primitive() && !value->is_null() ? &*value : nullptr;
}

Status pause(const mcp::Call& call, std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
    if (const Status over = call.context.check(); !over.ok()) return over.error();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return Done{};
}

mcp::Offer offer() {
  mcp::Offer all;
  all.hub = std::make_shared<mcp::Hub>();
  all.about = {.name = "quiver-conformance",
               .title = "Quiver conformance fixtures",
               .version = QV_VERSION,
               .description = "What the MCP conformance suite calls.",
               .instructions = ""};
  for (auto tools : {content_tools(all.hub), asking_tools(), task_tools()}) {
    std::move(tools.begin(), tools.end(), std::back_inserter(all.tools));
  }
  std::sort(all.tools.begin(), all.tools.end(),
            [](const auto& one, const auto& other) { return one.name < other.name; });
  all.prompts = prompts();
  all.resources = resources();
  all.complete = complete;
  return all;
}

}  // namespace quiver::conformance
