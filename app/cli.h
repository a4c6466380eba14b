#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "app/importer.h"

namespace quiver::app {

/// What the program returns to the shell.
enum class ExitCode : int { Ok = 0, Failed = 1, Usage = 2 };

enum class Command { Serve, Mcp, Import, Export, Doctor, Dev, ClusterInit, Version };

/// The command line, understood.
struct CommandLine {
  Command command = Command::Version;
  std::optional<std::filesystem::path> config_file;
  /// Key and value; see ConfigSources::flags.
  std::vector<std::pair<std::string, std::string>> settings;
  bool has_log_level = false;
  /// Results for programs rather than people.
  bool json = false;

  std::vector<std::filesystem::path> import_paths;
  ImportOptions import;

  std::string export_collection = "memory";
  bool export_vectors = false;

  /// See Options::restore_map.
  bool restore_map = false;

  /// Servers of `quiver dev`.
  std::uint32_t dev_nodes = 3;
};

/// The program ends at once: with help for stdout, or with what is wrong for stderr.
struct CliExit {
  ExitCode code = ExitCode::Ok;
  std::string out;
  std::string error;
};

/// Writes nothing. `arguments` without the program's name.
std::variant<CommandLine, CliExit> parse_command_line(std::vector<std::string> arguments);

}  // namespace quiver::app
