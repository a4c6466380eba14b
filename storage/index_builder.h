#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <thread>
#include <vector>

#include "core/mutex.h"

namespace quiver::storage {

/// The threads that build indexes in the background, shared by all indexes of a node.
///
/// Indexes with work take turns, a step each; several threads may work on the same index.
///
/// Threads: any. Must outlive its clients.
class IndexBuilder {
 public:
  /// Something with work to do.
  class Client {
   public:
    virtual ~Client() = default;
    /// Does some tens of milliseconds of work at most. False: nothing is left that another thread
    /// could do now. Called from several threads at once, and never again once it is forgotten.
    virtual bool build_step() = 0;
  };

  /// `threads` is at least 1.
  explicit IndexBuilder(std::uint32_t threads);
  ~IndexBuilder();
  IndexBuilder(const IndexBuilder&) = delete;
  IndexBuilder& operator=(const IndexBuilder&) = delete;

  /// Has build_step() called until it returns false, and at least once after this call.
  void schedule(Client& client);
  /// Returns when no thread is in the client's build_step() and none will enter it.
  void forget(Client& client);

 private:
  struct Turn {
    Client* client;
    /// Threads in build_step().
    std::size_t running = 0;
    /// Another thread may enter build_step().
    bool wanted = false;
    /// Calls of schedule() and steps that left more to do.
    std::uint64_t requests = 0;
    bool leaving = false;
  };
  using Turns = std::list<Turn>;

  void run();
  Turns::iterator next_turn() QV_REQUIRES(mutex_);
  Turns::iterator find(const Client& client) QV_REQUIRES(mutex_);

  Mutex mutex_;
  CondVar work_;
  CondVar idle_;
  /// Who waited longest is first.
  Turns turns_ QV_GUARDED_BY(mutex_);
  bool stopping_ QV_GUARDED_BY(mutex_) = false;
  /// Last: the threads see the members above.
  std::vector<std::thread> threads_;
};

}  // namespace quiver::storage
