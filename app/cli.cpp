#include "app/cli.h"

#include <algorithm>
#include <map>
#include <sstream>

#include <CLI/CLI.hpp>

namespace quiver::app {
namespace {

constexpr const char* kFooter =
    "Options of every command: --config FILE, --data DIR, --log-level LEVEL, --set KEY=VALUE.";

/// The texts that options are read into before they become settings.
struct Raw {
  std::string config;
  std::string data;
  std::string log_level;
  std::vector<std::string> sets;
  std::string host;
  std::string port;
  /// Empty is a choice too, and refused as one.
  std::optional<std::string> toolsets;
  bool read_only = false;
  std::string source_name;
  std::string embedder;
  bool version = false;
};

void add_global_options(CLI::App& app, Raw& raw) {
  app.add_option("--config", raw.config, "Configuration file; config.yml lists all keys")
      ->type_name("FILE");
  app.add_option("--data", raw.data, "Directory of all data")->type_name("DIR");
  app.add_option("--log-level", raw.log_level, "trace, debug, info, warn, error or off")
      ->type_name("LEVEL");
  app.add_option("--set", raw.sets, "Set any key of the configuration; may be repeated")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all();
  app.add_flag("--version", raw.version, "Name and version");
}

void add_import(CLI::App& app, CommandLine& line, Raw& raw) {
  auto* import = app.add_subcommand(
      "import", "Store text and Markdown files or folders, or JSONL; a second run changes nothing");
  // Not required(): CLI11 would complain of that before it names an option that it does not know.
  import->add_option("PATH", line.import_paths, "Files and folders; at least one");
  import->add_option("--collection", line.import.collection, "Where to store")
      ->type_name("NAME")
      ->capture_default_str();
  const std::map<std::string, ImportFormat> formats{
      {"auto", ImportFormat::Auto}, {"jsonl", ImportFormat::Jsonl}, {"text", ImportFormat::Text}};
  import
      ->add_option("--format", line.import.format,
                   "auto: JSONL by the ending .jsonl or .ndjson, else text")
      ->transform(CLI::Transformer(formats).description("auto, jsonl or text"))
      ->type_name("FORMAT");
  import
      ->add_option("--source", raw.source_name,
                   "Name of the folder or files as a source, so that they may move")
      ->type_name("NAME");
  import
      ->add_option("--chunk-bytes", line.import.chunk_bytes,
                   "Largest piece that a text is cut into")
      ->check(CLI::Range(200, 16'000))
      ->type_name("BYTES")
      ->capture_default_str();
  import->add_flag("--skip-bad", line.import.skip_bad,
                   "Leave out bad lines and files instead of importing nothing");
  auto* create =
      import->add_flag("--create", line.import.create, "Make the collection if it is not there");
  import
      ->add_option("--embedder", raw.embedder,
                   "What a collection that is made embeds texts with; needed for an export with "
                   "vectors to be searched by text again")
      ->type_name("NAME")
      ->needs(create);
  import->add_flag("--json", line.json, "Print the counts as JSON to stdout");
  import->footer(kFooter);
}

void add_export(CLI::App& app, CommandLine& line) {
  auto* command =
      app.add_subcommand("export", "Print a collection as JSONL, which import reads again");
  command->add_option("--collection", line.export_collection, "What to print")
      ->type_name("NAME")
      ->capture_default_str();
  command->add_flag("--vectors", line.export_vectors,
                    "With the vectors, so that nothing is embedded again");
  command->footer(kFooter);
}

void add_offer_options(CLI::App& command, Raw& raw) {
  command
      .add_option_function<std::string>(
          "--toolsets", [&raw](const std::string& text) { raw.toolsets = text; },
          "Groups of tools to offer: memory, collection, vector, cluster; by commas")
      ->type_name("LIST");
  command.add_flag("--read-only", raw.read_only, "Offer no tool that writes, and refuse writes");
  command.footer(kFooter);
}

void add_commands(CLI::App& app, CommandLine& line, Raw& raw) {
  auto* serve = app.add_subcommand("serve", "Serve MCP over HTTP, at POST /mcp");
  serve->add_option("--host", raw.host, "Address to listen at")->type_name("ADDRESS");
  serve->add_option("--port", raw.port, "Port to listen at; 0: any free one")->type_name("PORT");
  add_offer_options(*serve, raw);
  serve->add_flag("--restore-map", line.restore_map,
                  "Where etcd was restored from an older snapshot: give it the map of the cluster "
                  "on this server's disk, which must be the newest of all servers");
  add_offer_options(
      *app.add_subcommand("mcp",
                          "Serve MCP over stdin and stdout, for a client that starts programs"),
      raw);
  add_import(app, line, raw);
  add_export(app, line);
  auto* doctor = app.add_subcommand(
      "doctor", "Check data, model, processor, port and configuration; say what to do");
  doctor->add_flag("--json", line.json, "Print the findings as JSON");
  doctor->footer(kFooter);
  auto* dev = app.add_subcommand(
      "dev", "Run a cluster on this machine, with its etcd, until Ctrl-C; --data is its directory");
  dev->add_option("--nodes", line.dev_nodes, "Servers")
      ->check(CLI::Range(1, 9))
      ->type_name("N")
      ->capture_default_str();
  dev->footer(kFooter);
  auto* cluster = app.add_subcommand("cluster", "What is done to a cluster from outside");
  cluster->require_subcommand(1);
  auto* init = cluster->add_subcommand(
      "init", "Make a server that was alone, with its data, the first of the configured cluster");
  init->footer(kFooter);
  auto* version = app.add_subcommand("version", "Name and version");
  version->add_flag("--json", line.json, "Print them as JSON");
  version->footer(kFooter);
}

Command chosen(const CLI::App& app) {
  const std::map<std::string, Command> commands{
      {"serve", Command::Serve},   {"mcp", Command::Mcp},
      {"import", Command::Import}, {"export", Command::Export},
      {"doctor", Command::Doctor}, {"version", Command::Version},
      {"dev", Command::Dev},       {"cluster", Command::ClusterInit}};
  const auto parsed = app.get_subcommands();
  return parsed.empty() ? Command::Version : commands.at(parsed.front()->get_name());
}

CliExit usage(const std::string& problem) {
  return {ExitCode::Usage, "", "quiver: " + problem + "\nRun quiver --help for help.\n"};
}

/// Into settings; nullopt if all is well.
std::optional<CliExit> take(const Raw& raw, CommandLine& line) {
  if (!raw.config.empty()) line.config_file = raw.config;
  for (const auto& set : raw.sets) {
    const auto equals = set.find('=');
    if (equals == std::string::npos || equals == 0) {
      return usage("--set: expected KEY=VALUE, got " + set);
    }
    line.settings.emplace_back(set.substr(0, equals), set.substr(equals + 1));
  }
  const std::vector<std::pair<std::string, std::string>> flags{{"data_dir", raw.data},
                                                               {"log.level", raw.log_level},
                                                               {"server.host", raw.host},
                                                               {"server.port", raw.port}};
  for (const auto& [key, value] : flags) {
    if (!value.empty()) line.settings.emplace_back(key, value);
  }
  if (raw.toolsets) line.settings.emplace_back("mcp.toolsets", *raw.toolsets);
  if (raw.read_only) line.settings.emplace_back("mcp.read_only", "true");
  line.has_log_level = std::any_of(line.settings.begin(), line.settings.end(),
                                   [](const auto& s) { return s.first == "log.level"; });
  if (!raw.embedder.empty()) line.import.embedder = raw.embedder;
  if (!raw.source_name.empty()) line.import.source_name = raw.source_name;
  return std::nullopt;
}

}  // namespace

std::variant<CommandLine, CliExit> parse_command_line(std::vector<std::string> arguments) {
  CommandLine line;
  Raw raw;
  CLI::App app("A vector server for agents, over MCP.", "quiver");
  app.fallthrough();
  app.require_subcommand(0, 1);
  add_global_options(app, raw);
  add_commands(app, line, raw);
  try {
    // CLI11 takes them from the back.
    std::reverse(arguments.begin(), arguments.end());
    app.parse(std::move(arguments));
    if (app.get_subcommands().empty() && !raw.version) {
      return CliExit{ExitCode::Usage, "", "quiver: a command is required\n" + app.help()};
    }
  } catch (const CLI::Success& help) {
    std::ostringstream out;
    app.exit(help, out, out);
    return CliExit{ExitCode::Ok, out.str(), ""};
  } catch (const CLI::Error& problem) {
    return usage(problem.what());
  }
  line.command = raw.version ? Command::Version : chosen(app);
  if (line.command == Command::Import && line.import_paths.empty()) {
    return usage("import: name at least one PATH, a file or a folder");
  }
  if (auto problem = take(raw, line)) return std::move(*problem);
  return line;
}

}  // namespace quiver::app
