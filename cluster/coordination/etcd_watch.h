#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include "cluster/coordination/etcd_gateway.h"
#include "cluster/coordination/etcd_json.h"
#include "cluster/coordination/store.h"
#include "core/mutex.h"

namespace quiver::cluster {

/// Splits bytes that come in pieces into lines.
class LineSplitter {
 public:
  /// Calls `line` for each line that `bytes` completes. False once a line is longer than
  /// `line_bytes_max` or `line` says so.
  bool feed(std::string_view bytes, std::size_t line_bytes_max,
            const std::function<bool(std::string_view)>& line);

 private:
  std::string rest_;
};

/// A watch in etcd, on a thread of its own. Goes on after every loss with the revision that follows
/// the last it knows, on another member if need be, and lists again when that was compacted away.
class EtcdWatch final : public Watch {
 public:
  using Relist = std::function<Result<Listing>(const CallContext&)>;

  /// `prefix` as etcd sees it. `gateway` must outlive it.
  EtcdWatch(EtcdGateway& gateway, std::string prefix, Revision after, Relist relist,
            WatchCallback callback);
  ~EtcdWatch() override;

 private:
  void run();
  /// False if there is nothing more to do.
  bool next_call(CallContext& call) QV_EXCLUDES(mutex_);
  void pause(std::chrono::milliseconds time) QV_EXCLUDES(mutex_);
  bool list_again(const CallContext& call);
  /// Returns whether the member answered.
  bool follow(const CallContext& call);
  /// False: the stream is of no more use.
  bool take(std::string_view line);

  EtcdGateway& gateway_;
  const std::string prefix_;
  const Relist relist_;
  const WatchCallback callback_;
  /// Of the thread alone.
  Revision after_;
  bool missed_ = false;
  bool heard_ = false;

  Mutex mutex_;
  CondVar stopping_;
  bool stopped_ QV_GUARDED_BY(mutex_) = false;
  CancelToken under_way_ QV_GUARDED_BY(mutex_) = CancelToken::make();
  std::thread thread_;
};

}  // namespace quiver::cluster
