// The command line as typed: what it means, and what of it is refused before anything happens.

#include "app/cli.h"

#include <string>
#include <variant>
#include <vector>

#include <catch2/catch.hpp>

#include "app/connect_help.h"
#include "app/progress_line.h"
#include "core/json.h"

namespace quiver::app {
namespace {

using Catch::Matchers::Contains;
using Words = std::vector<std::string>;

CommandLine parsed(const Words& words) {
  auto result = parse_command_line(words);
  if (const auto* exit = std::get_if<CliExit>(&result)) FAIL(exit->error);
  return std::get<CommandLine>(std::move(result));
}

CliExit ended(const Words& words) {
  auto result = parse_command_line(words);
  REQUIRE(std::holds_alternative<CliExit>(result));
  return std::get<CliExit>(std::move(result));
}

TEST_CASE("cli: each command is known", "[app][cli]") {
  CHECK(parsed({"serve"}).command == Command::Serve);
  CHECK_FALSE(parsed({"serve"}).restore_map);
  CHECK(parsed({"serve", "--restore-map"}).restore_map);
  CHECK(parsed({"mcp"}).command == Command::Mcp);
  CHECK(parsed({"import", "x"}).command == Command::Import);
  CHECK(parsed({"export"}).command == Command::Export);
  CHECK(parsed({"doctor"}).command == Command::Doctor);
  CHECK(parsed({"dev"}).command == Command::Dev);
  CHECK(parsed({"dev"}).dev_nodes == 3);
  CHECK(parsed({"dev", "--nodes", "9"}).dev_nodes == 9);
  CHECK(parsed({"cluster", "init"}).command == Command::ClusterInit);
  CHECK(parsed({"version"}).command == Command::Version);
  CHECK(parsed({"--version"}).command == Command::Version);
  CHECK(parsed({"version", "--json"}).json);
}

TEST_CASE("cli: global options stand before or after the command", "[app][cli]") {
  for (const auto& words : {Words{"--data", "/d", "--config", "c.yml", "mcp"},
                            Words{"mcp", "--data", "/d", "--config", "c.yml"}}) {
    const auto line = parsed(words);
    CHECK(line.config_file == "c.yml");
    REQUIRE(line.settings.size() == 1);
    CHECK(line.settings[0] == std::pair<std::string, std::string>("data_dir", "/d"));
    CHECK_FALSE(line.has_log_level);
  }
}

TEST_CASE("cli: flags become settings, the special ones after --set", "[app][cli]") {
  const auto line = parsed({"serve", "--port", "1", "--set", "server.port=2", "--set",
                            "server.host=a=b", "--host", "::1", "--log-level", "debug"});
  const std::vector<std::pair<std::string, std::string>> expected{{"server.port", "2"},
                                                                  {"server.host", "a=b"},
                                                                  {"log.level", "debug"},
                                                                  {"server.host", "::1"},
                                                                  {"server.port", "1"}};
  CHECK(line.settings == expected);
  CHECK(line.has_log_level);
  CHECK(parsed({"doctor", "--set", "log.level=info"}).has_log_level);
}

TEST_CASE("cli: what is offered is chosen for both ways to serve", "[app][cli]") {
  using Settings = std::vector<std::pair<std::string, std::string>>;
  for (const char* command : {"serve", "mcp"}) {
    CHECK(parsed({command, "--toolsets", "memory,vector", "--read-only"}).settings ==
          Settings{{"mcp.toolsets", "memory,vector"}, {"mcp.read_only", "true"}});
  }
  CHECK(parsed({"mcp"}).settings.empty());
  // None at all is refused with the setting, not taken for the default.
  CHECK(parsed({"mcp", "--toolsets", ""}).settings == Settings{{"mcp.toolsets", ""}});
  CHECK_THAT(ended({"import", "x", "--read-only"}).error, Contains("--read-only"));
}

TEST_CASE("cli: import takes paths and its options", "[app][cli]") {
  const auto line =
      parsed({"import", "a", "b", "--collection", "docs", "--format", "jsonl", "--source", "s",
              "--chunk-bytes", "500", "--skip-bad", "--create", "--embedder", "minilm", "--json"});
  CHECK(line.import_paths == std::vector<std::filesystem::path>{"a", "b"});
  CHECK(line.import.collection == "docs");
  CHECK(line.import.format == ImportFormat::Jsonl);
  CHECK(line.import.source_name == "s");
  CHECK(line.import.chunk_bytes == 500);
  CHECK((line.import.skip_bad && line.import.create && line.json));
  CHECK(line.import.embedder == "minilm");
  CHECK(parsed({"import", "a"}).import.collection == "memory");
  const auto exported = parsed({"export", "--collection", "docs", "--vectors"});
  CHECK(exported.export_collection == "docs");
  CHECK(exported.export_vectors);
}

TEST_CASE("cli: mistakes end with 2 and say what is wrong on stderr", "[app][cli]") {
  const auto [words, problem] = GENERATE(table<Words, std::string>({
      {{"fly"}, "fly"},
      {{"serve", "--fly"}, "--fly"},
      {{"mcp", "extra"}, "extra"},
      {{"import"}, "PATH"},
      {{"import", "--fly"}, "--fly"},
      {{"import", "a", "--format", "xml"}, "xml"},
      {{"import", "a", "--chunk-bytes", "1"}, "chunk-bytes"},
      {{"import", "a", "--embedder", "m"}, "create"},
      {{"mcp", "--data"}, "--data"},
      {{"mcp", "--set", "nothing"}, "KEY=VALUE"},
      {{"mcp", "--set", "=1"}, "KEY=VALUE"},
      {{"mcp", "serve"}, "serve"},
  }));
  const auto exit = ended(words);
  CHECK(exit.code == ExitCode::Usage);
  CHECK(exit.out.empty());
  CHECK_THAT(exit.error, Contains(problem));
}

TEST_CASE("cli: a cluster on this machine has one to nine servers", "[app][cli]") {
  for (const char* count : {"0", "10", "-1", "two", "2.5"}) {
    const auto exit = ended({"dev", "--nodes", count});
    CHECK(exit.code == ExitCode::Usage);
    CHECK_THAT(exit.error, Contains("--nodes"));
  }
  CHECK(ended({"cluster"}).code == ExitCode::Usage);
  CHECK(ended({"cluster", "leave"}).code == ExitCode::Usage);
}

TEST_CASE("cli: without a command there is help, and 2", "[app][cli]") {
  const auto exit = ended({});
  CHECK(exit.code == ExitCode::Usage);
  CHECK_THAT(exit.error, Contains("a command is required") && Contains("import"));
}

TEST_CASE("cli: there is help on every level, on stdout", "[app][cli]") {
  const auto top = ended({"--help"});
  CHECK(top.code == ExitCode::Ok);
  CHECK(top.error.empty());
  for (const std::string command : {"serve", "mcp", "import", "export", "doctor", "version"}) {
    CHECK_THAT(top.out, Contains(command));
    const auto help = ended({command, "--help"});
    CHECK(help.code == ExitCode::Ok);
    CHECK_THAT(help.out, Contains("--config FILE"));
  }
}

TEST_CASE("connect help: has the URL, the program and its options for each client", "[app][cli]") {
  const auto text =
      connect_help("http://127.0.0.1:7600/mcp", {"/opt/my apps/quiver", {"--data", "/tmp/it's"}});
  CHECK_THAT(text, Contains("http://127.0.0.1:7600/mcp"));
  CHECK_THAT(text, Contains("claude mcp add quiver -- '/opt/my apps/quiver' mcp --data "
                            "'/tmp/it'\\''s'"));
  for (const std::string client : {"Claude Desktop", "Claude Code", "Cursor", "VS Code"}) {
    CHECK_THAT(text, Contains(client));
  }
  // Each line that is a snippet is JSON that names the program.
  int snippets = 0;
  std::size_t start = 0;
  while ((start = text.find("    {", start)) != std::string::npos) {
    const auto end = text.find('\n', start);
    const Json json = Json::parse(text.substr(start, end - start));
    const Json& servers = json.contains("servers") ? json["servers"] : json["mcpServers"];
    CHECK(servers["quiver"]["command"] == "/opt/my apps/quiver");
    CHECK(servers["quiver"]["args"] == Json({"mcp", "--data", "/tmp/it's"}));
    ++snippets;
    start = end;
  }
  CHECK(snippets == 2);
}

TEST_CASE("shell words: what a shell would read otherwise is quoted", "[app][cli]") {
  CHECK(shell_word("/usr/bin/quiver") == "/usr/bin/quiver");
  CHECK(shell_word("") == "''");
  CHECK(shell_word("a b") == "'a b'");
  CHECK(shell_word("$HOME") == "'$HOME'");
  CHECK(shell_word("it's") == "'it'\\''s'");
}

TEST_CASE("progress: a bar from nothing to everything", "[app][cli]") {
  ImportCounts counts;
  counts.added = 5;
  counts.unchanged = 2;
  CHECK(progress_text(0, 100, counts) ==
        "[........................]   0%  5 added, 0 replaced, 2 unchanged, 0 removed");
  CHECK_THAT(progress_text(50, 100, counts), Contains("[############............]  50%"));
  CHECK_THAT(progress_text(100, 100, counts), Contains("[########################] 100%"));
  CHECK_THAT(progress_text(0, 0, counts), Contains("100%"));
  CHECK_THAT(progress_text(7, 5, counts), Contains("100%"));
}

}  // namespace
}  // namespace quiver::app
