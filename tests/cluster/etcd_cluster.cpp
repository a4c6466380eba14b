#include "tests/cluster/etcd_cluster.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/http_client.h"

namespace quiver::cluster {
namespace {

bool is_free(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return bound;
}

}  // namespace

bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds within) {
  const auto until = std::chrono::steady_clock::now() + within;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

std::vector<int> free_ports(std::size_t count) {
  std::random_device seed;
  std::uniform_int_distribution<int> any(15'000, 32'000);
  std::vector<int> ports;
  while (ports.size() < count) {
    const int port = any(seed);
    const bool taken = std::find(ports.begin(), ports.end(), port) != ports.end();
    if (!taken && is_free(port)) ports.push_back(port);
  }
  return ports;
}

std::unique_ptr<HttpClient> make_http(const TlsFiles& tls) {
  app::HttpClientOptions options;
  options.tls = tls;
  return std::move(app::make_http_client(options)).value();
}

TlsFiles make_certificates(const std::filesystem::path& dir) {
  const std::string script =
      "cd '" + dir.string() +
      "' && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
      "-keyout ca.key -out ca.pem -subj /CN=test-ca 2>/dev/null && "
      "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout node.key "
      "-out node.csr -subj /CN=node 2>/dev/null && "
      "printf 'subjectAltName=IP:127.0.0.1\\nextendedKeyUsage=serverAuth,clientAuth\\n' > ext && "
      "openssl x509 -req -in node.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
      "-extfile ext -out node.pem 2>/dev/null";
  if (std::system(script.c_str()) != 0) throw std::runtime_error("openssl failed");
  return {dir / "ca.pem", dir / "node.pem", dir / "node.key"};
}

EtcdCluster::EtcdCluster(Options options) : options_(std::move(options)) {
  http_ = make_http(options_.tls);
  const auto ports = free_ports(2 * options_.members);
  for (std::size_t i = 0; i < options_.members; ++i) {
    members_.push_back({ports[2 * i], ports[2 * i + 1], -1, false});
  }
  for (std::size_t i = 0; i < members_.size(); ++i) start(i);
  if (options_.from_file) return;
  if (!eventually([this] { return healthy(); })) throw std::runtime_error("etcd did not start");
}

EtcdCluster::~EtcdCluster() {
  for (std::size_t i = 0; i < members_.size(); ++i) kill(i);
}

std::string EtcdCluster::endpoint(std::size_t member) const {
  return options_.scheme + "://127.0.0.1:" + std::to_string(members_[member].client_port);
}

std::vector<std::string> EtcdCluster::endpoints() const {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < members_.size(); ++i) all.push_back(endpoint(i));
  return all;
}

std::vector<std::string> EtcdCluster::arguments(std::size_t member) const {
  const auto peer = [this](std::size_t i) {
    return "http://127.0.0.1:" + std::to_string(members_[i].peer_port);
  };
  if (options_.from_file) {
    const auto file = dir_.write(
        "etcd.yml",
        "name: m0\ndata-dir: " + (dir_.path() / "m0").string() +
            "\nlisten-client-urls: " + endpoint(0) + "\nadvertise-client-urls: " + endpoint(0) +
            "\nlisten-peer-urls: " + peer(0) + "\ninitial-advertise-peer-urls: " + peer(0) +
            "\ninitial-cluster: m0=" + peer(0) + '\n');
    return {"etcd", "--config-file", file.string()};
  }
  std::string all;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    all += (i == 0 ? "m" : ",m") + std::to_string(i) + '=' + peer(i);
  }
  const std::string name = 'm' + std::to_string(member);
  std::vector<std::string> out{"etcd",
                               "--name=" + name,
                               "--data-dir=" + (dir_.path() / name).string(),
                               "--listen-client-urls=" + endpoint(member),
                               "--advertise-client-urls=" + endpoint(member),
                               "--listen-peer-urls=" + peer(member),
                               "--initial-advertise-peer-urls=" + peer(member),
                               "--initial-cluster=" + all,
                               "--initial-cluster-token=test",
                               "--pre-vote",
                               "--unsafe-no-fsync"};
  const bool quick = options_.quick_elections || members_.size() == 1;
  out.emplace_back(quick ? "--heartbeat-interval=50" : "--heartbeat-interval=100");
  out.emplace_back(quick ? "--election-timeout=500" : "--election-timeout=2000");
  out.insert(out.end(), options_.flags.begin(), options_.flags.end());
  return out;
}

void EtcdCluster::start(std::size_t member) {
  auto words = arguments(member);
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const std::string log = (dir_.path() / ("m" + std::to_string(member) + ".log")).string();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  members_[member].pid = pid;
}

void EtcdCluster::kill(std::size_t member) {
  auto& one = members_[member];
  if (one.pid < 0) return;
  ::kill(one.pid, SIGKILL);
  ::waitpid(one.pid, nullptr, 0);
  one.pid = -1;
  one.paused = false;
}

void EtcdCluster::pause(std::size_t member) {
  ::kill(members_[member].pid, SIGSTOP);
  int status = 0;
  ::waitpid(members_[member].pid, &status, WUNTRACED);
  members_[member].paused = true;
}

void EtcdCluster::resume(std::size_t member) {
  ::kill(members_[member].pid, SIGCONT);
  members_[member].paused = false;
}

bool EtcdCluster::healthy() {
  CallContext call;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (members_[i].pid < 0 || members_[i].paused) continue;
    call.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    const auto reply = http_->send(call, endpoint(i), {"GET", "/health", {}, {}});
    if (!reply.answered() || reply.response.status != 200) return false;
  }
  return true;
}

std::size_t EtcdCluster::leader() {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const auto status = Json::parse(post("/v3/maintenance/status", Json::object(), i).body);
    if (status["header"]["member_id"] == status["leader"]) return i;
  }
  throw std::runtime_error("etcd has no leader");
}

HttpResponse EtcdCluster::post(std::string_view path, const Json& body, std::size_t member) {
  CallContext call;
  call.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  auto reply = http_->send(call, endpoint(member), {"POST", std::string(path), {}, body.dump()});
  if (!reply.answered()) throw std::runtime_error(reply.why);
  return reply.response;
}

EtcdOptions EtcdCluster::store_options(std::size_t first) const {
  EtcdOptions options;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    options.endpoints.push_back(endpoint((first + i) % members_.size()));
  }
  options.prefix = "/quiver/test/";
  // Several pages already for what the tests write.
  options.page_keys = 7;
  // An election that a busy machine causes is waited for; what fails should fail soon.
  const bool quick = options_.quick_elections || members_.size() == 1;
  options.patience = std::chrono::seconds(quick ? 1 : 4);
  options.watch_silence = std::chrono::seconds(2);
  return options;
}

std::unique_ptr<EtcdStore> EtcdCluster::store(std::size_t first) {
  return std::move(EtcdStore::make(*http_, store_options(first))).value();
}

}  // namespace quiver::cluster
