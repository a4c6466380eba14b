#include "app/dev_cluster.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/config_keys.h"
#include "app/data_lock.h"
#include "app/fd.h"
#include "app/http_client.h"
#include "cluster/coordination/child_process.h"
#include "cluster/coordination/etcd_child.h"
#include "cluster/coordination/etcd_store.h"
#include "cluster/managed_etcd.h"
#include "cluster/roster.h"
#include "cluster/view/keys.h"
#include "core/clock.h"
#include "core/ids.h"
#include "core/json.h"
#include "core/mutex.h"
#include "service/registry.h"
#include "storage/files.h"

namespace quiver::app {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

constexpr const char* kHost = "127.0.0.1";
constexpr const char* kCluster = "dev";
constexpr std::chrono::milliseconds kLookEvery{50};
constexpr std::chrono::seconds kStartTime{120};
constexpr std::chrono::seconds kStopTime{30};
constexpr std::chrono::seconds kStoreTime{5};
constexpr std::chrono::seconds kReadyTime{2};
constexpr int kOk = 200;
constexpr std::streamoff kTailBytes = 2'000;
constexpr int kPortAttempts = 10'000;

bool is_free(std::uint16_t port) {
  const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

/// Ports that nobody listens on, below those that the kernel gives to clients.
Result<std::vector<std::uint16_t>> free_ports(std::size_t count) {
  std::random_device seed;
  std::uniform_int_distribution<unsigned> any(20'000, 32'000);
  std::vector<std::uint16_t> ports;
  for (int attempt = 0; attempt < kPortAttempts && ports.size() < count; ++attempt) {
    const auto port = static_cast<std::uint16_t>(any(seed));
    const bool taken = std::find(ports.begin(), ports.end(), port) != ports.end();
    if (!taken && is_free(port)) ports.push_back(port);
  }
  if (ports.size() == count) return ports;
  return Error{ErrorCode::ResourceExhausted, "there are no free ports between 20000 and 32000"};
}

/// Whoever tries out a cluster wants to see its tools.
void offer_cluster_tools(std::vector<service::Toolset>& toolsets) {
  if (std::find(toolsets.begin(), toolsets.end(), service::Toolset::Cluster) == toolsets.end()) {
    toolsets.push_back(service::Toolset::Cluster);
  }
}

std::string tail_of(const fs::path& log) {
  std::ifstream in(log, std::ios::binary | std::ios::ate);
  if (!in) return "(none)";
  const std::streamoff size = in.tellg();
  in.seekg(std::max<std::streamoff>(0, size - kTailBytes));
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string url_of(const std::string& host, std::uint16_t port) {
  return "http://" + cluster::host_and_port(host, port);
}

/// One server: a process of this program.
struct Server {
  std::string label;
  Options options;
  fs::path config;
  fs::path log;
  std::optional<cluster::ChildProcess> process;
  bool told = false;

  std::string rpc_address() const { return options.cluster.rpc_address(); }
  std::string http_url() const { return url_of(options.server.host, options.server.port); }
};

class Dev {
 public:
  Dev(const DevCluster& wanted, StopSwitch& stop,
      const std::function<void(const std::string&)>& say)
      : wanted_(wanted), stop_(stop), say_(say) {}
  ~Dev() {
    stop_.disarm();
    if (lock_) forget_nodes();
    end_servers();
  }
  Dev(const Dev&) = delete;
  Dev& operator=(const Dev&) = delete;

  Status run() {
    QV_TRY(lock_, DataLock::try_acquire(wanted_.directory));
    if (!lock_) {
      return Error{ErrorCode::FailedPrecondition,
                   wanted_.directory.string() + " is used by another process"};
    }
    stop_.arm([this] {
      const MutexLock lock(mutex_);
      is_stopping_ = true;
      stopping_.notify_all();
    });
    // Of processes that are gone, if the last end was not a clean one.
    forget_nodes();
    QV_TRY(ports_, free_ports(2 + 2 * wanted_.nodes));
    QV_CHECK(start_etcd());
    QV_CHECK(write_token());
    for (std::size_t i = 0; i < wanted_.nodes; ++i) QV_CHECK(prepare(i));
    for (auto& server : servers_) QV_CHECK(start(server));
    QV_CHECK(wait_joined());
    if (pause()) return Done{};
    QV_CHECK(write_nodes());
    tell();
    while (!pause()) name_the_ended();
    return Done{};
  }

 private:
  /// Returns whether it is to stop.
  bool pause() {
    const auto until = steady_clock::now() + kLookEvery;
    const MutexLock lock(mutex_);
    while (!is_stopping_ && steady_clock::now() < until) stopping_.wait_until(mutex_, until);
    return is_stopping_;
  }

  Status start_etcd() {
    QV_TRY(http_, make_http_client({}));
    cluster::EtcdChildOptions options;
    options.directory = wanted_.directory / "etcd";
    options.name = kCluster;
    options.members = {{kCluster, url_of(kHost, ports_[0])}};
    options.client_url = url_of(kHost, ports_[1]);
    options.cluster_token = kCluster;
    options.unsafe_no_fsync = true;
    QV_TRY(etcd_, cluster::EtcdChild::start(*http_, clock_, std::move(options)));
    while (!pause()) {
      CallContext call;
      call.deadline = steady_clock::now() + kStoreTime;
      auto ready = etcd_->wait_ready(call);
      if (ready.ok()) return ready;
      if (etcd_->ends() > 1) return ready.error();
    }
    return Done{};
  }

  /// The one of the last time, if there is one: servers may have been added by hand.
  Status write_token() {
    token_file_ = wanted_.directory / "token";
    std::error_code ignored;
    if (fs::exists(token_file_, ignored)) return Done{};
    return storage::write_file_atomically(token_file_, RequestId::random().hex() + '\n',
                                          "the token of the cluster");
  }

  Status prepare(std::size_t number) {
    Server server;
    server.label = "node-" + std::to_string(number + 1);
    server.config = wanted_.directory / (server.label + ".yml");
    server.log = wanted_.directory / (server.label + ".log");
    server.options = wanted_.options;
    server.options.data_dir = (wanted_.directory / server.label).string();
    server.options.server.host = kHost;
    server.options.server.port = ports_[2 + 2 * number];
    server.options.cluster_token_file = token_file_.string();
    offer_cluster_tools(server.options.mcp.selection.toolsets);
    auto& options = server.options.cluster;
    options = {};
    options.coordination = "etcd";
    options.name = kCluster;
    options.endpoints = {etcd_->client_url()};
    options.host = kHost;
    options.port = ports_[3 + 2 * number];
    options.label = server.label;
    options.heartbeat_ms = wanted_.options.cluster.heartbeat_ms;
    options.down_after_ms = wanted_.options.cluster.down_after_ms;
    options.lease_s = wanted_.options.cluster.lease_s;
    for (std::size_t i = 0; i < wanted_.nodes; ++i) {
      options.nodes.push_back(cluster::host_and_port(kHost, ports_[3 + 2 * i]));
    }
    QV_CHECK(storage::write_file_atomically(server.config, render_config(server.options),
                                            "the configuration of a server"));
    servers_.push_back(std::move(server));
    return Done{};
  }

  Status start(Server& server) {
    // What the environment says of this process is in the file already.
    auto started = cluster::ChildProcess::start(
        {wanted_.program, {"serve", "--config", server.config.string()}, server.log, "QV_"});
    if (!started.ok()) return started.error();
    server.process.emplace(std::move(started).value());
    return Done{};
  }

  /// Who is active where it listens now, and shows a sign of life, by label.
  Result<std::map<std::string, std::string>> joined() {
    QV_TRY(const auto store,
           cluster::EtcdStore::make(*http_, cluster::store_options(servers_.front().options.cluster,
                                                                   {etcd_->client_url()})));
    CallContext call;
    call.deadline = steady_clock::now() + kStoreTime;
    QV_TRY(const auto roster, cluster::Roster::read(call, *store));
    QV_TRY(const auto alive, store->list(call, cluster::keys::kAlive));
    std::map<std::string, std::string> out;
    for (const auto& one : roster.nodes) {
      const auto& id = one.first;
      const auto& seat = one.second;
      // After an end that was not a clean one all else is there of the former processes.
      const bool here = std::any_of(servers_.begin(), servers_.end(), [&](const auto& server) {
        return server.label == seat.record.label && server.rpc_address() == seat.record.rpc_address;
      });
      const bool lives =
          std::any_of(alive.entries.begin(), alive.entries.end(), [&](const auto& entry) {
            return entry.key == cluster::keys::alive(id) &&
                   entry.value.find(seat.record.rpc_address) != std::string::npos;
          });
      if (here && lives && seat.record.state == cluster::NodeState::Active) {
        out[seat.record.label] = id.text;
      }
    }
    return out;
  }

  bool is_ready(const Server& server) {
    CallContext call;
    call.deadline = steady_clock::now() + kReadyTime;
    const auto reply = http_->send(call, server.http_url(), {"GET", "/readyz", {}, {}});
    return reply.answered() && reply.response.status == kOk;
  }

  Status wait_joined() {
    const auto until = steady_clock::now() + kStartTime;
    while (!pause()) {
      for (auto& server : servers_) {
        const auto ended = server.process->ended();
        if (!ended) continue;
        return Error{ErrorCode::Unavailable, server.label + ' ' + *ended + ". The end of " +
                                                 server.log.string() + ":\n" + tail_of(server.log)};
      }
      const auto there = joined();
      if (there.ok()) {
        ids_ = *there;
        const bool all = std::all_of(servers_.begin(), servers_.end(), [this](const auto& server) {
          return ids_.contains(server.label) && is_ready(server);
        });
        if (all) return Done{};
      }
      if (steady_clock::now() > until) {
        return Error{ErrorCode::Unavailable,
                     "the servers have not joined in time; their logs are "
                     "in " +
                         wanted_.directory.string()};
      }
    }
    return Done{};
  }

  fs::path nodes_file() const { return wanted_.directory / "nodes.json"; }

  void forget_nodes() {
    std::error_code ignored;
    fs::remove(nodes_file(), ignored);
  }

  Status write_nodes() {
    Json nodes = Json::array();
    for (const auto& server : servers_) {
      nodes.push_back({{"id", ids_.at(server.label)},
                       {"label", server.label},
                       {"pid", server.process->pid()},
                       {"mcp_url", server.http_url() + "/mcp"},
                       {"http_url", server.http_url()},
                       {"thrift_address", server.rpc_address()},
                       {"data_dir", server.options.data_dir},
                       {"config", server.config.string()},
                       {"log", server.log.string()}});
    }
    const Json all{{"cluster", kCluster},
                   {"pid", ::getpid()},
                   {"token_file", token_file_.string()},
                   {"nodes", std::move(nodes)},
                   {"etcd", {{"pid", etcd_->pid()}, {"url", etcd_->client_url()}}}};
    return storage::write_file_atomically(nodes_file(), all.dump(2) + '\n', "the list of servers");
  }

  void tell() {
    std::string text = "A cluster of " + std::to_string(servers_.size()) + " in " +
                       wanted_.directory.string() + ":\n";
    for (const auto& server : servers_) {
      text += "  " + server.label + "  " + server.http_url() + "/mcp\n";
    }
    say_(text + "  etcd    " + etcd_->client_url() + "\nCtrl-C ends all of it.\n");
  }

  void name_the_ended() {
    for (auto& server : servers_) {
      const auto ended = server.process->ended();
      if (!ended || server.told) continue;
      server.told = true;
      say_(server.label + ' ' + *ended + "; `quiver serve --config " + server.config.string() +
           "` starts it again\n");
    }
  }

  void end_servers() {
    for (auto& server : servers_) {
      if (server.process) server.process->ask_to_end();
    }
    const auto until = steady_clock::now() + kStopTime;
    for (auto& server : servers_) {
      while (server.process && !server.process->ended() && steady_clock::now() < until) {
        ::usleep(10'000);
      }
      if (server.process) server.process->kill();
    }
  }

  const DevCluster& wanted_;
  StopSwitch& stop_;
  const std::function<void(const std::string&)>& say_;
  const SystemClock clock_;
  std::optional<DataLock> lock_;
  std::vector<std::uint16_t> ports_;
  fs::path token_file_;
  std::unique_ptr<HttpClient> http_;
  /// Ends behind the servers, which take leave of it.
  std::unique_ptr<cluster::EtcdChild> etcd_;
  std::vector<Server> servers_;
  std::map<std::string, std::string> ids_;

  Mutex mutex_;
  CondVar stopping_;
  bool is_stopping_ QV_GUARDED_BY(mutex_) = false;
};

}  // namespace

Status run_dev_cluster(const DevCluster& wanted, StopSwitch& stop,
                       const std::function<void(const std::string&)>& say) {
  Dev dev(wanted, stop, say);
  return dev.run();
}

}  // namespace quiver::app
