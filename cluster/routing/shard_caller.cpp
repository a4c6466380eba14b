#include "cluster/routing/shard_caller.h"

#include <algorithm>
#include <string>
#include <utility>

#include "cluster/routing/hedged_call.h"

namespace quiver::cluster {
namespace {

using Clock = std::chrono::steady_clock;

// The news may come by themselves meanwhile.
constexpr std::chrono::seconds kRefreshTime{2};

/// Ended before its time: by the other end, or on the way to it.
bool is_cut_off(const CallContext& call, const Error& error) {
  return error.code == ErrorCode::DeadlineExceeded && call.check().ok();
}

/// Whether the same may go well in a moment.
bool may_pass(const CallContext& call, const Error& error) {
  return error.code == ErrorCode::Unavailable || error.code == ErrorCode::WrongOwner ||
         is_cut_off(call, error);
}

/// Whether another copy may answer what this one does not.
bool is_of_copy(const CallContext& call, const Error& error) {
  return may_pass(call, error) || error.code == ErrorCode::Corruption ||
         error.code == ErrorCode::ResourceExhausted;
}

}  // namespace

/// What has been tried of one call.
struct ShardCaller::Trial {
  Clock::time_point until;
  std::chrono::milliseconds pause;
  std::size_t rounds = 0;
  bool refreshed = false;
  /// Since when all servers are down that could bring the shard back.
  std::optional<Clock::time_point> gone_since = std::nullopt;
  /// A write that may have taken effect.
  bool outcome_unknown = false;
};

const CollectionView* ShardCaller::find_in(const ClusterView& view) const {
  const auto found = view.collections_by_id.find(spec_.id);
  return found == view.collections_by_id.end() ? nullptr : found->second.get();
}

std::vector<CopyChoice> ShardCaller::choices(const ClusterView& view, const ShardState& state,
                                             const Task& task) const {
  auto& routes = ways_.copies.routes();
  if (!task.level || *task.level == ReadLevel::Linearizable) {
    return routes.order(view, state, {}, false);
  }
  ReadTerms terms{ReadLevel::Eventual, Seq{0}};
  bool fresh = false;
  if (*task.level == ReadLevel::Session) {
    const auto token = routes.tokens().find(spec_.id, task.shard);
    // Without a write to see any copy that follows will do.
    if (raw(token.at) != 0) terms = {ReadLevel::Session, token.at};
    fresh = raw(token.at) != 0 && Clock::now() - token.when < routes.options().fresh;
  }
  return routes.order(view, state, terms, fresh);
}

Result<std::any> ShardCaller::try_copies(const CallContext& call, const ClusterView& view,
                                         const CollectionView& collection, const Task& task) const {
  auto& routes = ways_.copies.routes();
  const auto choices = this->choices(view, collection.shards.at(raw(task.shard)), task);
  const auto asking = [&](const CopyChoice& choice) -> AskCopy {
    return [&, chosen = &choice](const CallContext& with) -> Result<std::any> {
      const CopyRoutes::Busy busy(routes, chosen->node);
      QV_TRY(const auto replica,
             ways_.copies.reach(view, collection, task.shard, chosen->copy, chosen->terms));
      return task.work(*replica, with);
    };
  };
  std::optional<Error> problem;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    const auto begun = Clock::now();
    auto answer = [&]() -> Result<std::any> {
      if (!task.hedged || i + 1 == choices.size()) return asking(choices[i])(call);
      auto hedged = ask_hedged(call, asking(choices[i]), asking(choices[i + 1]),
                               routes.hedge_after(), routes.alarms(), ways_.fan_out);
      if (hedged.second_asked) ++i;
      return std::move(hedged.answer);
    }();
    if (answer.ok() && task.hedged) routes.search_times().add(Clock::now() - begun);
    if (answer.ok() || !is_of_copy(call, answer.error())) return answer;
    // One that may pass says most: then it is worth while to try again.
    if (!problem || !may_pass(call, *problem)) problem = std::move(answer).error();
  }
  if (problem) return *std::move(problem);
  return Error{ErrorCode::Unavailable, "no copy of it can answer now"};
}

void ShardCaller::wait(const CallContext& call, const ClusterView& seen, ShardId shard,
                       Trial& trial) const {
  const auto& before = find_in(seen)->shards.at(raw(shard));
  CallContext pause = call;
  pause.deadline = std::min(trial.until, Clock::now() + trial.pause);
  ways_.views.await(pause, [&](const ClusterView& view) {
    const auto* const collection = find_in(view);
    return collection == nullptr || collection->shards.at(raw(shard)) != before;
  });
  trial.pause = std::min(2 * trial.pause, ways_.copies.routes().options().pause_max);
}

std::optional<Error> ShardCaller::gone(const ClusterView& view, ShardId shard, Trial& trial) const {
  const auto& routes = ways_.copies.routes();
  const auto holders = routes.holders_down(view, find_in(view)->shards.at(raw(shard)));
  if (holders.empty()) {
    trial.gone_since.reset();
    return std::nullopt;
  }
  const auto now = Clock::now();
  if (now - trial.gone_since.value_or(now) >= routes.options().gone) {
    return Error{ErrorCode::Unavailable,
                 "shard " + std::to_string(raw(shard)) + " of collection \"" + spec_.name +
                     "\" is lost for now: every node with a copy that has all of its writes is "
                     "down (" +
                     holders +
                     "). Start one of them again; cluster_list_nodes shows which are down. If none "
                     "will come back, cluster_force_promote makes another copy take over, at the "
                     "loss of writes that it lacks"};
  }
  if (!trial.gone_since) trial.gone_since = now;
  return std::nullopt;
}

Error ShardCaller::final_error(const Task& task, const Trial& trial, Error error) const {
  const std::string shard = "shard " + std::to_string(raw(task.shard));
  if (error.code == ErrorCode::WrongOwner) {
    error = {ErrorCode::Unavailable,
             shard + " of collection \"" + spec_.name + "\" is changing servers; try again"};
  } else if (error.code == ErrorCode::Unavailable && !error.message.starts_with("shard ")) {
    error.message.insert(0, shard + " of collection \"" + spec_.name + "\": ");
  }
  if (trial.outcome_unknown && error.message.find("is not known") == std::string::npos) {
    error = {
        ErrorCode::DeadlineExceeded,
        "whether it took effect is not known, and repeating it did not tell: " + error.message};
  }
  return error;
}

Result<std::any> ShardCaller::call(const CallContext& call, const Task& task) const {
  const auto& options = ways_.copies.routes().options();
  Trial trial{call.deadline.value_or(Clock::now() + options.patience), options.pause};
  CallContext with = call;
  with.deadline = trial.until;
  for (;;) {
    const auto view = ways_.views.current();
    const auto* const collection = find_in(*view);
    if (collection == nullptr) {
      return Error{ErrorCode::NotFound, "collection \"" + spec_.name + "\" was deleted"};
    }
    auto answer = try_copies(with, *view, *collection, task);
    if (answer.ok()) return answer;
    auto problem = std::move(answer).error();
    const bool outdated =
        problem.code == ErrorCode::WrongOwner || problem.code == ErrorCode::Corruption;
    if (!task.level && is_cut_off(with, problem)) trial.outcome_unknown = true;
    if (outdated && !trial.refreshed) {
      trial.refreshed = true;
      CallContext look = with;
      look.deadline = std::min(trial.until, Clock::now() + kRefreshTime);
      // Without the store what is known must do.
      if (ways_.views.refresh(look).ok() && ways_.views.current()->epoch != view->epoch) continue;
    }
    ++trial.rounds;
    const bool in_time = Clock::now() + trial.pause < trial.until && with.check().ok();
    if (!may_pass(with, problem) || !in_time || (!task.patient && trial.rounds > 1)) {
      return final_error(task, trial, std::move(problem));
    }
    if (auto lost = gone(*view, task.shard, trial)) return final_error(task, trial, *lost);
    wait(with, *view, task.shard, trial);
  }
}

}  // namespace quiver::cluster
