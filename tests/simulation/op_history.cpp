#include "tests/simulation/op_history.h"

#include <algorithm>
#include <map>
#include <utility>

namespace quiver::simulation {
namespace {

using Kind = ClientOp::Kind;

bool writes(const ClientOp& op) {
  return op.kind == Kind::Write || op.kind == Kind::Erase;
}

std::string show(LogPosition version) {
  return "(" + std::to_string(raw(version.term)) + ", " + std::to_string(raw(version.seq)) + ")";
}

std::string show(const ClientOp& op) {
  static constexpr const char* kNames[] = {"write", "erase", "newest", "session", "eventual"};
  std::string text = kNames[static_cast<std::size_t>(op.kind)];
  text += " of key " + std::to_string(op.key) + " by client " + std::to_string(op.client);
  text += ", write " + std::to_string(op.write);
  text += op.version ? " at " + show(*op.version) : std::string{" at an unknown version"};
  text += ", from " + std::to_string(op.began);
  return text + " to " + (op.ended ? std::to_string(*op.ended) : std::string{"never"});
}

/// The newest version that had been told at any time.
class Told {
 public:
  explicit Told(std::vector<std::pair<std::int64_t, LogPosition>> told) : told_(std::move(told)) {
    std::sort(told_.begin(), told_.end());
    for (std::size_t i = 1; i < told_.size(); ++i) {
      told_[i].second = std::max(told_[i].second, told_[i - 1].second);
    }
  }
  LogPosition before(std::int64_t time) const {
    const auto end =
        std::lower_bound(told_.begin(), told_.end(), time,
                         [](const auto& one, std::int64_t t) { return one.first < t; });
    return end == told_.begin() ? LogPosition{} : std::prev(end)->second;
  }

 private:
  std::vector<std::pair<std::int64_t, LogPosition>> told_;
};

std::optional<std::string> check_source(const ClientOp& read,
                                        const std::map<WriteId, const ClientOp*>& by_number) {
  if (read.write == 0) {
    if (read.version == LogPosition{} && read.absent) return std::nullopt;
    return "something that nobody wrote: " + show(read);
  }
  const auto found = by_number.find(read.write);
  if (found == by_number.end()) return "a write that was never asked for: " + show(read);
  const ClientOp& write = *found->second;
  const std::string both = show(read) + "; " + show(write);
  if (write.key != read.key) return "what was written under another key: " + both;
  if (read.absent != (write.kind == Kind::Erase)) return "a value for an erasure: " + both;
  if (write.version && write.version != read.version) return "another version: " + both;
  if (write.began > *read.ended) return "a read from the future: " + both;
  return std::nullopt;
}

std::optional<std::string> check_key(const std::vector<const ClientOp*>& ops) {
  std::map<WriteId, const ClientOp*> by_number;
  std::map<LogPosition, WriteId> by_version;
  std::vector<std::pair<std::int64_t, LogPosition>> ended;
  for (const ClientOp* op : ops) {
    if (writes(*op)) by_number.emplace(op->write, op);
    if (!op->version || !op->ended) continue;
    if (op->kind <= Kind::Newest) ended.emplace_back(*op->ended, *op->version);
    const auto [known, fresh] = by_version.emplace(*op->version, op->write);
    if (!fresh && known->second != op->write) return "one version, two writes: " + show(*op);
  }
  const Told told(std::move(ended));
  std::map<std::uint32_t, LogPosition> of_client;
  for (const ClientOp* op : ops) {
    if (!op->version || !op->ended) continue;
    if (!writes(*op)) {
      if (auto wrong = check_source(*op, by_number)) return wrong;
    }
    const LogPosition floor = told.before(op->began);
    if (op->kind == Kind::Newest && *op->version < floor) {
      return "a stale read, " + show(floor) + " was known: " + show(*op);
    }
    if (writes(*op) && *op->version <= floor) {
      return "a version that went back, " + show(floor) + " was known: " + show(*op);
    }
  }
  return std::nullopt;
}

/// A client's session reads never show less than what it has seen of the shard before.
std::optional<std::string> check_sessions(const std::vector<ClientOp>& ops) {
  std::map<std::pair<std::uint32_t, std::uint8_t>, LogPosition> seen;
  for (const ClientOp& op : ops) {
    if (!op.version || !op.ended || op.kind == Kind::Eventual) continue;
    LogPosition& newest = seen[{op.client, op.key}];
    if (op.kind == Kind::Session && *op.version < newest) {
      return "a session that went back from " + show(newest) + ": " + show(op);
    }
    newest = std::max(newest, *op.version);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> contradiction(const std::vector<ClientOp>& ops) {
  std::vector<std::vector<const ClientOp*>> by_key(kKeys);
  for (const ClientOp& op : ops) by_key.at(op.key).push_back(&op);
  for (const auto& of_key : by_key) {
    if (auto wrong = check_key(of_key)) return wrong;
  }
  return check_sessions(ops);
}

}  // namespace quiver::simulation
