#pragma once

#include <array>
#include <vector>

#include "cluster/replication/actions.h"
#include "tests/simulation/op_history.h"
#include "tests/simulation/scheduler.h"

namespace quiver::simulation {

struct World;

/// Agents that write, erase and read, one thing at a time each, and try again with the same request
/// id when they do not know.
class Clients {
 public:
  explicit Clients(World& world) : world_(world) {}

  void start();
  /// What has begun is finished.
  void stop() { stopped_ = true; }
  /// One write and a read of every key, by one client that does not give up.
  void ask_for_everything();
  bool answered_everything() const;

  // Called by copies; answers may still be lost.
  void written(cluster::replication::Tag tag, cluster::replication::WriteOutcome outcome,
               LogPosition position);
  void read(cluster::replication::Tag tag, cluster::replication::ReadOutcome outcome,
            const Cell& cell, Seq at);
  WriteId write_of(cluster::replication::Tag tag) const;

  const std::vector<ClientOp>& ops() const noexcept { return ops_; }

 private:
  static constexpr std::size_t kClients = 3;

  struct Client {
    std::size_t op = 0;
    /// Of the op; later answers are of no interest.
    std::uint64_t attempt = 0;
    std::size_t tries = 0;
    /// Whether an attempt may have had an effect that its answer did not tell.
    bool open = false;
    bool busy = false;
    std::size_t target = 0;
    Seq token{0};
    /// Keys it still has to read, when it asks for everything.
    std::size_t left = 0;
    bool insists = false;
  };

  void begin(std::size_t number);
  void begin(std::size_t number, ClientOp::Kind kind, std::size_t key);
  void attempt(std::size_t number);
  void send(std::size_t number, std::uint64_t attempt);
  void try_again(std::size_t number);
  void give_up(std::size_t number);
  void end(std::size_t number, LogPosition version);
  void rest(std::size_t number);
  void choose_target(Client& client);
  /// Of a client that still waits for this answer.
  Client* waiting(cluster::replication::Tag tag);

  World& world_;
  std::array<Client, kClients> clients_;
  std::vector<ClientOp> ops_;
  struct Attempt {
    std::size_t client;
    std::size_t op;
  };
  std::vector<Attempt> attempts_;
  WriteId writes_ = 0;
  bool stopped_ = false;
};

}  // namespace quiver::simulation
