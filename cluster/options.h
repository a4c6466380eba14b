#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/result.h"

namespace quiver::cluster {

/// What a person decides about this server's part in a cluster. Immutable after start.
struct ClusterOptions {
  /// embedded: a single server. managed: an etcd beside each server of `nodes`. etcd: one that is
  /// there, at `endpoints`.
  std::string coordination = "embedded";
  /// The same on every server; part of the keys in the coordination store.
  std::string name = "quiver";
  /// scheme://host:port of an etcd that is there.
  std::vector<std::string> endpoints;
  /// For an etcd that asks; both or neither.
  std::string etcd_user;
  std::string etcd_password;

  /// static: `nodes`. dns: all addresses of `dns_name`.
  std::string discovery = "static";
  /// host:port of the first servers, as they advertise themselves.
  std::vector<std::string> nodes;
  /// host:port.
  std::string dns_name;

  /// The same on every server. It never travels.
  std::string token;
  std::string tls_ca;
  std::string tls_certificate;
  std::string tls_key;

  /// Numeric address that other servers are listened for at.
  std::string host = "127.0.0.1";
  std::uint16_t port = 7700;
  /// What others reach this server at; empty: `host`.
  std::string advertise_host;
  bool allow_public = false;

  /// For people; empty: the advertised address.
  std::string label;
  std::string zone;
  std::uint32_t weight = 1;

  std::uint32_t heartbeat_ms = 500;
  std::uint32_t down_after_ms = 3'000;
  std::uint32_t lease_s = 10;
  /// 0: never.
  std::uint32_t anti_entropy_s = 21'600;
  /// Most that this server sends to copies elsewhere, and as much again that it fetches, MiB a
  /// second; 0: unlimited.
  std::uint32_t copy_bandwidth_mb = 0;

  /// Of a managed etcd; 0: `port` and 1, and 2.
  std::uint16_t etcd_client_port = 0;
  std::uint16_t etcd_peer_port = 0;
  /// Of a managed etcd; empty: etcd in the data directory.
  std::string etcd_dir;

  bool is_clustered() const noexcept { return coordination != "embedded"; }
  bool is_managed() const noexcept { return coordination == "managed"; }
  bool has_tls() const noexcept { return !tls_certificate.empty(); }
  /// host:port that other servers know this one by.
  std::string rpc_address() const;
  /// Whether this server is one of `nodes`, and so runs a member of a managed etcd.
  bool is_first_member() const;
  /// Where the managed etcd of one of `nodes` serves clients, and other members.
  /// Errors: InvalidArgument for what is not host:port.
  Result<std::string> etcd_client_url(const std::string& node) const;
  Result<std::string> etcd_peer_url(const std::string& node) const;
};

/// host:port; an IPv6 address in brackets.
std::string host_and_port(const std::string& host, std::uint16_t port);

/// What no single key can tell. Nothing to say about a server that is alone.
///
/// Errors: InvalidArgument, one line for each problem, naming the keys.
Status check(const ClusterOptions& options);

}  // namespace quiver::cluster
