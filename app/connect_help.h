#pragma once

#include <string>
#include <vector>

namespace quiver::app {

/// How a client starts this program.
struct LaunchCommand {
  /// Absolute path of the running program.
  std::string program;
  /// Options beside the command `mcp`, such as --data.
  std::vector<std::string> options;
};

/// What a person pastes into a client to connect it: the URL of the running server, and for each
/// client the snippet that lets it start the program over stdio.
std::string connect_help(const std::string& url, const LaunchCommand& launch);

/// `text` as one word of a POSIX shell.
std::string shell_word(const std::string& text);

}  // namespace quiver::app
