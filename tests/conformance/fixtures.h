#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mcp/offer.h"

/// What the official MCP conformance suite expects to find in a server. Names, schemas and texts
/// are the suite's.
namespace quiver::conformance {

/// Content of every kind, progress, logging, failures, a schema with all keywords, changing
/// lists.
std::vector<mcp::Tool> content_tools(const std::shared_ptr<mcp::Hub>& hub);
/// Those that ask the client something.
std::vector<mcp::Tool> asking_tools();
/// Those whose calls may become tasks, and one that never does.
std::vector<mcp::Tool> task_tools();

std::vector<mcp::Prompt> prompts();
std::shared_ptr<mcp::Resources> resources();
Result<mcp::Completion> complete(mcp::Call& call, const mcp::CompletionQuery& query);

/// All of the above.
mcp::Offer offer();

/// A red pixel, as base64 of a PNG.
inline constexpr const char* kPixel =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z8AAAAMBAQD3A0FDAAAAAElFTkSuQmCC";

Json text_block(std::string_view text);
Json image_block();
Json resource_block(std::string_view uri, std::string_view mime_type, std::string_view text);

/// A JSON Schema of an object with these properties.
Json object_schema(Json properties, std::vector<std::string> required = {});

/// A tool that takes no arguments.
mcp::Tool tool(std::string name, std::string description,
               std::function<mcp::Outcome<mcp::ToolResult>(mcp::Call& call)> run);

/// Asks for what a form has, as elicitation/create.
mcp::InputRequest elicitation(std::string key, std::string_view message, Json schema);
/// Asks a model, as sampling/createMessage.
mcp::InputRequest sampling(std::string key, std::string_view prompt, int max_tokens);
mcp::InputRequest list_roots(std::string key);

/// An answer to an elicitation with what was filled in; null if it was not given, was declined or
/// has no string, number or boolean `field`.
const Json* filled_in(const mcp::Call& call, const std::string& key, const std::string& field);

/// Waits; errors as CallContext::check() has them.
Status pause(const mcp::Call& call, std::chrono::milliseconds time);

}  // namespace quiver::conformance
