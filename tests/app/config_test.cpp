// Configuration as a user meets it: files on disk, an environment, flags. Values are compared with
// those written in the test, messages with what a person needs to mend the problem.

#include "app/config.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include <catch2/catch.hpp>
#include <unistd.h>

#include "app/config_keys.h"
#include "app/logging.h"
#include "tests/support/temp_dir.h"

namespace quiver::app {
namespace {

namespace fs = std::filesystem;
using Catch::Matchers::Contains;

const Environment kHome{{"HOME", "/home/ada"}};

Result<Options> load(const fs::path& file, const Environment& environment = kHome) {
  return load_options({file, environment, {}});
}

std::string message(const Result<Options>& result) {
  REQUIRE_FALSE(result.ok());
  return result.error().message;
}

TEST_CASE("config: without any source every key has its default", "[app][config]") {
  const auto options = load_options({{}, kHome, {}});
  REQUIRE(options.ok());
  CHECK(options->data_dir == "/home/ada/.local/share/quiver");
  CHECK(options->server.port == 7600);
  CHECK(options->server.host == "127.0.0.1");
  CHECK(options->storage.block_cache_bytes == storage::Options{}.block_cache_bytes);
  CHECK(options->embedding.default_provider == embedding::Options{}.default_provider);
}

TEST_CASE("config: the data directory follows XDG, but ignores a relative one", "[app][config]") {
  CHECK(load_options({{}, {{"HOME", "/h"}, {"XDG_DATA_HOME", "/x"}}, {}})->data_dir == "/x/quiver");
  CHECK(load_options({{}, {{"HOME", "/h"}, {"XDG_DATA_HOME", "x"}}, {}})->data_dir ==
        "/h/.local/share/quiver");
  CHECK_THAT(message(load_options({{}, {}, {}})), Contains("--data"));
}

TEST_CASE("config: file < environment < flag", "[app][config]") {
  const TempDir dir;
  const auto file = dir.write("q.yml", "server:\n  port: 1001\n  host: a\nlog:\n  level: warn\n");
  Environment environment = kHome;
  environment["QV_SERVER_PORT"] = "1002";
  environment["QV_SERVER_HOST"] = "b";
  const auto options = load_options({file, environment, {{"server.port", "1003"}}});
  REQUIRE(options.ok());
  CHECK(options->server.port == 1003);
  CHECK(options->server.host == "b");
  CHECK(options->log.level == "warn");
}

TEST_CASE("config: QV_CONFIG names a file, and --config wins over it", "[app][config]") {
  const TempDir dir;
  Environment environment = kHome;
  environment["QV_CONFIG"] = dir.write("env.yml", "server: {port: 1}\n").string();
  CHECK(load_options({{}, environment, {}})->server.port == 1);
  const auto file = dir.write("flag.yml", "server: {port: 2}\n");
  CHECK(load_options({file, environment, {}})->server.port == 2);
}

TEST_CASE("config: units are converted", "[app][config]") {
  const TempDir dir;
  const auto file = dir.write("q.yml",
                              "storage:\n  block_cache_mb: 3\nembedding:\n  cache_mb: 0\n"
                              "server:\n  max_message_mb: 2\n");
  const auto options = load(file);
  REQUIRE(options.ok());
  CHECK(options->storage.block_cache_bytes == 3U * 1048576U);
  CHECK(options->embedding.cache_bytes == 0);
  CHECK(options->server.message_bytes_max == 2U * 1048576U);
}

TEST_CASE("config: lists come as YAML lists or separated by commas", "[app][config]") {
  const TempDir dir;
  const auto file = dir.write("q.yml", "server:\n  allowed_hosts: [a.example, b.example]\n");
  using Texts = std::vector<std::string>;
  CHECK(load(file)->server.allowed_hosts == Texts{"a.example", "b.example"});
  Environment environment = kHome;
  environment["QV_SERVER_ALLOWED_HOSTS"] = "c.example,d.example";
  CHECK(load(file, environment)->server.allowed_hosts == Texts{"c.example", "d.example"});
  environment["QV_SERVER_ALLOWED_HOSTS"] = "";
  CHECK(load(file, environment)->server.allowed_hosts.empty());
  environment["QV_SERVER_ALLOWED_HOSTS"] = "c.example,";
  CHECK_THAT(message(load(file, environment)), Contains("a list of host names"));
}

TEST_CASE("config: paths know ~ and the folder of their file", "[app][config]") {
  const TempDir dir;
  const auto file = dir.write("q.yml", "data_dir: here/data\nembedding:\n  model_dir: ~/m\n");
  const auto options = load(file);
  REQUIRE(options.ok());
  CHECK(options->data_dir == (dir.path() / "here/data").string());
  CHECK(options->embedding.model_dir == "/home/ada/m");
  CHECK(load_options({{}, kHome, {{"data_dir", "~/d"}}})->data_dir == "/home/ada/d");
  CHECK(load_options({{}, kHome, {{"data_dir", "rel/d"}}})->data_dir == "rel/d");
}

TEST_CASE("config: an unknown key names its line and what is near", "[app][config]") {
  const TempDir dir;
  const auto file = dir.write("q.yml", "log:\n  level: info\nstorage:\n  block_cash_mb: 3\n");
  const auto text = message(load(file));
  CHECK_THAT(text, Contains("q.yml:4: unknown key storage.block_cash_mb"));
  CHECK_THAT(text, Contains("did you mean storage.block_cache_mb?"));

  CHECK_THAT(message(load(dir.write("r.yml", "zzzzzzzzzzzzzzz: 1\n"))),
             Contains("config.yml lists all keys"));
  Environment environment = kHome;
  environment["QV_SERVER_PROT"] = "1";
  CHECK_THAT(message(load_options({{}, environment, {}})), Contains("did you mean QV_SERVER_PORT"));
  CHECK_THAT(message(load_options({{}, kHome, {{"server.prt", "1"}}})),
             Contains("did you mean server.port"));
}

TEST_CASE("config: every problem is reported at once", "[app][config]") {
  const TempDir dir;
  Environment environment = kHome;
  environment["QV_LOG_LEVEL"] = "loud";
  const auto file = dir.write("q.yml", "server:\n  port: 70000\n  hast: x\n");
  const auto text = message(load(file, environment));
  CHECK_THAT(text, Contains("q.yml:2: server.port: expected an integer between 0 and 65535, "
                            "got \"70000\""));
  CHECK_THAT(text, Contains("q.yml:3: unknown key server.hast"));
  CHECK_THAT(text, Contains("QV_LOG_LEVEL: expected one of trace, debug, info, warn, error, off"));
}

TEST_CASE("config: nothing is coerced", "[app][config]") {
  const TempDir dir;
  const auto port = GENERATE(as<std::string>{}, "\"7600\"", "76.0", "-1", "0x1f", "7600 ", "[1]",
                             "", "~", "{a: 1}", "70000", "99999999999999999999", "yes");
  INFO(port);
  const bool unquoted_blank = port == "7600 ";
  const auto result = load(dir.write("q.yml", "server:\n  port: " + port + "\n"));
  CHECK(result.ok() == unquoted_blank);  // YAML itself trims a plain value.
  CHECK_FALSE(load_options({{}, kHome, {{"server.port", unquoted_blank ? port : "7e3"}}}).ok());
  CHECK_FALSE(load(dir.write("r.yml", "log:\n  level: [info]\n")).ok());
  CHECK_FALSE(load(dir.write("r.yml", "server:\n  host: [a]\n")).ok());
  CHECK_FALSE(load(dir.write("r.yml", "server:\n  allowed_hosts: a\n")).ok());
}

TEST_CASE("config: the bounds themselves are allowed, one beyond is not", "[app][config]") {
  const auto set = [](const std::string& key, const std::string& value) {
    return load_options({{}, kHome, {{key, value}}}).ok();
  };
  CHECK(set("server.max_message_mb", "1"));
  CHECK(set("server.max_message_mb", "64"));
  CHECK_FALSE(set("server.max_message_mb", "0"));
  CHECK_FALSE(set("server.max_message_mb", "65"));
  CHECK(set("storage.rebuild_dead_percent", "100"));
  CHECK_FALSE(set("storage.rebuild_dead_percent", "101"));
  CHECK(set("server.port", "0"));
  CHECK(set("server.port", "65535"));
}

TEST_CASE("config: tools are chosen by set, by access and by name", "[app][config]") {
  const TempDir dir;
  using service::Toolset;
  const auto file = dir.write("q.yml",
                              "mcp:\n"
                              "  toolsets: [memory, vector]\n"
                              "  read_only: true\n"
                              "  result_kb: 16\n"
                              "  tools:\n"
                              "    memory_search: {description: Find it.}\n"
                              "    collection_list: {enabled: true}\n"
                              "    memory_delete:\n"
                              "      enabled: false\n");
  auto options = load(file);
  REQUIRE(options.ok());
  const auto& selection = options->mcp.selection;
  CHECK(selection.toolsets == std::vector<Toolset>{Toolset::Memory, Toolset::Vector});
  CHECK(selection.read_only);
  CHECK(options->mcp.result_bytes == 16384);
  CHECK(selection.tools.size() == 3);
  CHECK(selection.tools.at("memory_search").description == "Find it.");
  CHECK_FALSE(selection.tools.at("memory_search").enabled.has_value());
  CHECK(selection.tools.at("collection_list").enabled == true);
  CHECK(selection.tools.at("memory_delete").enabled == false);

  Environment environment = kHome;
  environment["QV_MCP_TOOLSETS"] = "cluster";
  environment["QV_MCP_READ_ONLY"] = "false";
  environment["QV_MCP_TOOLS_MEMORY_DELETE_ENABLED"] = "true";
  options = load(file, environment);
  REQUIRE(options.ok());
  CHECK(options->mcp.selection.toolsets == std::vector<Toolset>{Toolset::Cluster});
  CHECK_FALSE(options->mcp.selection.read_only);
  CHECK(options->mcp.selection.tools.at("memory_delete").enabled == true);
}

TEST_CASE("config: a flag may show its list in brackets, as a file does", "[app][config]") {
  const auto with = [](const std::string& key, const std::string& value) {
    return load_options({{}, kHome, {{key, value}}});
  };
  using List = std::vector<std::string>;
  for (const char* text :
       {"https://a.example,https://b.example", R"(["https://a.example","https://b.example"])",
        "[ 'https://a.example', https://b.example ]"}) {
    const auto options = with("server.allowed_origins", text);
    REQUIRE(options.ok());
    CHECK(options->server.allowed_origins == List{"https://a.example", "https://b.example"});
  }
  CHECK(with("server.allowed_origins", "[]")->server.allowed_origins.empty());
  CHECK_FALSE(with("server.allowed_origins", "[\"\"]").ok());
  CHECK_FALSE(with("server.allowed_origins", "[a,]").ok());
  for (const char* none : {"", "[]", "[ ]"}) {
    CHECK_THAT(message(with("mcp.toolsets", none)), Contains("at least one, got an empty list"));
  }
}

TEST_CASE("config: who may call is named in a form that a request can have", "[app][config]") {
  const auto with = [](const std::string& key, const std::string& value) {
    return load_options({{}, kHome, {{key, value}}});
  };
  using List = std::vector<std::string>;
  const std::string hosts = "server.allowed_hosts";
  for (const char* host :
       {"db.lan", "DB.lan:7600", "10.0.0.1", "[2001:db8::1]", "[::1]:80", "a_b"}) {
    INFO(host);
    const auto options = with(hosts, host);
    REQUIRE(options.ok());
    CHECK(options->server.allowed_hosts == List{host});
  }
  CHECK(with(hosts, "[\"[2001:db8::1]\", db.lan]")->server.allowed_hosts ==
        List{"[2001:db8::1]", "db.lan"});
  CHECK(with(hosts, "a.lan, b.lan")->server.allowed_hosts == List{"a.lan", "b.lan"});
  CHECK(with(hosts, "[10.0.0.1:80]")->server.allowed_hosts == List{"10.0.0.1:80"});
  for (const char* host : {"*", "*.x", "http://x", "x/", "x:y", "x:70000", "2001:db8::1", "a b"}) {
    INFO(host);
    CHECK_THAT(message(with(hosts, host)),
               Contains("a list of host names, such as") && Contains(std::string("got \"") + host));
  }
  const std::string origins = "server.allowed_origins";
  for (const char* origin : {"https://a.example", "http://a.example:8080", "HTTPS://A.example",
                             "vscode-webview://abc", "http://[2001:db8::1]:81"}) {
    INFO(origin);
    CHECK(with(origins, origin).ok());
  }
  for (const char* origin : {"*", "null", "https://a.example/", "a.example", "https://*.example",
                             "https://a.example:443", "http://a.example:80", "://a", "https://"}) {
    INFO(origin);
    CHECK_THAT(message(with(origins, origin)), Contains("a list of origins, such as"));
  }
}

TEST_CASE("config: choices of tools that are mistyped are named", "[app][config]") {
  const auto with = [](const std::string& key, const std::string& value) {
    return load_options({{}, kHome, {{key, value}}});
  };
  CHECK_THAT(message(with("mcp.toolsets", "memory,Vector")), Contains("got \"Vector\" in it"));
  CHECK(with("mcp.toolsets", "memory, vector").ok());
  CHECK_THAT(
      message(with("mcp.tools", "{memory_delete: {enabled: false}}")),
      Contains("outside of a file set mcp.tools.NAME.enabled or mcp.tools.NAME.description"));
  CHECK(with("mcp.tools.memory_delete.enabled", "false").ok());
}

TEST_CASE("config: choices of tools that make no sense are told what would", "[app][config]") {
  const TempDir dir;
  const auto refused = [&](const std::string& mcp) {
    return message(load(dir.write("q.yml", "mcp:\n  " + mcp + "\n")));
  };
  for (const char* toolsets : {"[]", "memory", "[memory, memories]", "[Memory]", "[\"\"]"}) {
    CHECK_THAT(
        refused(std::string("toolsets: ") + toolsets),
        Contains("expected a list of memory, collection, vector, cluster, recovery; at least one"));
  }
  for (const char* flag : {"yes", "1", "\"true\"", "True", "[true]"}) {
    CHECK_THAT(refused(std::string("read_only: ") + flag), Contains("expected true or false"));
  }
  CHECK_THAT(refused("result_kb: 49"), Contains("an integer between 4 and 48 (KiB)"));
  CHECK_THAT(refused("tools: {memory_serch: {enabled: true}}"),
             Contains("q.yml:2: unknown key mcp.tools.memory_serch.enabled; did you mean "
                      "mcp.tools.memory_search.enabled?"));
  CHECK_THAT(refused("tools: {memory_search: {on: true}}"),
             Contains("unknown key mcp.tools.memory_search.on"));
  CHECK_THAT(refused("tools: {memory_search: {description: \"\"}}"),
             Contains("a text of 1 to 2048 bytes"));
  CHECK_THAT(refused("tools: {memory_search: {enabled: maybe}}"), Contains("true or false"));
  CHECK_THAT(refused("tools: memory"), Contains("expected by name: enabled (true or false)"));
  CHECK_THAT(refused("tools: [memory]"), Contains("expected by name: enabled (true or false)"));
}

TEST_CASE("config: every key shows a value that it takes", "[app][config]") {
  for (const auto& key : config_keys()) {
    INFO(key.name);
    CHECK_FALSE(key.domain.empty());
    CHECK_FALSE(key.show(Options{}).empty());
  }
}

TEST_CASE("config: a damaged file says where", "[app][config]") {
  const TempDir dir;
  CHECK_THAT(message(load(dir.path() / "absent.yml")), Contains("absent.yml does not exist"));
  CHECK_THAT(message(load(dir.path())), Contains("is not a file"));
  CHECK_THAT(message(load(dir.write("a.yml", "log: {level: info\n"))), Contains("a.yml:"));
  CHECK_THAT(message(load(dir.write("a.yml", "- a\n- b\n"))), Contains("`key: value` lines"));
  CHECK_THAT(message(load(dir.write("a.yml", "log: {level: info}\n---\nlog: {level: info}\n"))),
             Contains("one YAML document"));
  CHECK_THAT(message(load(dir.write("a.yml", "log:\n  level: info\n  level: warn\n"))),
             Contains("a.yml:3: log.level is set again; it is set in line 2"));
  CHECK_THAT(message(load(dir.write("a.yml", "? [a, b]\n: 1\n"))), Contains("a plain word"));
  CHECK_THAT(message(load(dir.write("a.yml", "server: {allowed_hosts: [[a]]}\n"))),
             Contains("list of plain values"));
  CHECK_THAT(message(load(dir.write("a.yml", std::string((1 << 20) + 1, '#')))),
             Contains("larger than 1 MiB"));
  std::string deep;
  for (std::size_t i = 0; i < 20; ++i) deep += std::string(i, ' ') + "a:\n";
  CHECK_THAT(message(load(dir.write("a.yml", deep + std::string(20, ' ') + "b: 1\n"))),
             Contains("nested too deeply"));
  CHECK(load(dir.write("a.yml", "")).ok());
  CHECK(load(dir.write("a.yml", "# nothing\n")).ok());
}

TEST_CASE("config: config.yml is what the keys render to, and reads back as the defaults",
          "[app][config]") {
  std::ifstream stream(fs::path(QV_SOURCE_DIR) / "config.yml");
  std::stringstream committed;
  committed << stream.rdbuf();
  CHECK(committed.str() == render_config(Options{}));

  const auto options = load(fs::path(QV_SOURCE_DIR) / "config.yml");
  REQUIRE(options.ok());
  Options expected;
  expected.data_dir = "/home/ada/.local/share/quiver";
  CHECK(render_config(*options) == render_config(expected));
}

TEST_CASE("config: a server of a cluster", "[app][config]") {
  const TempDir dir;
  const auto token = dir.write("token", "a token of the tests\n");
  const auto file = dir.write("q.yml",
                              "server: {host: 10.0.0.1}\n"
                              "cluster:\n  coordination: managed\n  name: pond\n"
                              "  token_file: token\n  host: 10.0.0.1\n  zone: a\n  weight: 3\n"
                              "  nodes: ['10.0.0.1:7700', '10.0.0.2:7700', '10.0.0.3:7700']\n");
  const auto options = load(file);
  REQUIRE(options.ok());
  const auto& cluster = options->cluster;
  CHECK(cluster.is_managed());
  CHECK(cluster.is_first_member());
  CHECK(cluster.name == "pond");
  CHECK(cluster.token == "a token of the tests");
  CHECK(cluster.nodes.size() == 3);
  CHECK(cluster.zone == "a");
  CHECK(cluster.weight == 3);
  Environment environment = kHome;
  environment["QV_CLUSTER_TOKEN"] = "another token of them";
  CHECK(load(file, environment)->cluster.token == "another token of them");
}

TEST_CASE("config: what cannot be of a cluster is named, all of it", "[app][config]") {
  const TempDir dir;
  const auto problem = [&](const std::string& cluster, const std::string& more = "") {
    return message(load(dir.write("q.yml", more + "cluster: {" + cluster + "}\n")));
  };
  const auto even = problem("coordination: managed, nodes: ['h:1', 'h:2']", "server: {port: 0}\n");
  CHECK_THAT(even, Contains("cluster.nodes: an odd number"));
  CHECK_THAT(even, Contains("QV_CLUSTER_TOKEN"));
  CHECK_THAT(even, Contains("server.port"));
  CHECK_THAT(problem("coordination: etcd"), Contains("cluster.endpoints"));
  CHECK_THAT(problem("coordination: raft"), Contains("one of embedded, managed, etcd"));
  CHECK_THAT(problem("heartbeat: 5"), Contains("did you mean cluster.heartbeat_ms?"));
  CHECK_THAT(problem("tls: {cert: a}"), Contains("unknown key cluster.tls.cert"));
  CHECK_THAT(problem("token_file: nowhere"), Contains("nowhere cannot be read"));
  CHECK_THAT(problem("weight: 0"), Contains("between 1 and 1000"));
}

TEST_CASE("config: keys of a cluster that nobody would read are refused", "[app][config]") {
  const TempDir dir;
  Environment environment = kHome;
  const auto lone = message(load(dir.write("q.yml", "cluster: {nodes: ['h:1'], zone: a}\n")));
  CHECK_THAT(lone, Contains("cluster.nodes, cluster.zone: without effect") &&
                       Contains("cluster.coordination is embedded"));
  // What config.yml says by default may stay there.
  CHECK(load(dir.write("q.yml", "cluster: {coordination: embedded, weight: 1, zone: ''}\n")).ok());
  CHECK_FALSE(load(dir.write("q.yml", "cluster: {heartbeat_ms: 200}\n")).ok());
  environment["QV_CLUSTER_TOKEN"] = "a token of the tests";
  CHECK_THAT(message(load_options({{}, environment, {}})), Contains("cluster.token: without"));

  environment = kHome;
  environment["QV_CLUSTER_HEARTBEAT_MS"] = "200";
  CHECK(load_options({{}, environment, {{"cluster.lease_s", "3"}}, true}).ok());
  environment["QV_CLUSTER_NAME"] = "pond";
  const auto dev = message(load_options({{}, environment, {{"cluster.tls.ca", "ca.pem"}}, true}));
  CHECK_THAT(dev, Contains("cluster.name, cluster.tls.ca: `quiver dev` decides"));
  CHECK_THAT(dev, !Contains("cluster.heartbeat_ms"));
}

TEST_CASE("config: secrets come by the environment alone", "[app][config]") {
  const TempDir dir;
  for (const char* key : {"token", "etcd_password"}) {
    const std::string name = std::string("cluster.") + key;
    const auto file = dir.write("q.yml", std::string("cluster: {") + key + ": abc}\n");
    CHECK_THAT(message(load(file)), Contains(name + ": a secret") && Contains("QV_CLUSTER_"));
    CHECK_THAT(message(load_options({{}, kHome, {{name, "abc"}}})), Contains("command line"));
  }
  Environment environment = kHome;
  environment["QV_CLUSTER_TOKEN"] = "a token of the tests";
  const auto options = load_options(
      {{},
       environment,
       {{"cluster.coordination", "etcd"}, {"cluster.endpoints", "http://127.0.0.1:2379"}}});
  REQUIRE(options.ok());
  CHECK_THAT(render_config(*options), !Contains("a token of the tests"));
}

TEST_CASE("config: names of keys and of variables are unambiguous", "[app][config]") {
  std::set<std::string> names;
  std::set<std::string> variables;
  for (const auto& key : config_keys()) {
    CHECK(names.insert(key.name).second);
    CHECK(variables.insert(key.env_name()).second);
    CHECK(key.env_name() != "QV_CONFIG");
    CHECK_FALSE(key.meaning.empty());
  }
}

TEST_CASE("config: the process environment is read, and no more of it than needed",
          "[app][config]") {
  ::setenv("QV_SERVER_PORT", "1234", 1);
  ::setenv("UNRELATED", "1", 1);
  const auto environment = process_environment();
  ::unsetenv("QV_SERVER_PORT");
  CHECK(environment.at("QV_SERVER_PORT") == "1234");
  CHECK(environment.count("UNRELATED") == 0);
}

TEST_CASE("logging: takes the levels of log.level and no others", "[app][config]") {
  CHECK(start_logging("off").ok());
  CHECK(start_logging("error").ok());
  CHECK_FALSE(start_logging("loud").ok());
}

}  // namespace
}  // namespace quiver::app
