#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cluster/coordination/child_process.h"
#include "cluster/coordination/etcd_snapshot.h"
#include "core/clock.h"
#include "core/http_client.h"
#include "core/mutex.h"

namespace quiver::cluster {

struct EtcdMember {
  /// Letters, digits, '-', '_' and '.'.
  std::string name;
  /// "http://10.0.0.1:7702"
  std::string peer_url;
};

struct EtcdChildOptions {
  /// Its own; made if it is not there, readable by nobody else.
  std::filesystem::path directory;
  /// This member, one of `members`.
  std::string name;
  /// All first members, the same list on each of them: 1, 3, 5 or 7.
  std::vector<EtcdMember> members;
  /// Where this member serves clients: "http://127.0.0.1:7701".
  std::string client_url;
  /// Numeric; where it listens, at the ports of its urls: etcd binds no names. Empty: at the
  /// addresses of its urls.
  std::string listen_host;
  /// Tells this cluster from others.
  std::string cluster_token;
  /// A name to be looked up in PATH, or a path.
  std::string program = "etcd";
  /// For urls with https: every client and every member shows a certificate of this CA.
  TlsFiles tls;
  std::chrono::milliseconds heartbeat{100};
  std::chrono::milliseconds election_timeout{1'000};
  /// A snapshot into snapshots/ each time this has passed.
  std::chrono::seconds snapshot_every{3'600};
  std::size_t snapshots_kept = 3;
  /// How long it may take to end before it is killed. A leader hands its office on first.
  std::chrono::milliseconds stop_timeout{10'000};
  /// Its writes survive a crash of it, not of the machine: for tests and development.
  bool unsafe_no_fsync = false;
};

/// The etcd that this server runs for its cluster: started, watched, started again when it ends,
/// and stopped in order.
///
/// Whatever becomes of it, this process goes on. What etcd says goes to etcd.log in its directory.
///
/// Threads: any. One of its own.
class EtcdChild {
 public:
  /// Returns before etcd is ready. `http` and `clock` must outlive it.
  ///
  /// Errors: InvalidArgument for options that cannot be used; FailedPrecondition if there is no
  /// such program; ResourceExhausted if the directory cannot be made.
  static Result<std::unique_ptr<EtcdChild>> start(HttpClient& http, const Clock& clock,
                                                  EtcdChildOptions options);
  /// stop().
  ~EtcdChild();

  /// Waits until this member serves writes, which takes a majority of the members.
  ///
  /// Errors: Unavailable with the end of etcd's log if it ended twice before that; DeadlineExceeded
  /// with the same.
  Status wait_ready(const CallContext& call);
  /// Ends it and waits for that. It is not started again.
  void stop();

  /// -1: it does not run now.
  pid_t pid() const;
  /// How many times it ended by itself.
  std::size_t ends() const;
  const std::string& client_url() const noexcept { return options_.client_url; }
  std::filesystem::path log_file() const { return options_.directory / "etcd.log"; }

 private:
  using Time = std::chrono::steady_clock::time_point;

  EtcdChild(HttpClient& http, const Clock& clock, std::filesystem::path program,
            EtcdChildOptions options);

  void run();
  /// Until it ends or is to be stopped; says how it ended.
  std::string watch_over(ChildProcess& child);
  std::string end(ChildProcess& child);
  void snapshot_if_due();
  /// Returns whether it is to be stopped.
  bool pause(std::chrono::milliseconds time) QV_EXCLUDES(mutex_);
  bool healthy(const CallContext& call);
  Error failure(ErrorCode code, const std::string& what) const;
  void rotate_log() const;
  std::vector<std::string> arguments() const;

  HttpClient& http_;
  const Clock& clock_;
  const std::filesystem::path program_;
  const EtcdChildOptions options_;
  const EtcdSnapshots snapshots_;
  /// Fires when it is to be stopped.
  const CancelToken stopping_ = CancelToken::make();
  /// Of the thread alone. Unix milliseconds.
  std::int64_t next_snapshot_ms_ = 0;

  mutable Mutex mutex_;
  CondVar changed_;
  bool stopped_ QV_GUARDED_BY(mutex_) = false;
  pid_t pid_ QV_GUARDED_BY(mutex_) = -1;
  std::size_t ends_ QV_GUARDED_BY(mutex_) = 0;
  std::string last_end_ QV_GUARDED_BY(mutex_);
  std::thread thread_ QV_GUARDED_BY(mutex_);
};

/// Whether it is an address rather than a name, which etcd cannot listen at.
bool is_numeric_host(const std::string& host);

/// Errors: InvalidArgument.
Status check_etcd_options(const EtcdChildOptions& options);

}  // namespace quiver::cluster
