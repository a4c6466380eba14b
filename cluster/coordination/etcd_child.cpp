#include "cluster/coordination/etcd_child.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "core/json.h"
#include "core/log.h"

namespace quiver::cluster {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kLookEvery{25};
constexpr milliseconds kFirstPause{200};
constexpr milliseconds kLongestPause{10'000};
// Who has run for so long did not fail to start.
constexpr std::chrono::seconds kRanWell{30};
constexpr std::chrono::seconds kSnapshotTimeout{120};
constexpr std::int64_t kSnapshotRetryMs = 1'000;
constexpr std::chrono::seconds kHealthTimeout{5};
constexpr std::size_t kMembersMax = 7;
constexpr std::uintmax_t kLogBytesMax = 16U << 20U;
constexpr std::streamoff kTailBytes = 2'000;
// An end that is not the first shows that the reason did not go away.
constexpr std::size_t kEndsToGiveUp = 2;

Error invalid(std::string message) {
  return {ErrorCode::InvalidArgument, std::move(message)};
}

bool is_url(const std::string& url) {
  const bool scheme = url.starts_with("http://") || url.starts_with("https://");
  const auto host = url.find("://") + 3;
  const auto colon = url.rfind(':');
  return scheme && colon != std::string::npos && colon > host && colon + 1 < url.size() &&
         url.find_first_not_of("0123456789", colon + 1) == std::string::npos &&
         url.find_first_of(", =", host) == std::string::npos;
}

bool is_name(const std::string& name) {
  return !name.empty() && name.size() <= 128 &&
         name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
             std::string::npos;
}

Status check_members(const EtcdChildOptions& options) {
  const auto& members = options.members;
  if (members.size() % 2 == 0 || members.size() > kMembersMax) {
    return invalid("a managed etcd has 1, 3, 5 or 7 members, got " +
                   std::to_string(members.size()) +
                   ": an even number survives no more losses than one less");
  }
  std::set<std::string> names;
  std::set<std::string> urls;
  for (const auto& member : members) {
    if (!is_name(member.name)) return invalid("\"" + member.name + "\" cannot name a member");
    if (!is_url(member.peer_url)) {
      return invalid("a peer url must be like http://10.0.0.1:7702, got \"" + member.peer_url +
                     '"');
    }
    if (!names.insert(member.name).second || !urls.insert(member.peer_url).second) {
      return invalid("the member " + member.name + " or its url is there twice");
    }
  }
  if (!names.contains(options.name)) {
    return invalid("this member, " + options.name + ", is not among the members");
  }
  return Done{};
}

std::string peer_url(const EtcdChildOptions& options) {
  for (const auto& member : options.members) {
    if (member.name == options.name) return member.peer_url;
  }
  return {};
}

/// The url with another host.
std::string at_host(const std::string& url, const std::string& host) {
  if (host.empty()) return url;
  const bool bare = host.find(':') != std::string::npos;
  const auto begin = url.find("://") + 3;
  return url.substr(0, begin) + (bare ? '[' + host + ']' : host) + url.substr(url.rfind(':'));
}

bool wants_tls(const EtcdChildOptions& options) {
  return options.client_url.starts_with("https://") || peer_url(options).starts_with("https://");
}

}  // namespace

bool is_numeric_host(const std::string& host) {
  in6_addr address{};
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

Status check_etcd_options(const EtcdChildOptions& options) {
  QV_CHECK(check_members(options));
  if (options.directory.empty()) return invalid("a managed etcd needs a directory");
  if (!is_url(options.client_url)) {
    return invalid("a client url must be like http://127.0.0.1:7701, got \"" + options.client_url +
                   '"');
  }
  if (!options.listen_host.empty() && !is_numeric_host(options.listen_host)) {
    return invalid("etcd listens at numeric addresses, got \"" + options.listen_host + '"');
  }
  if (!is_name(options.cluster_token)) {
    return invalid("\"" + options.cluster_token + "\" cannot be a cluster token");
  }
  if (wants_tls(options) &&
      (options.tls.ca.empty() || options.tls.certificate.empty() || options.tls.key.empty())) {
    return invalid("https for etcd needs a CA, a certificate and its key");
  }
  if (options.heartbeat < milliseconds(10) || options.election_timeout < 5 * options.heartbeat ||
      options.election_timeout > milliseconds(50'000)) {
    return invalid("etcd's election timeout must be 5 heartbeats or more, up to 50 s");
  }
  if (options.snapshot_every.count() < 1 || options.snapshots_kept < 1) {
    return invalid("snapshots must be a second or more apart, and one at least be kept");
  }
  return Done{};
}

EtcdChild::EtcdChild(HttpClient& http, const Clock& clock, fs::path program,
                     EtcdChildOptions options)
    : http_(http),
      clock_(clock),
      program_(std::move(program)),
      options_(std::move(options)),
      snapshots_(options_.directory / "snapshots", options_.snapshots_kept) {}

Result<std::unique_ptr<EtcdChild>> EtcdChild::start(HttpClient& http, const Clock& clock,
                                                    EtcdChildOptions options) {
  QV_CHECK(check_etcd_options(options));
  QV_TRY(auto program, ChildProcess::find(options.program));
  std::error_code failed;
  fs::create_directories(options.directory, failed);
  if (!failed) fs::permissions(options.directory, fs::perms::owner_all, failed);
  if (failed) {
    return Error{ErrorCode::ResourceExhausted,
                 "cannot make " + options.directory.string() + ": " + failed.message()};
  }
  std::unique_ptr<EtcdChild> child(
      new EtcdChild(http, clock, std::move(program), std::move(options)));
  {
    const MutexLock lock(child->mutex_);
    child->thread_ = std::thread([raw = child.get()] { raw->run(); });
  }
  return child;
}

EtcdChild::~EtcdChild() {
  stop();
}

std::vector<std::string> EtcdChild::arguments() const {
  std::string all;
  for (const auto& member : options_.members) {
    all += (all.empty() ? "" : ",") + member.name + '=' + member.peer_url;
  }
  const std::string peer = peer_url(options_);
  std::vector<std::string> out{
      "--name=" + options_.name,
      "--data-dir=" + (options_.directory / "data").string(),
      "--listen-client-urls=" + at_host(options_.client_url, options_.listen_host),
      "--advertise-client-urls=" + options_.client_url,
      "--listen-peer-urls=" + at_host(peer, options_.listen_host),
      "--initial-advertise-peer-urls=" + peer,
      "--initial-cluster=" + all,
      "--initial-cluster-state=new",
      "--initial-cluster-token=" + options_.cluster_token,
      "--heartbeat-interval=" + std::to_string(options_.heartbeat.count()),
      "--election-timeout=" + std::to_string(options_.election_timeout.count()),
      "--pre-vote=true",
      "--auto-compaction-mode=periodic",
      "--auto-compaction-retention=1h",
      "--logger=zap",
      "--log-outputs=stderr",
      "--log-level=warn",
  };
  const auto tls = [&](const std::string& url, const std::string& kind) {
    if (!url.starts_with("https://")) return;
    out.push_back("--" + kind + "cert-file=" + options_.tls.certificate.string());
    out.push_back("--" + kind + "key-file=" + options_.tls.key.string());
    out.push_back("--" + kind + "trusted-ca-file=" + options_.tls.ca.string());
    out.push_back("--" + kind + "client-cert-auth=true");
  };
  tls(options_.client_url, "");
  tls(peer, "peer-");
  if (options_.unsafe_no_fsync) out.emplace_back("--unsafe-no-fsync");
  return out;
}

void EtcdChild::rotate_log() const {
  std::error_code ignored;
  if (fs::file_size(log_file(), ignored) < kLogBytesMax || ignored) return;
  fs::rename(log_file(), log_file().string() + ".1", ignored);
}

void EtcdChild::run() {
  milliseconds wait = kFirstPause;
  while (!stopping_.cancelled()) {
    rotate_log();
    const auto began = steady_clock::now();
    // A variable ETCD_... of the user is meant for an etcd of the user.
    auto child = ChildProcess::start({program_, arguments(), log_file(), "ETCD_"});
    const std::string how = child.ok() ? watch_over(*child) : child.error().message;
    {
      const MutexLock lock(mutex_);
      pid_ = -1;
      if (stopped_) break;
      ++ends_;
      last_end_ = how;
      changed_.notify_all();
    }
    if (steady_clock::now() - began > kRanWell) wait = kFirstPause;
    QV_LOG_WARN("etcd_ended how=\"{}\" log={} again_in_ms={}", how, log_file().string(),
                wait.count());
    if (pause(wait)) break;
    wait = std::min(2 * wait, kLongestPause);
  }
}

std::string EtcdChild::watch_over(ChildProcess& child) {
  {
    const MutexLock lock(mutex_);
    pid_ = child.pid();
    changed_.notify_all();
  }
  QV_LOG_INFO("etcd_started pid={} client_url={}", child.pid(), options_.client_url);
  while (true) {
    if (auto how = child.ended()) return *how;
    if (pause(kLookEvery)) return end(child);
    snapshot_if_due();
  }
}

std::string EtcdChild::end(ChildProcess& child) {
  child.ask_to_end();
  const auto until = steady_clock::now() + options_.stop_timeout;
  while (steady_clock::now() < until) {
    if (auto how = child.ended()) return *how;
    std::this_thread::sleep_for(kLookEvery);
  }
  QV_LOG_WARN("etcd_killed pid={} did_not_end_within_ms={}", child.pid(),
              options_.stop_timeout.count());
  child.kill();
  return *child.ended();
}

bool EtcdChild::pause(milliseconds time) {
  const auto until = steady_clock::now() + time;
  const MutexLock lock(mutex_);
  while (!stopped_ && steady_clock::now() < until) changed_.wait_until(mutex_, until);
  return stopped_;
}

void EtcdChild::snapshot_if_due() {
  const auto every = std::chrono::duration_cast<milliseconds>(options_.snapshot_every).count();
  const std::int64_t now = clock_.wall_ms();
  if (now < next_snapshot_ms_) return;
  if (const auto newest = snapshots_.newest(); newest && *newest <= now && now - *newest < every) {
    next_snapshot_ms_ = *newest + every;
    return;
  }
  CallContext call;
  call.cancel = stopping_;
  call.deadline = steady_clock::now() + kSnapshotTimeout;
  const auto taken = snapshots_.take(http_, call, options_.client_url, now);
  next_snapshot_ms_ = now + (taken.ok() ? every : kSnapshotRetryMs);
  if (!taken.ok()) QV_LOG_DEBUG("etcd_snapshot_failed error=\"{}\"", taken.error().message);
}

bool EtcdChild::healthy(const CallContext& call) {
  CallContext one = call;
  const auto until = steady_clock::now() + kHealthTimeout;
  one.deadline = call.deadline ? std::min(*call.deadline, until) : until;
  const auto reply = http_.send(one, options_.client_url, {"GET", "/health", {}, {}});
  if (!reply.answered() || reply.response.status != 200) return false;
  const Json said = Json::parse(reply.response.body, nullptr, false);
  return said.is_object() && said.contains("health") && said["health"] == "true";
}

Error EtcdChild::failure(ErrorCode code, const std::string& what) const {
  std::string message = what;
  {
    const MutexLock lock(mutex_);
    if (!last_end_.empty()) message += "; it " + last_end_;
  }
  std::ifstream log(log_file(), std::ios::binary | std::ios::ate);
  if (log) {
    const std::streamoff size = log.tellg();
    log.seekg(std::max<std::streamoff>(0, size - kTailBytes));
    const std::string tail((std::istreambuf_iterator<char>(log)), {});
    message += ". The end of " + log_file().string() + ":\n" + tail;
  }
  return {code, std::move(message)};
}

Status EtcdChild::wait_ready(const CallContext& call) {
  while (true) {
    if (healthy(call)) return Done{};
    if (ends() >= kEndsToGiveUp) return failure(ErrorCode::Unavailable, "etcd does not start");
    if (!call.check().ok())
      return failure(ErrorCode::DeadlineExceeded, "etcd is not ready in time");
    if (pause(kLookEvery)) return Error{ErrorCode::Unavailable, "etcd was stopped"};
  }
}

void EtcdChild::stop() {
  std::thread thread;
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
    thread = std::move(thread_);
  }
  stopping_.cancel();
  if (thread.joinable()) thread.join();
}

pid_t EtcdChild::pid() const {
  const MutexLock lock(mutex_);
  return pid_;
}

std::size_t EtcdChild::ends() const {
  const MutexLock lock(mutex_);
  return ends_;
}

}  // namespace quiver::cluster
