#include "app/config_keys.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

#include "core/http_access.h"
#include "core/json.h"
#include "core/text.h"
#include "service/registry.h"

namespace quiver::app {
namespace {

constexpr std::uint64_t kMebi = std::uint64_t{1} << 20;

Error wrong(const std::string& want, const Setting& got) {
  std::string shown = got.is_list         ? (got.items.empty() ? "an empty list" : "a list")
                      : got.items.empty() ? "nothing"
                                          : "";
  if (shown.empty()) {
    shown = Json(got.items.front()).dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  return {ErrorCode::InvalidArgument, "expected " + want + ", got " + shown};
}

std::string quoted(const std::string& text) {
  return Json(text).dump();
}

/// Bounds and unit of a number. One unit of the key is `scale` units of the member.
struct Range {
  std::uint64_t low;
  std::uint64_t high;
  std::string_view unit = "";
  std::uint64_t scale = 1;

  std::string words() const {
    return "an integer between " + std::to_string(low) + " and " + std::to_string(high) +
           (unit.empty() ? "" : " (" + std::string(unit) + ")");
  }
};

template <typename Member>
Key number(std::string name, Member member, const Range& range, std::string meaning) {
  using T = std::remove_reference_t<std::invoke_result_t<Member, Options&>>;
  const auto set = [member, range](Options& options, const Setting& setting) -> Status {
    if (setting.is_list || setting.is_quoted || setting.items.empty()) {
      return wrong(range.words(), setting);
    }
    const std::string& text = setting.items.front();
    std::uint64_t value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = problem == std::errc() && end == text.data() + text.size();
    if (!whole || value < range.low || value > range.high) return wrong(range.words(), setting);
    member(options) = static_cast<T>(value * range.scale);
    return Done{};
  };
  const auto show = [member, range](const Options& options) {
    return std::to_string(member(options) / range.scale);
  };
  return {std::move(name), std::move(meaning), range.words(), false, false, set, show};
}

template <typename Member>
Key text(std::string name, Member member, std::string domain, std::string meaning) {
  const auto set = [member, domain](Options& options, const Setting& setting) -> Status {
    if (setting.is_list || setting.items.empty()) return wrong(domain, setting);
    member(options) = setting.items.front();
    return Done{};
  };
  const auto show = [member](const Options& options) { return quoted(member(options)); };
  return {std::move(name), std::move(meaning), std::move(domain), false, false, set, show};
}

template <typename Member>
Key path(std::string name, Member member, std::string meaning) {
  Key key = text(std::move(name), member, "a path", std::move(meaning));
  key.is_path = true;
  return key;
}

template <typename Member>
Key choice(std::string name, Member member, std::vector<std::string> choices, std::string meaning) {
  std::string domain = "one of";
  for (const auto& word : choices) domain += (&word == &choices.front() ? " " : ", ") + word;
  Key key = text(std::move(name), member, domain, std::move(meaning));
  key.set = [member, domain, choices](Options& options, const Setting& setting) -> Status {
    const bool known = !setting.is_list && !setting.items.empty() &&
                       std::count(choices.begin(), choices.end(), setting.items.front()) == 1;
    if (!known) return wrong(domain, setting);
    member(options) = setting.items.front();
    return Done{};
  };
  return key;
}

constexpr const char* kFlagDomain = "true or false";

/// Errors: InvalidArgument for anything but true and false.
Result<bool> read_flag(const Setting& setting) {
  const bool plain = !setting.is_list && !setting.is_quoted && setting.items.size() == 1;
  if (plain && setting.items.front() == "true") return true;
  if (plain && setting.items.front() == "false") return false;
  return wrong(kFlagDomain, setting);
}

template <typename Member>
Key flag(std::string name, Member member, std::string meaning) {
  const auto set = [member](Options& options, const Setting& setting) -> Status {
    QV_TRY(member(options), read_flag(setting));
    return Done{};
  };
  const auto show = [member](const Options& options) {
    return std::string(member(options) ? "true" : "false");
  };
  return {std::move(name), std::move(meaning), kFlagDomain, false, false, set, show};
}

/// A list of which one item cannot be.
Error wrong_item(const std::string& want, const std::string& item) {
  return {ErrorCode::InvalidArgument, "expected " + want + ", got " + shown_text(item) + " in it"};
}

bool is_not_empty(std::string_view item) {
  return !item.empty();
}

template <typename Member>
Key list(std::string name, Member member, bool (*fits)(std::string_view), std::string domain,
         std::string meaning) {
  const auto set = [member, fits, domain](Options& options, const Setting& setting) -> Status {
    if (!setting.is_list) return wrong(domain, setting);
    for (const auto& item : setting.items) {
      if (!fits(item)) return wrong_item(domain, item);
    }
    member(options) = setting.items;
    return Done{};
  };
  const auto show = [member](const Options& options) {
    std::string out = "[";
    for (const auto& item : member(options)) out += (out.size() > 1 ? ", " : "") + quoted(item);
    return out + "]";
  };
  return {std::move(name), std::move(meaning), std::move(domain), false, true, set, show};
}

std::vector<Key> general_keys() {
  return {
      path(
          "data_dir", [](auto& o) -> auto& { return o.data_dir; },
          "Directory of all data. Empty: $XDG_DATA_HOME/quiver, else ~/.local/share/quiver."),
      choice(
          "log.level", [](auto& o) -> auto& { return o.log.level; },
          {"trace", "debug", "info", "warn", "error", "off"},
          "Least severe line that is written to stderr."),
  };
}

std::vector<Key> server_keys() {
  return {
      text(
          "server.host", [](auto& o) -> auto& { return o.server.host; }, "a name or an address",
          "Where `quiver serve` listens. Beyond the loopback everyone who reaches it may use it."),
      number(
          "server.port", [](auto& o) -> auto& { return o.server.port; }, {0, 65535},
          "TCP port of `quiver serve`. 0: any free one."),
      list(
          "server.allowed_hosts", [](auto& o) -> auto& { return o.server.allowed_hosts; },
          &is_host_entry, "a list of host names, such as [\"db.lan\", \"[2001:db8::1]\"]",
          "Host headers that are answered beside localhost, 127.0.0.1 and [::1]."),
      list(
          "server.allowed_origins", [](auto& o) -> auto& { return o.server.allowed_origins; },
          &is_origin_entry, "a list of origins, such as [\"https://example.org\"]",
          "Web pages that may call from a browser beside those of localhost."),
      number(
          "server.request_threads", [](auto& o) -> auto& { return o.server.request_threads; },
          {1, 1024}, "Requests that are carried out at the same time."),
      number(
          "server.request_queue", [](auto& o) -> auto& { return o.server.request_queue; },
          {1, 100'000}, "Requests that may wait for a thread; more are refused."),
      number(
          "server.connections", [](auto& o) -> auto& { return o.server.connections; }, {1, 65'536},
          "Clients that are connected at the same time; more are refused."),
      number(
          "server.call_timeout_s", [](auto& o) -> auto& { return o.server.call_timeout_s; },
          {1, 3600, "seconds"}, "A tool call that takes longer is given up."),
      number(
          "server.max_message_mb", [](auto& o) -> auto& { return o.server.message_bytes_max; },
          {1, limits::kMessageBytesMax / kMebi, "MiB", kMebi}, "Largest request."),
      number(
          "server.sessions", [](auto& o) -> auto& { return o.server.sessions; }, {1, 1'000'000},
          "Sessions of clients by HTTP; the longest idle ends to make room for another."),
      number(
          "server.session_idle_s", [](auto& o) -> auto& { return o.server.session_idle_s; },
          {1, 604'800, "seconds"}, "A session by HTTP that is not used for so long ends."),
      number(
          "server.event_log_mb", [](auto& o) -> auto& { return o.server.event_log_bytes; },
          {0, 4096, "MiB", kMebi},
          "Memory for messages that clients by HTTP may fetch after a broken connection."),
      flag(
          "server.legacy_sse", [](auto& o) -> auto& { return o.server.legacy_sse; },
          "Serve GET /sse and POST /messages to clients of before 2025-03-26 as well."),
  };
}

Key toolsets_key() {
  const std::string domain =
      "a list of memory, collection, vector, cluster, recovery; at least one";
  const auto set = [domain](Options& options, const Setting& setting) -> Status {
    std::vector<service::Toolset> chosen;
    for (const auto& item : setting.items) {
      const auto before = chosen.size();
      for (const auto& [toolset, name] : service::EnumNames<service::Toolset>::kNames) {
        if (item == name) chosen.push_back(toolset);
      }
      if (setting.is_list && chosen.size() == before) return wrong_item(domain, item);
    }
    if (chosen.empty() || !setting.is_list) return wrong(domain, setting);
    options.mcp.selection.toolsets = std::move(chosen);
    return Done{};
  };
  const auto show = [](const Options& options) {
    std::string out = "[";
    for (const auto toolset : options.mcp.selection.toolsets) {
      out += (out.size() > 1 ? ", " : "") + quoted(std::string(service::name_of(toolset)));
    }
    return out + "]";
  };
  return {"mcp.toolsets",
          "Groups of tools that clients are offered; each costs them context.",
          domain,
          false,
          true,
          set,
          show};
}

/// The keys of single tools stand below it; it has no value of its own.
Key tools_key() {
  const std::string domain =
      "by name: enabled (true or false), description (a text), as in "
      "{memory_delete: {enabled: false}}";
  return {"mcp.tools",
          "Single tools hidden, shown beyond the toolsets, or described in other words.",
          domain,
          false,
          false,
          [domain](Options&, const Setting& setting) -> Status {
            const Error error = wrong(domain, setting);
            return Error{error.code, error.message +
                                         "; outside of a file set mcp.tools.NAME.enabled or "
                                         "mcp.tools.NAME.description"};
          },
          [](const Options&) { return std::string("{}"); }};
}

void add_tool_keys(const std::string& tool, std::vector<Key>& keys) {
  Key enabled{"mcp.tools." + tool + ".enabled",
              "Whether clients are offered this tool.",
              kFlagDomain,
              false,
              false,
              [tool](Options& options, const Setting& setting) -> Status {
                QV_TRY(options.mcp.selection.tools[tool].enabled, read_flag(setting));
                return Done{};
              },
              [tool](const Options& options) {
                const auto& tools = options.mcp.selection.tools;
                const auto found = tools.find(tool);
                const bool is_off = found != tools.end() && found->second.enabled == false;
                return std::string(is_off ? "false" : "true");
              },
              false};
  const std::string words =
      "a text of 1 to " + std::to_string(service::kToolDescriptionBytesMax) + " bytes";
  Key description{"mcp.tools." + tool + ".description",
                  "What clients are told of this tool.",
                  words,
                  false,
                  false,
                  [tool, words](Options& options, const Setting& setting) -> Status {
                    const bool is_one = !setting.is_list && setting.items.size() == 1;
                    const std::size_t size = is_one ? setting.items.front().size() : 0;
                    if (size == 0 || size > service::kToolDescriptionBytesMax) {
                      return wrong(words, setting);
                    }
                    options.mcp.selection.tools[tool].description = setting.items.front();
                    return Done{};
                  },
                  [tool](const Options& options) {
                    const auto& tools = options.mcp.selection.tools;
                    const auto found = tools.find(tool);
                    if (found == tools.end()) return quoted("");
                    return quoted(found->second.description.value_or(""));
                  },
                  false};
  keys.push_back(std::move(enabled));
  keys.push_back(std::move(description));
}

std::vector<Key> mcp_keys() {
  std::vector<Key> keys{
      toolsets_key(),
      flag(
          "mcp.read_only", [](auto& o) -> auto& { return o.mcp.selection.read_only; },
          "Hides every tool that writes, and refuses writes by any other way in."),
      number(
          "mcp.result_kb", [](auto& o) -> auto& { return o.mcp.result_bytes; },
          {service::kReplyBytesMin >> 10, service::kReplyBytesMax >> 10, "KiB", 1024},
          "Most that one result may have; what is left out is said, and how to read on."),
      tools_key(),
  };
  const service::Registry all = service::catalogue();
  for (const auto& operation : all.operations()) add_tool_keys(operation.name, keys);
  return keys;
}

std::vector<Key> storage_keys() {
  return {
      number(
          "storage.block_cache_mb", [](auto& o) -> auto& { return o.storage.block_cache_bytes; },
          {1, std::uint64_t{1} << 20, "MiB", kMebi},
          "Memory for blocks read from disk, shared by all shards."),
      number(
          "storage.write_buffer_mb", [](auto& o) -> auto& { return o.storage.write_buffer_bytes; },
          {1, 1024, "MiB", kMebi}, "Memory for fresh writes of one shard."),
      number(
          "storage.exact_search_points",
          [](auto& o) -> auto& { return o.storage.exact_search_points; }, {0, 10'000'000, "points"},
          "Up to here a search looks at every vector instead of walking a graph."),
      number(
          "storage.default_ef", [](auto& o) -> auto& { return o.storage.default_ef; },
          {1, limits::kSearchHitsMax, "candidates"},
          "Kept by a graph search that does not say. More: better recall, slower."),
      number(
          "storage.rebuild_dead_percent",
          [](auto& o) -> auto& { return o.storage.rebuild_dead_percent; }, {1, 100, "percent"},
          "Removed vectors in a graph from which on it is built anew."),
      number(
          "storage.index_threads", [](auto& o) -> auto& { return o.storage.index_threads; },
          {1, 256}, "Threads that build graphs, over all shards."),
      number(
          "storage.open_shards", [](auto& o) -> auto& { return o.storage.open_shards; },
          {1, 100'000, "shards"},
          "Shards that stay open while nobody uses them, a dozen files each."),
      number(
          "storage.log_entries_kept", [](auto& o) -> auto& { return o.storage.log_entries_kept; },
          {1000, 1'000'000'000, "entries"},
          "Log kept by a shard for copies that were away and to recognise repeated writes."),
      number(
          "storage.log_kept_mb", [](auto& o) -> auto& { return o.storage.log_bytes_kept; },
          {1, std::uint64_t{1} << 20, "MiB", kMebi}, "These entries take no more than this."),
  };
}

std::vector<Key> embedding_keys() {
  return {
      path(
          "embedding.model_dir", [](auto& o) -> auto& { return o.embedding.model_dir; },
          "Files of the built-in model. Empty: models/minilm beside the program."),
      text(
          "embedding.default_provider",
          [](auto& o) -> auto& { return o.embedding.default_provider; }, "the name of a provider",
          "Embeds the texts of collections that name no other."),
      number(
          "embedding.threads", [](auto& o) -> auto& { return o.embedding.threads; }, {0, 256},
          "Threads that one batch is spread over. 0: one for each processor."),
      number(
          "embedding.cache_mb", [](auto& o) -> auto& { return o.embedding.cache_bytes; },
          {0, 65'536, "MiB", kMebi}, "Memory for vectors of texts seen before. 0: none."),
  };
}

template <typename Member>
Key secret(std::string name, Member member, std::string meaning) {
  Key key = text(std::move(name), member, "a text", std::move(meaning));
  key.show = [](const Options&) { return std::string("\"\""); };
  key.is_listed = false;
  key.is_secret = true;
  return key;
}

std::vector<Key> cluster_place_keys() {
  return {
      choice(
          "cluster.coordination", [](auto& o) -> auto& { return o.cluster.coordination; },
          {"embedded", "managed", "etcd"},
          "embedded: a server that is alone. managed: each of cluster.nodes runs an etcd. etcd: "
          "there is one."),
      text(
          "cluster.name", [](auto& o) -> auto& { return o.cluster.name; },
          "1 to 64 letters, digits, '-', '_' and '.'",
          "Tells clusters apart; the same on every server of one."),
      path(
          "cluster.token_file", [](auto& o) -> auto& { return o.cluster_token_file; },
          "File of the secret that servers know each other by, or QV_CLUSTER_TOKEN; 16 bytes at "
          "least."),
      secret(
          "cluster.token", [](auto& o) -> auto& { return o.cluster.token; },
          "The secret that servers know each other by."),
      list(
          "cluster.endpoints", [](auto& o) -> auto& { return o.cluster.endpoints; }, &is_not_empty,
          "a list of scheme://host:port, such as [\"http://10.0.0.1:2379\"]",
          "Of the etcd that is there."),
      text(
          "cluster.etcd_user", [](auto& o) -> auto& { return o.cluster.etcd_user; }, "a name",
          "For an etcd that asks; its password by QV_CLUSTER_ETCD_PASSWORD."),
      secret(
          "cluster.etcd_password", [](auto& o) -> auto& { return o.cluster.etcd_password; },
          "Of cluster.etcd_user."),
      choice(
          "cluster.discovery", [](auto& o) -> auto& { return o.cluster.discovery; },
          {"static", "dns"},
          "How servers are found to join through: cluster.nodes, or the addresses of "
          "cluster.dns_name too."),
      list(
          "cluster.nodes", [](auto& o) -> auto& { return o.cluster.nodes; }, &is_not_empty,
          "a list of host:port; for managed an odd number, at most 7",
          "The first servers, as they advertise themselves, the same list on every server."),
      text(
          "cluster.dns_name", [](auto& o) -> auto& { return o.cluster.dns_name; }, "host:port",
          "A name with the addresses of servers of the cluster."),
  };
}

std::vector<Key> cluster_self_keys() {
  return {
      text(
          "cluster.host", [](auto& o) -> auto& { return o.cluster.host; }, "a numeric address",
          "Where other servers are listened for; a private one unless there are certificates."),
      number(
          "cluster.port", [](auto& o) -> auto& { return o.cluster.port; }, {1, 65535},
          "TCP port for other servers."),
      text(
          "cluster.advertise_host", [](auto& o) -> auto& { return o.cluster.advertise_host; },
          "a name or an address", "What other servers reach this one at. Empty: cluster.host."),
      flag(
          "cluster.allow_public", [](auto& o) -> auto& { return o.cluster.allow_public; },
          "Listen for other servers at a public address without certificates, unencrypted."),
      text(
          "cluster.label", [](auto& o) -> auto& { return o.cluster.label; },
          "a text, unique in the cluster", "For people. Empty: the advertised address."),
      text(
          "cluster.zone", [](auto& o) -> auto& { return o.cluster.zone; }, "a text",
          "Servers that fail together, such as a rack; copies of a shard go to different ones."),
      number(
          "cluster.weight", [](auto& o) -> auto& { return o.cluster.weight; }, {1, 1000},
          "Share of the data in comparison to other servers."),
      number(
          "cluster.heartbeat_ms", [](auto& o) -> auto& { return o.cluster.heartbeat_ms; },
          {20, 60'000, "milliseconds"}, "Each server pings each other one so often."),
      number(
          "cluster.down_after_ms", [](auto& o) -> auto& { return o.cluster.down_after_ms; },
          {100, 600'000, "milliseconds"},
          "A server that is silent for so long is down; at least two heartbeats."),
      number(
          "cluster.lease_s", [](auto& o) -> auto& { return o.cluster.lease_s; },
          {2, 600, "seconds"}, "So long the sign of life of a server that died stays in etcd."),
      number(
          "cluster.anti_entropy_s", [](auto& o) -> auto& { return o.cluster.anti_entropy_s; },
          {0, 2'592'000, "seconds"},
          "Copies of a shard are read and compared so often; one that differs is made anew. "
          "0: never."),
      number(
          "cluster.copy_bandwidth_mb", [](auto& o) -> auto& { return o.cluster.copy_bandwidth_mb; },
          {0, 100'000, "MiB a second"},
          "For files of shards that are moved or copied, out and in alike. 0: unlimited."),
      number(
          "cluster.etcd_client_port", [](auto& o) -> auto& { return o.cluster.etcd_client_port; },
          {0, 65535}, "Of a managed etcd, on each of cluster.nodes. 0: the server's port and 1."),
      number(
          "cluster.etcd_peer_port", [](auto& o) -> auto& { return o.cluster.etcd_peer_port; },
          {0, 65535}, "Of a managed etcd, on each of cluster.nodes. 0: the server's port and 2."),
      path(
          "cluster.etcd_dir", [](auto& o) -> auto& { return o.cluster.etcd_dir; },
          "Data of a managed etcd. Empty: etcd in the data directory."),
      path(
          "cluster.tls.ca", [](auto& o) -> auto& { return o.cluster.tls_ca; },
          "PEM file of the authority whose certificates servers must show."),
      path(
          "cluster.tls.certificate", [](auto& o) -> auto& { return o.cluster.tls_certificate; },
          "PEM file of this server's certificate, made for its id."),
      path(
          "cluster.tls.key", [](auto& o) -> auto& { return o.cluster.tls_key; },
          "PEM file of the key to it."),
  };
}

}  // namespace

std::string Key::env_name() const {
  std::string out = "QV_";
  for (const char c : name) {
    out += c == '.' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return out;
}

std::vector<Key> config_keys() {
  std::vector<Key> keys = general_keys();
  for (auto* group : {&server_keys, &mcp_keys, &cluster_place_keys, &cluster_self_keys,
                      &storage_keys, &embedding_keys}) {
    for (auto& key : group()) keys.push_back(std::move(key));
  }
  return keys;
}

std::string render_config(const Options& options) {
  std::string out =
      "# Configuration of Quiver: every key with its default. What is left out keeps its default.\n"
      "# The environment wins over this file (QV_SERVER_PORT=7601 sets server.port), the command\n"
      "# line over both (--set server.port=7601). Unknown keys are errors.\n";
  std::string section;
  for (const auto& key : config_keys()) {
    if (!key.is_listed) continue;
    const auto dot = key.name.rfind('.');
    const std::string prefix = dot == std::string::npos ? "" : key.name.substr(0, dot);
    const auto depth = prefix.empty() ? 0 : 1 + std::count(prefix.begin(), prefix.end(), '.');
    const std::string indent(2 * static_cast<std::size_t>(depth), ' ');
    if (prefix != section) {
      out += '\n' + indent.substr(std::min<std::size_t>(2, indent.size())) +
             prefix.substr(prefix.rfind('.') + 1) + ":\n";
    }
    const bool follows_key = prefix == section && out.back() == '\n';
    section = prefix;
    if (follows_key) out += "\n";
    out += indent + "# " + key.meaning + "\n" + indent + "# " + key.domain + "\n";
    out += indent + (prefix.empty() ? key.name : key.name.substr(dot + 1)) + ": " +
           key.show(options) + "\n";
  }
  return out;
}

}  // namespace quiver::app
