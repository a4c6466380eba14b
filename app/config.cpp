#include "app/config.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <string_view>

#include <unistd.h>

#include "app/config_keys.h"
#include "app/yaml_settings.h"
#include "core/http_access.h"
#include "core/text.h"

namespace quiver::app {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnvPrefix = "QV_";
constexpr std::string_view kEnvConfig = "QV_CONFIG";
constexpr std::size_t kTokenBytesMax = 4096;
constexpr std::array<std::string_view, 3> kKeysOfDev{"cluster.heartbeat_ms",
                                                     "cluster.down_after_ms", "cluster.lease_s"};

std::string find_or_empty(const Environment& environment, std::string_view name) {
  const auto found = environment.find(name);
  return found == environment.end() ? "" : found->second;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// An item of a list in brackets: plain, or between quotation marks of one kind.
std::string unquoted(std::string_view text) {
  text = trimmed(text);
  const bool quoted = text.size() >= 2 && (text.front() == '"' || text.front() == '\'') &&
                      text.front() == text.back();
  return std::string(quoted ? text.substr(1, text.size() - 2) : text);
}

/// Of a list: items by commas, or in brackets as a configuration file has them.
Setting split_at_commas(const Key& key, const std::string& text) {
  if (!key.is_list) return {{text}, false, false};
  Setting setting{{}, true, false};
  const std::string_view whole = trimmed(text);
  // "[::1]" is an address: a list of it has brackets of its own.
  const bool is_address = whole.find(':') != std::string_view::npos && is_host_entry(whole);
  if (!is_address && whole.size() >= 2 && whole.front() == '[' && whole.back() == ']') {
    const auto inside = trimmed(whole.substr(1, whole.size() - 2));
    for (std::size_t start = 0; start <= inside.size() && !inside.empty();) {
      const std::size_t end = std::min(inside.find(',', start), inside.size());
      setting.items.push_back(unquoted(inside.substr(start, end - start)));
      start = end + 1;
    }
    return setting;
  }
  for (std::size_t start = 0; start <= text.size() && !text.empty();) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    setting.items.emplace_back(trimmed(std::string_view(text).substr(start, end - start)));
    start = end + 1;
  }
  return setting;
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates) {
  const std::string near = nearest_word(word, candidates);
  return near.empty() ? "; config.yml lists all keys" : "; did you mean " + near + "?";
}

/// Applies settings one after the other and remembers every problem.
class Loader {
 public:
  Loader(const Environment& environment, bool for_dev)
      : environment_(environment), for_dev_(for_dev) {}

  void apply_file(const fs::path& file) {
    auto settings = read_yaml_settings(file);
    if (!settings.ok()) return fail(settings.error());
    std::error_code unresolved;
    const fs::path folder = fs::absolute(file, unresolved).parent_path();
    for (auto& [name, setting, line] : *settings) {
      const std::string where = file.string() + ":" + std::to_string(line) + ": ";
      const Key* key = find(name);
      if (key == nullptr) {
        fail(where + "unknown key " + name + did_you_mean(name, names()));
        continue;
      }
      if (key->is_secret) {
        fail(where + name + ": a secret is not for a file that others read; " + way_in(*key));
        continue;
      }
      apply(*key, std::move(setting), where + name + ": ", folder);
    }
  }

  void apply_environment() {
    for (const auto& [name, value] : environment_) {
      if (name.rfind(kEnvPrefix, 0) != 0 || name == kEnvConfig) continue;
      const auto key = std::find_if(keys_.begin(), keys_.end(),
                                    [&name = name](const Key& k) { return k.env_name() == name; });
      if (key == keys_.end()) {
        std::vector<std::string> known{std::string(kEnvConfig)};
        for (const auto& k : keys_) known.push_back(k.env_name());
        fail("unknown environment variable " + name + did_you_mean(name, known));
        continue;
      }
      apply(*key, split_at_commas(*key, value), name + ": ", {});
    }
  }

  void apply_flag(const std::string& name, const std::string& value) {
    const Key* key = find(name);
    if (key == nullptr) return fail("unknown key " + name + did_you_mean(name, names()));
    if (key->is_secret) {
      return fail(name + ": a secret is not for a command line, which others see; " + way_in(*key));
    }
    apply(*key, split_at_commas(*key, value), name + ": ", {});
  }

  Result<Options> finish() {
    if (options_.data_dir.empty()) choose_data_dir();
    refuse_without_effect();
    read_token();
    // What is wrong with single keys would only be said again.
    if (!failure_) check_together();
    if (!failure_) return std::move(options_);
    return *failure_;
  }

 private:
  const Key* find(const std::string& name) const {
    const auto found =
        std::find_if(keys_.begin(), keys_.end(), [&](const Key& k) { return k.name == name; });
    return found == keys_.end() ? nullptr : &*found;
  }

  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& key : keys_) out.push_back(key.name);
    return out;
  }

  void apply(const Key& key, Setting setting, const std::string& where, const fs::path& folder) {
    if (key.is_path && setting.items.size() == 1) {
      setting.items.front() = resolve(setting.items.front(), folder);
    }
    const Status status = key.set(options_, setting);
    if (!status.ok()) fail(where + status.error().message);
  }

  /// Programs that start an MCP server pass arguments without a shell, so "~/" is expanded here.
  std::string resolve(const std::string& text, const fs::path& folder) const {
    if (text.empty()) return text;
    const std::string home = find_or_empty(environment_, "HOME");
    if (!home.empty() && (text == "~" || text.rfind("~/", 0) == 0)) return home + text.substr(1);
    return (folder / text).lexically_normal().string();
  }

  void choose_data_dir() {
    const std::string shared = find_or_empty(environment_, "XDG_DATA_HOME");
    const std::string home = find_or_empty(environment_, "HOME");
    // The XDG specification: a relative path is to be ignored.
    if (!shared.empty() && shared.front() == '/') {
      options_.data_dir = shared + "/quiver";
    } else if (!home.empty()) {
      options_.data_dir = home + "/.local/share/quiver";
    } else {
      fail("data_dir: there is no HOME to derive it from; name a directory with --data");
    }
  }

  static std::string way_in(const Key& key) {
    return "set " + key.env_name() +
           (key.name == "cluster.token" ? " or cluster.token_file" : std::string());
  }

  void read_token() {
    const std::string& file = options_.cluster_token_file;
    if (file.empty() || !options_.cluster.token.empty()) return;
    std::ifstream in(file, std::ios::binary);
    std::string token(kTokenBytesMax + 1, ' ');
    in.read(token.data(), static_cast<std::streamsize>(token.size()));
    token.resize(static_cast<std::size_t>(in.gcount()));
    while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
    if (!token.empty() && token.size() <= kTokenBytesMax) {
      options_.cluster.token = std::move(token);
      return;
    }
    fail("cluster.token_file: " + file + " cannot be read, is empty or has more than " +
         std::to_string(kTokenBytesMax) + " bytes");
  }

  /// Keys of a cluster that nobody would read. With their defaults, as in config.yml, they may
  /// stay.
  void refuse_without_effect() {
    if (options_.cluster.is_clustered() && !for_dev_) return;
    const Options defaults;
    std::string named;
    for (const auto& key : keys_) {
      const auto& known = kKeysOfDev;
      const bool taken = for_dev_ && std::find(known.begin(), known.end(), key.name) != known.end();
      if (key.name.rfind("cluster.", 0) != 0 || taken) continue;
      const bool changed = key.is_secret ? environment_.contains(key.env_name())
                                         : key.show(options_) != key.show(defaults);
      if (changed) named += (named.empty() ? "" : ", ") + key.name;
    }
    if (named.empty()) return;
    fail(for_dev_ ? named +
                        ": `quiver dev` decides about this itself; of cluster.* it takes "
                        "heartbeat_ms, down_after_ms and lease_s"
                  : named +
                        ": without effect, since cluster.coordination is embedded: a server "
                        "that is alone; set that to managed or etcd, or leave this out");
  }

  void check_together() {
    const auto& cluster = options_.cluster;
    if (!cluster.is_clustered() || for_dev_) return;
    if (const auto checked = cluster::check(cluster); !checked.ok()) fail(checked.error());
    if (options_.server.port == 0) {
      fail("server.port: a server of a cluster needs one that others can be told; got 0");
    }
  }

  void fail(std::string problem) { fail(Error{ErrorCode::InvalidArgument, std::move(problem)}); }
  void fail(Error problem) {
    if (failure_) {
      failure_->message += "\n" + problem.message;
    } else {
      failure_ = std::move(problem);
    }
  }

  const Environment& environment_;
  const bool for_dev_;
  const std::vector<Key> keys_ = config_keys();
  Options options_;
  std::optional<Error> failure_;
};

}  // namespace

Environment process_environment() {
  Environment out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = text.substr(0, equals);
    const bool wanted = name.rfind(kEnvPrefix, 0) == 0 || name == "HOME" ||
                        name == "XDG_DATA_HOME" || name == "XDG_RUNTIME_DIR";
    if (wanted) out.emplace(name, text.substr(equals + 1));
  }
  return out;
}

Result<Options> load_options(const ConfigSources& sources) {
  Loader loader(sources.environment, sources.for_dev);
  const std::string named = find_or_empty(sources.environment, kEnvConfig);
  if (sources.file) {
    loader.apply_file(*sources.file);
  } else if (!named.empty()) {
    loader.apply_file(named);
  }
  loader.apply_environment();
  for (const auto& [name, value] : sources.flags) loader.apply_flag(name, value);
  return loader.finish();
}

}  // namespace quiver::app
