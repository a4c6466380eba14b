#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "cluster/coordination/etcd_store.h"
#include "core/http_client.h"
#include "core/json.h"
#include "tests/support/temp_dir.h"

namespace quiver::cluster {

/// Looks at a condition until it holds or a deadline, generous for a busy machine, has passed.
bool eventually(const std::function<bool()>& holds,
                std::chrono::milliseconds within = std::chrono::seconds(20));

/// Ports of 127.0.0.1 that nothing listens on, below those that the kernel gives to clients.
std::vector<int> free_ports(std::size_t count);

/// A client of its own for a test.
std::unique_ptr<HttpClient> make_http(const TlsFiles& tls);

/// A CA for 127.0.0.1, and a certificate by it for both sides.
TlsFiles make_certificates(const std::filesystem::path& dir);

/// A real etcd of one or more members on 127.0.0.1, whose processes end with it.
class EtcdCluster {
 public:
  struct Options {
    std::size_t members = 1;
    /// "https" needs `flags` that name the certificates.
    std::string scheme = "http";
    std::vector<std::string> flags;
    TlsFiles tls;
    /// Elects a leader within half a second, at the price of elections that a busy machine causes.
    /// A single member always does.
    bool quick_elections = false;
    /// Started from a file, without the gateway.
    bool from_file = false;
  };
  explicit EtcdCluster(Options options);
  ~EtcdCluster();
  EtcdCluster(const EtcdCluster&) = delete;
  EtcdCluster& operator=(const EtcdCluster&) = delete;

  std::size_t size() const { return members_.size(); }
  std::string endpoint(std::size_t member) const;
  std::vector<std::string> endpoints() const;
  const std::filesystem::path& directory() const { return dir_.path(); }
  HttpClient& http() { return *http_; }

  void start(std::size_t member);
  /// SIGKILL, and waits until it has gone.
  void kill(std::size_t member);
  void pause(std::size_t member);
  void resume(std::size_t member);
  /// Whether every member that runs serves writes.
  bool healthy();
  /// The member that leads.
  std::size_t leader();

  /// A raw call of a member's gateway: what its traps look like.
  HttpResponse post(std::string_view path, const Json& body, std::size_t member = 0);

  /// A store whose calls begin with member `first`.
  std::unique_ptr<EtcdStore> store(std::size_t first = 0);
  EtcdOptions store_options(std::size_t first = 0) const;

 private:
  struct Member {
    int client_port = 0;
    int peer_port = 0;
    pid_t pid = -1;
    bool paused = false;
  };
  std::vector<std::string> arguments(std::size_t member) const;

  const Options options_;
  const TempDir dir_;
  std::vector<Member> members_;
  std::unique_ptr<HttpClient> http_;
};

}  // namespace quiver::cluster
