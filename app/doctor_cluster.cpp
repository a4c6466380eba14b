#include "app/doctor_cluster.h"

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/fd.h"
#include "app/http_client.h"
#include "cluster/coordination/child_process.h"
#include "cluster/managed_etcd.h"
#include "cluster/peers.h"

namespace quiver::app {
namespace {

namespace fs = std::filesystem;
using Level = Finding::Level;

Finding check_secret(const cluster::ClusterOptions& options) {
  const std::string subject = "cluster secret";
  if (options.has_tls()) return {Level::Ok, subject, "certificates", ""};
  if (options.token.empty()) {
    return {Level::Fail, subject, "there is none",
            "set QV_CLUSTER_TOKEN or cluster.token_file, the same on every server"};
  }
  return {Level::Ok, subject, "a token of " + std::to_string(options.token.size()) + " bytes", ""};
}

Finding check_tls_file(const std::string& key, const std::string& file, bool is_secret) {
  const std::string subject = "cluster.tls." + key;
  const Fd opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  char byte = 0;
  const auto got = opened.valid() ? ::read(opened.get(), &byte, 1) : -1;
  if (got != 1) {
    const std::string why = got == 0 ? "it is empty" : std::strerror(errno);
    return {Level::Fail, subject, file + " cannot be read: " + why,
            "name a file in PEM form that this user may read"};
  }
  std::error_code ignored;
  const auto others = fs::perms::group_read | fs::perms::others_read;
  if (is_secret && (fs::status(file, ignored).permissions() & others) != fs::perms::none) {
    return {Level::Warn, subject, file + " can be read by other users", "chmod 600 '" + file + "'"};
  }
  return {Level::Ok, subject, file, ""};
}

Finding check_program(const ClusterProbe& probe) {
  const std::string subject = "etcd program";
  const auto found = cluster::ChildProcess::find(probe.etcd);
  if (found.ok()) return {Level::Ok, subject, found->string(), ""};
  return {Level::Fail, subject, found.error().message,
          "install etcd (the package etcd-server), or use one that is there: "
          "cluster.coordination etcd"};
}

/// Nothing if it takes a connection within the time, else why not.
std::string why_silent(const std::string& address, std::chrono::milliseconds time) {
  const auto parsed = cluster::parse_address(address);
  if (!parsed.ok()) return parsed.error().message;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const auto port = std::to_string(parsed->port);
  const int failed = ::getaddrinfo(parsed->host.c_str(), port.c_str(), &hints, &found);
  if (failed != 0) return ::gai_strerror(failed);
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, &::freeaddrinfo);
  std::string why = "it has no address";
  for (const auto* one = found; one != nullptr; one = one->ai_next) {
    const Fd socket(::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (::connect(socket.get(), one->ai_addr, one->ai_addrlen) == 0) return "";
    int problem = errno;
    if (problem == EINPROGRESS) {
      pollfd waiting{socket.get(), POLLOUT, 0};
      socklen_t size = sizeof problem;
      problem = ETIMEDOUT;
      if (::poll(&waiting, 1, static_cast<int>(time.count())) == 1) {
        ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &problem, &size);
      }
    }
    if (problem == 0) return "";
    why = std::strerror(problem);
  }
  return why;
}

std::string why_unwell(HttpClient& http, const std::string& endpoint,
                       std::chrono::milliseconds time) {
  CallContext call;
  call.deadline = std::chrono::steady_clock::now() + time;
  const auto reply = http.send(call, endpoint, {"GET", "/health", {}, {}});
  if (!reply.answered()) return "it does not answer (" + reply.why + ')';
  const Json said = Json::parse(reply.response.body, nullptr, false);
  const bool healthy = said.is_object() && said.contains("health") && said["health"] == "true";
  if (healthy) return "";
  return "it answers " + std::to_string(reply.response.status) + " and is not healthy";
}

/// Of one subject with several places: fine if one of them is.
Finding summed_up(const std::string& subject, std::size_t well, const std::string& problems,
                  Level if_none, const std::string& remedy) {
  if (problems.empty()) return {Level::Ok, subject, std::to_string(well) + " answer", ""};
  return {well > 0 ? Level::Warn : if_none, subject, std::to_string(well) + " answer; " + problems,
          remedy};
}

Finding check_store(const cluster::ClusterOptions& options, const ClusterProbe& probe) {
  const std::string subject = "coordination store";
  const auto endpoints = cluster::known_endpoints(options);
  if (!endpoints.ok()) {
    return {Level::Fail, subject, endpoints.error().message, "correct cluster.nodes"};
  }
  if (endpoints->empty()) {
    return {Level::Ok, subject, "the servers that this one joins through tell where it is", ""};
  }
  HttpClientOptions wanted;
  wanted.tls = {options.tls_ca, options.tls_certificate, options.tls_key};
  const auto http = make_http_client(wanted);
  if (!http.ok()) return {Level::Fail, subject, http.error().message, "see cluster.tls"};
  std::size_t well = 0;
  std::string problems;
  for (const auto& endpoint : *endpoints) {
    const auto why = why_unwell(**http, endpoint, probe.time);
    if (why.empty()) {
      ++well;
    } else {
      problems += (problems.empty() ? "" : "; ") + endpoint + ": " + why;
    }
  }
  // Servers that run their etcd themselves have none before they are started.
  return options.is_managed() ? summed_up(subject, well, problems, Level::Warn,
                                          "fine as long as these servers are not started")
                              : summed_up(subject, well, problems, Level::Fail,
                                          "start this etcd, or correct cluster.endpoints");
}

Finding check_seeds(const cluster::ClusterOptions& options, const ClusterProbe& probe) {
  auto seeds = options.nodes;
  if (options.discovery == "dns") seeds.push_back(options.dns_name);
  std::erase(seeds, options.rpc_address());
  const std::string subject = "servers to join through";
  if (seeds.empty()) return {Level::Ok, subject, "none but this one", ""};
  std::size_t well = 0;
  std::string problems;
  for (const auto& seed : seeds) {
    const auto why = why_silent(seed, probe.time);
    if (why.empty()) {
      ++well;
    } else {
      problems += (problems.empty() ? "" : "; ") + seed + ": " + why;
    }
  }
  return summed_up(subject, well, problems, Level::Warn,
                   "fine for servers that are not started; else look at names and firewalls");
}

}  // namespace

std::vector<Finding> check_cluster(const cluster::ClusterOptions& options,
                                   const ClusterProbe& probe) {
  std::vector<Finding> findings;
  if (!options.is_clustered()) return findings;
  findings.push_back(check_secret(options));
  if (options.has_tls()) {
    findings.push_back(check_tls_file("ca", options.tls_ca, false));
    findings.push_back(check_tls_file("certificate", options.tls_certificate, false));
    findings.push_back(check_tls_file("key", options.tls_key, true));
  }
  if (options.is_managed() && options.is_first_member()) findings.push_back(check_program(probe));
  findings.push_back(check_store(options, probe));
  findings.push_back(check_seeds(options, probe));
  return findings;
}

}  // namespace quiver::app
