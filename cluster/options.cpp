#include "cluster/options.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "cluster/peers.h"

namespace quiver::cluster {
namespace {

constexpr std::size_t kTokenBytesMin = 16;
constexpr std::size_t kNameBytesMax = 64;
constexpr std::size_t kManagedMax = 7;
constexpr std::string_view kNameCharacters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

/// Remembers every problem, one line each.
class Problems {
 public:
  void unless(bool holds, const std::string& problem) {
    if (holds) return;
    if (!text_.empty()) text_ += '\n';
    text_ += "cluster." + problem;
  }
  Status status() const {
    if (text_.empty()) return Done{};
    return Error{ErrorCode::InvalidArgument, text_};
  }

 private:
  std::string text_;
};

bool is_wildcard(const std::string& host) {
  return host == "0.0.0.0" || host == "::";
}

void check_identity(const ClusterOptions& options, Problems& problems) {
  problems.unless(!options.name.empty() && options.name.size() <= kNameBytesMax &&
                      options.name.find_first_not_of(kNameCharacters) == std::string::npos,
                  "name: 1 to 64 letters, digits, '-', '_' and '.', got \"" + options.name + '"');
  const int files = static_cast<int>(!options.tls_ca.empty()) +
                    static_cast<int>(!options.tls_certificate.empty()) +
                    static_cast<int>(!options.tls_key.empty());
  problems.unless(files == 0 || files == 3, "tls: needs all of ca, certificate and key, or none");
  problems.unless(!options.token.empty() || files == 3,
                  "token: a cluster needs one, by QV_CLUSTER_TOKEN or cluster.token_file, or "
                  "certificates by cluster.tls");
  problems.unless(options.token.empty() || options.token.size() >= kTokenBytesMin,
                  "token: at least 16 bytes; `openssl rand -hex 16` makes one");
  problems.unless(!is_wildcard(options.host) || !options.advertise_host.empty(),
                  "advertise_host: name what other servers reach this one at, since cluster.host "
                  "listens everywhere");
  problems.unless(!is_wildcard(options.advertise_host),
                  "advertise_host: nobody can reach " + options.advertise_host);
  problems.unless(options.port != 0, "port: other servers must know it; 0 cannot be used");
}

void check_seeds(const ClusterOptions& options, Problems& problems) {
  std::set<std::string> seen;
  for (const auto& node : options.nodes) {
    const auto parsed = parse_address(node);
    problems.unless(parsed.ok(), "nodes: " + (parsed.ok() ? "" : parsed.error().message));
    problems.unless(seen.insert(node).second, "nodes: " + node + " is there twice");
  }
  if (options.discovery == "dns") {
    problems.unless(parse_address(options.dns_name).ok(),
                    "dns_name: discovery by dns needs one, host:port");
  } else {
    problems.unless(options.dns_name.empty(), "dns_name: is used with cluster.discovery dns only");
  }
}

void check_managed(const ClusterOptions& options, Problems& problems) {
  problems.unless(options.endpoints.empty(),
                  "endpoints: are of an etcd that is there; use cluster.coordination etcd");
  problems.unless(options.etcd_user.empty() && options.etcd_password.empty(),
                  "etcd_user: a managed etcd asks for none");
  problems.unless(!options.nodes.empty() || options.discovery == "dns",
                  "nodes: list the first servers, this one among them, or those to join through");
  problems.unless(options.nodes.empty() || options.nodes.size() % 2 == 1,
                  "nodes: an odd number of first servers, got " +
                      std::to_string(options.nodes.size()) +
                      ": an even number survives no more losses than one less");
  problems.unless(options.nodes.size() <= kManagedMax,
                  "nodes: at most 7 first servers; others join through them");
}

}  // namespace

std::string host_and_port(const std::string& host, std::uint16_t port) {
  const bool bare = host.find(':') != std::string::npos && host.front() != '[';
  return (bare ? '[' + host + ']' : host) + ':' + std::to_string(port);
}

std::string ClusterOptions::rpc_address() const {
  return host_and_port(advertise_host.empty() ? host : advertise_host, port);
}

bool ClusterOptions::is_first_member() const {
  return std::find(nodes.begin(), nodes.end(), rpc_address()) != nodes.end();
}

namespace {

Result<std::string> etcd_url(const ClusterOptions& options, const std::string& node,
                             std::uint16_t wanted, std::uint16_t beyond) {
  QV_TRY(const auto address, parse_address(node));
  const auto port = wanted != 0 ? wanted : static_cast<std::uint16_t>(address.port + beyond);
  return (options.has_tls() ? "https://" : "http://") + host_and_port(address.host, port);
}

}  // namespace

Result<std::string> ClusterOptions::etcd_client_url(const std::string& node) const {
  return etcd_url(*this, node, etcd_client_port, 1);
}

Result<std::string> ClusterOptions::etcd_peer_url(const std::string& node) const {
  return etcd_url(*this, node, etcd_peer_port, 2);
}

Status check(const ClusterOptions& options) {
  if (!options.is_clustered()) return Done{};
  Problems problems;
  check_identity(options, problems);
  check_seeds(options, problems);
  if (options.is_managed()) {
    check_managed(options, problems);
  } else {
    problems.unless(!options.endpoints.empty(),
                    "endpoints: name those of the etcd, such as [\"http://10.0.0.1:2379\"]");
    problems.unless(options.etcd_user.empty() == options.etcd_password.empty(),
                    "etcd_user: needs QV_CLUSTER_ETCD_PASSWORD, and that needs it");
  }
  problems.unless(options.down_after_ms >= 2 * options.heartbeat_ms,
                  "down_after_ms: at least twice cluster.heartbeat_ms, which is " +
                      std::to_string(options.heartbeat_ms));
  return problems.status();
}

}  // namespace quiver::cluster
