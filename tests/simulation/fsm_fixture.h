#pragma once

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "cluster/replication/replication_fsm.h"

namespace quiver::simulation {

using namespace cluster::replication;
using cluster::CopyPlace;
using cluster::Revision;
using cluster::ShardState;
using std::chrono::milliseconds;
using std::chrono::seconds;

inline CopyId copy(const char* name) {
  return {name};
}

inline ShardState record_of(std::uint64_t term, const char* primary,
                            const std::vector<const char*>& in_sync,
                            const std::vector<const char*>& copies) {
  ShardState record;
  record.term = Term{term};
  record.primary = copy(primary);
  for (const char* name : in_sync) record.in_sync.push_back(copy(name));
  for (const char* name : copies) record.copies.emplace(copy(name), CopyPlace{{name}});
  return record;
}

/// A disk's contents: one entry for each of `terms`, all applied but those behind `applied`.
inline Persisted disk_of(std::uint64_t seen, const std::vector<std::uint64_t>& terms,
                         std::uint64_t applied) {
  Persisted persisted;
  persisted.seen = Term{seen};
  for (const std::uint64_t term : terms) persisted.history.append(Term{term});
  persisted.applied = Seq{applied};
  persisted.unapplied.resize(terms.size() - applied);
  return persisted;
}

inline RequestId request(std::uint8_t number) {
  RequestId id;
  id.bytes[0] = number;
  return id;
}

/// Copy "a" with a disk that syncs when it is told to.
class Subject {
 public:
  explicit Subject(const Persisted& persisted = {}, const ReplicationOptions& options = {})
      : fsm(copy("a"), persisted, now, options, rules_) {}

  /// What follows from `event` after `pause`.
  const Actions& step(const Event& event, Duration pause = {}) {
    now += pause;
    actions.clear();
    fsm.step(now, event, actions);
    for (const Action& action : actions) {
      std::visit(
          [this](const auto& what) {
            if constexpr (requires { what.ticket; }) issued = what.ticket;
          },
          action);
    }
    return actions;
  }
  const Actions& sync() { return step(Synced{issued}); }
  /// Ticks until `time` has passed; what the last one brought.
  void wait(Duration time) {
    const Time end = now + time;
    Actions all;
    while (now < end) {
      const Actions& some = step(Tick{}, std::min<Duration>(end - now, milliseconds{100}));
      all.insert(all.end(), some.begin(), some.end());
    }
    actions = std::move(all);
  }
  const Actions& see(const ShardState& record, std::uint64_t revision) {
    return step(RecordSeen{record, Revision{revision}});
  }
  const Actions& receive(const char* from, Message message, std::vector<EntryHead> heads = {}) {
    return step(Received{copy(from), std::move(message), std::move(heads)});
  }
  const Actions& write(std::uint64_t tag, std::uint8_t id = 0, Seen seen = Seen::No) {
    return step(WriteAsked{Tag{tag}, request(id), seen, now + seconds{10}});
  }
  const Actions& read(ReadLevel level, std::uint64_t token = 0) {
    return step(ReadAsked{Tag{99}, level, Seq{token}});
  }
  /// From "b", for all that it was sent.
  const Actions& acknowledge(std::uint64_t matched, const char* from = "b") {
    return receive(from, Ack{fsm.seen(), Seq{matched}, now});
  }
  /// Makes it the serving primary of term 1, with `in_sync` of `copies`.
  void lead(const std::vector<const char*>& in_sync, const std::vector<const char*>& copies) {
    see(record_of(1, "a", in_sync, copies), 1);
    sync();
    for (int i = 0; i < 7; ++i) {
      for (const char* name : copies) {
        if (name != std::string{"a"}) acknowledge(raw(fsm.log().tail()), name);
      }
      wait(milliseconds{500});
    }
  }

  /// The last action of this kind in what the last step brought; null if there is none.
  template <typename T>
  const T* last() const {
    for (auto action = actions.rbegin(); action != actions.rend(); ++action) {
      if (const T* found = std::get_if<T>(&*action)) return found;
    }
    return nullptr;
  }
  /// The same of messages.
  template <typename T>
  const T* sent(const char* to = "b") const {
    for (auto action = actions.rbegin(); action != actions.rend(); ++action) {
      const Send* const found = std::get_if<Send>(&*action);
      if (found == nullptr || found->to != copy(to)) continue;
      if (const T* message = std::get_if<T>(&found->message)) return message;
    }
    return nullptr;
  }
  bool answered(WriteOutcome outcome) const {
    const AnswerWrite* const answer = last<AnswerWrite>();
    return answer != nullptr && answer->outcome == outcome;
  }
  bool answered(ReadOutcome outcome) const {
    const AnswerRead* const answer = last<AnswerRead>();
    return answer != nullptr && answer->outcome == outcome;
  }

  Time now{std::chrono::hours{1}};
  Ticket issued{0};
  Actions actions;

 private:
  SafetyRules rules_;

 public:
  ReplicationFsm fsm;
};

}  // namespace quiver::simulation
