#pragma once

#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/upkeep/upkeep_planner.h"
#include "tests/cluster/placement_cluster.h"

// A cluster whose servers die, come back, lose their disks and are suspected without reason, whose
// store loses answers, and whose primaries do what the rules of replication allow, with all of an
// exchange in one step. Several controllers look after it, each with what it believes. A judge sees
// everything.
namespace quiver::cluster::testing {

/// Controllers that break a rule, for the judge to find.
enum class Wrong {
  Nothing,
  /// A copy that answers becomes primary, in sync or not.
  PromotesAnybody,
  /// A record is written although it is not the one that the change was decided on.
  NoCompare,
};

struct WalkSpec {
  std::uint64_t seed = 0;
  std::size_t servers = 5;
  /// 0: every server fails alone.
  std::size_t zones = 0;
  Wrong wrong = Wrong::Nothing;
};

class UpkeepWorld {
 public:
  explicit UpkeepWorld(const WalkSpec& spec);

  /// One second, with troubles or without.
  void step(bool troubled);
  /// From here on everything works, but for a server that never comes back, and nobody is
  /// suspected.
  void heal();
  /// What is not as it should be; empty: all is well.
  std::string wrong();
  /// The first thing that must never be; empty: it was not.
  const std::string& violation() const noexcept { return violation_; }

  struct Counts {
    std::size_t promotions = 0;
    /// Of these, with the old primary up.
    std::size_t deposed_alive = 0;
    std::size_t adds = 0;
    std::size_t drops = 0;
    std::size_t hand_offs = 0;
    std::size_t acknowledged = 0;
    std::size_t lost_shards = 0;
    std::size_t changes = 0;
  };
  const Counts& counts() const noexcept { return counts_; }

 private:
  using Log = std::vector<std::pair<Term, std::uint64_t>>;
  struct Server {
    bool up = true;
    bool never_returns = false;
    bool cut_from_store = false;
    /// By controller: it believes that this one is down.
    std::vector<bool> suspected;
  };
  struct Copy {
    std::size_t shard = 0;
    NodeId node;
    bool made = true;
    /// Its files are there.
    bool there = true;
    bool failed = false;
    bool heard = false;
    Term seen{1};
    Log log;
    /// What it knows of its shard's record, and what may have become of it.
    ShardState known;
    std::optional<ShardState> unsure;
    /// As primary: its term; 0: none. After a restart it takes another.
    Term reigns{0};
    bool restarted = false;
    std::optional<CopyId> hand_off_to;
    std::set<CopyId> drop;
    std::map<CopyId, int> silent;
  };
  struct Shard {
    std::string collection;
    ShardId number{0};
    /// Acknowledged writes, in order.
    Log acknowledged;
    /// All that had them lost their disks: nothing is promised any more.
    bool lost = false;
    std::map<Term, CopyId> primaries;
  };
  struct Controller {
    UpkeepPlanner planner{UpkeepOptions{}};
    /// What it saw last, which may be outdated.
    ClusterView view;
  };

  bool chance(double probability);
  std::size_t below(std::size_t bound);
  NodeId any_server();
  void fail(const std::string& what);
  ShardState record(const Shard& shard) const;
  /// Changes a record, under the eyes of the judge.
  void put(Shard& shard, ShardState state);

  void trouble();
  void trouble_servers();
  void trouble_membership();
  void stop(const NodeId& node);
  void wipe(const NodeId& node);
  void remove_emptied();
  std::size_t active() const;

  void act(Copy& copy, const CopyId& id);
  bool learn(Copy& copy, const CopyId& id);
  void reign(Copy& copy, const CopyId& id);
  void lead(Copy& primary, const CopyId& id);
  bool accepts(Copy& primary, Copy& other);
  void propose(Copy& primary, const CopyId& id, const std::set<CopyId>& reached, bool committed);
  void swap(Copy& by, ShardState desired);

  void check(Shard& shard);
  void look_after(std::size_t controller);
  void carry_out(const ShardChange& change);
  /// What a controller that breaks a rule writes.
  ShardState spoil(const Shard& shard, const ShardChange& change);
  void judge_controller(const ShardState& before, const ShardState& after);
  Liveness liveness_of(std::size_t controller) const;
  CopyReports reports_of(const ClusterView& view, const Liveness& liveness);
  bool works(const Copy& copy) const;

  std::mt19937_64 random_;
  const WalkSpec spec_;
  std::uint64_t next_server_ = 0;
  std::uint64_t drawn_ = 0;
  std::uint64_t written_ = 0;
  PaperCluster cluster_;
  std::map<NodeId, Server> servers_;
  std::map<NodeId, std::uint64_t> numbers_;
  std::set<std::pair<NodeId, NodeId>> parted_;
  std::map<CopyId, Copy> copies_;
  std::vector<Shard> shards_;
  std::vector<Controller> controllers_;
  std::vector<ShardState> solo_;
  replication::Time now_ = replication::Time() + std::chrono::hours(1);
  bool troubled_ = false;
  std::string violation_;
  Counts counts_;
};

}  // namespace quiver::cluster::testing
