#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "cluster/replication/promotion.h"
#include "cluster/replication/replication_fsm.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/sim_disk.h"

namespace quiver::simulation {

struct World;

using namespace cluster::replication;
using cluster::Revision;
using cluster::ShardState;

/// A message with what travels beside it.
struct Packet {
  Received received;
  std::vector<Entry> bodies;
};

/// A client's write as it reaches a copy.
struct WriteCall {
  Tag tag{0};
  WriteId write = 0;
  std::uint8_t key = 0;
  bool erases = false;
  Micros deadline = 0;
};

/// One copy: the real ReplicationFsm, and a shell around it that persists, sends and times.
class SimCopy {
 public:
  SimCopy(World& world, std::size_t number, Revision born);

  CopyId id() const { return {std::string(1, letter())}; }
  char letter() const { return static_cast<char>('a' + number_); }
  std::size_t number() const noexcept { return number_; }

  void boot();
  void crash();
  void pause();
  void resume();
  /// For good.
  void lose_disk();
  void fail_disk();
  void slow_down(Micros until) { slow_until_ = until; }
  void trim();

  bool up() const noexcept { return fsm_ != nullptr; }
  bool paused() const noexcept { return paused_; }
  bool lost() const noexcept { return lost_; }
  bool failed() const { return up() && fsm_->role() == Role::Failed; }
  bool retired() const noexcept { return retired_; }
  /// Answers when it is asked.
  bool answers() const { return up() && !paused_ && !failed() && !retired_; }

  void receive(Packet packet);
  void write(const WriteCall& call);
  void read(const ReadAsked& read, std::uint8_t key);
  void see_record(const ShardState& record, Revision revision);
  void command(const Event& event);

  bool serves() const { return up() && fsm_->serving(time()); }
  /// Null while it is down.
  const ReplicationFsm* fsm() const noexcept { return fsm_.get(); }
  const SimDisk& disk() const noexcept { return disk_; }
  const State& state() const noexcept { return state_; }

 private:
  struct ReadKey {
    Tag tag{0};
    std::uint8_t key = 0;
  };

  /// By its own clock.
  Time time() const;
  /// Now, or when it is no longer paused; never if it crashed in between.
  void run(std::function<void()> work);
  void later(Micros delay, std::function<void()> work);
  void step(const Event& event);
  void tick();
  void poll_record();
  void start_sync();

  void act(const PersistTerm& action);
  void act(const AppendWrite& action);
  void act(const AppendReceived& action);
  void act(const TruncateAfter& action);
  void act(const InstallSnapshot& action);
  void act(const ApplyThrough& action);
  void act(const Send& action);
  void act(const SendSnapshot& action);
  void act(const SwapRecord& action);
  void act(const ReadRecord& action);
  void act(const Retire& action);
  void act(const AnswerWrite& action);
  void act(const AnswerRead& action);

  World& world_;
  const std::size_t number_;
  const Revision born_;
  /// Its clock began at another time, and runs faster or slower.
  const Micros clock_began_;
  const double clock_rate_;
  SimDisk disk_;
  bool lost_ = false;
  bool retired_ = false;
  /// How far the state on disk has come at most, while it is down.
  Seq applied_{0};
  Micros slow_until_ = 0;

  // Of this incarnation.
  std::uint64_t incarnation_ = 0;
  std::unique_ptr<ReplicationFsm> fsm_;
  bool paused_ = false;
  std::vector<std::function<void()>> backlog_;
  State state_;
  Ticket issued_{0};
  Ticket synced_{0};
  bool syncing_ = false;
  std::vector<ReadKey> reads_;
  Actions spare_;

  // Of the step under way.
  const Packet* arriving_ = nullptr;
  const Image* image_ = nullptr;
  const WriteCall* call_ = nullptr;
};

}  // namespace quiver::simulation
