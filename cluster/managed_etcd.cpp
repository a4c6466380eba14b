#include "cluster/managed_etcd.h"

#include <utility>

#include "cluster/peers.h"

namespace quiver::cluster {
namespace {

/// A name for the etcd of one of the first servers, the same wherever it is made.
std::string member_name(std::string address) {
  for (char& c : address) {
    if (c == ':' || c == '[' || c == ']') c = '_';
  }
  return address;
}

}  // namespace

Result<std::unique_ptr<EtcdChild>> start_managed_etcd(const ClusterOptions& options,
                                                      const std::filesystem::path& data_dir,
                                                      HttpClient& http, const Clock& clock) {
  if (!options.is_managed() || !options.is_first_member()) return std::unique_ptr<EtcdChild>();
  EtcdChildOptions child;
  child.directory =
      options.etcd_dir.empty() ? data_dir / "etcd" : std::filesystem::path(options.etcd_dir);
  child.name = member_name(options.rpc_address());
  for (const auto& node : options.nodes) {
    QV_TRY(auto url, options.etcd_peer_url(node));
    child.members.push_back({member_name(node), std::move(url)});
  }
  QV_TRY(child.client_url, options.etcd_client_url(options.rpc_address()));
  // etcd binds no names. Where this server listens for the others, its etcd does, too.
  QV_TRY(const auto self, parse_address(options.rpc_address()));
  if (!is_numeric_host(self.host)) child.listen_host = options.host;
  child.cluster_token = options.name;
  child.tls = {options.tls_ca, options.tls_certificate, options.tls_key};
  return EtcdChild::start(http, clock, std::move(child));
}

Result<std::vector<std::string>> known_endpoints(const ClusterOptions& options) {
  if (!options.is_managed()) return options.endpoints;
  std::vector<std::string> out;
  if (!options.is_first_member()) return out;
  for (const auto& node : options.nodes) {
    QV_TRY(auto url, options.etcd_client_url(node));
    out.push_back(std::move(url));
  }
  return out;
}

EtcdOptions store_options(const ClusterOptions& options, std::vector<std::string> endpoints) {
  EtcdOptions out;
  out.endpoints = std::move(endpoints);
  out.prefix = "/quiver/" + options.name + '/';
  out.user = options.etcd_user;
  out.password = options.etcd_password;
  return out;
}

}  // namespace quiver::cluster
