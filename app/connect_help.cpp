#include "app/connect_help.h"

#include <string_view>

#include "core/json.h"

namespace quiver::app {
namespace {

std::string quoted(const std::string& text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// `"command": "/usr/bin/quiver", "args": ["mcp"]`
std::string command_members(const LaunchCommand& launch) {
  std::string out = "\"command\": " + quoted(launch.program) + ", \"args\": [\"mcp\"";
  for (const auto& option : launch.options) out += ", " + quoted(option);
  return out + "]";
}

}  // namespace

std::string shell_word(const std::string& text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=:@,";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string connect_help(const std::string& url, const LaunchCommand& launch) {
  const std::string members = command_members(launch);
  std::string words = shell_word(launch.program) + " mcp";
  for (const auto& option : launch.options) words += " " + shell_word(option);
  return "Quiver listens at " + url +
         "\n"
         "Connect over HTTP:\n"
         "  Claude Code     claude mcp add --transport http quiver " +
         url +
         "\n"
         "  Cursor          .cursor/mcp.json   { \"mcpServers\": { \"quiver\": { \"url\": " +
         quoted(url) +
         " } } }\n"
         "  VS Code         .vscode/mcp.json   { \"servers\": { \"quiver\": { \"type\": \"http\", "
         "\"url\": " +
         quoted(url) +
         " } } }\n"
         "Or let the client start it over stdio, on the same data:\n"
         "  Claude Desktop  claude_desktop_config.json, and\n"
         "  Cursor          .cursor/mcp.json\n"
         "    { \"mcpServers\": { \"quiver\": { " +
         members +
         " } } }\n"
         "  Claude Code     claude mcp add quiver -- " +
         words +
         "\n"
         "  VS Code         .vscode/mcp.json\n"
         "    { \"servers\": { \"quiver\": { \"type\": \"stdio\", " +
         members + " } } }\n";
}

}  // namespace quiver::app
