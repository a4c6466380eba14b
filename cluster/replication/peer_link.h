#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>

#include "cluster/replication/parcel.h"
#include "core/call_context.h"
#include "core/mutex.h"
#include "thrift/node_handler.h"

namespace quiver::cluster::replication {

/// The way of all copies here to those on one other server: two lanes, each with a queue, a thread
/// and a connection of its own. Entries go by the one, signs of life and answers by the other, so
/// that they do not wait behind entries.
///
/// What has gathered while a call is under way goes with the next one. Of two messages of which the
/// later says all that the earlier did the earlier is dropped; so is what finds a queue full, and
/// what is queued when the other server cannot be reached: the copies send again what matters.
///
/// Threads: any.
class PeerLink {
 public:
  struct Options {
    /// Bytes at which a call is sent off.
    std::size_t call_bytes = std::size_t{4} << 20;
    /// Of each queue.
    std::size_t queue_bytes = std::size_t{64} << 20;
    std::chrono::milliseconds call_time{5'000};
    /// Behind a call that failed; doubled for each further one.
    std::chrono::milliseconds pause{20};
    std::chrono::milliseconds pause_max{1'000};
  };
  /// The server at the other end. Errors: it is not known where it is.
  using Connect = std::function<Result<std::shared_ptr<thrift::NodeHandler>>()>;
  /// A parcel was not taken there.
  using Refused = std::function<void(const Parcel& parcel, const Error& why)>;

  PeerLink(Connect connect, Refused refused, const Options& options);
  /// Drops what is queued, and waits for calls that are under way.
  ~PeerLink();
  PeerLink(const PeerLink&) = delete;
  PeerLink& operator=(const PeerLink&) = delete;

  void send(Parcel parcel);

  struct Figures {
    std::uint64_t calls = 0;
    std::uint64_t parcels = 0;
    std::uint64_t entries = 0;
    /// Not sent: superseded, no room, or the other server could not be reached.
    std::uint64_t dropped = 0;
    std::uint64_t refused = 0;
  };
  Figures figures() const;

 private:
  class Lane;

  template <typename Change>
  void note(Change change) {
    const MutexLock lock(mutex_);
    change(figures_);
  }

  const Connect connect_;
  const Refused refused_;
  const Options options_;
  mutable Mutex mutex_;
  Figures figures_ QV_GUARDED_BY(mutex_);
  /// Last: their threads use all above.
  std::unique_ptr<Lane> entries_;
  std::unique_ptr<Lane> pulse_;
};

}  // namespace quiver::cluster::replication
