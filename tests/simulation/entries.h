#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "cluster/replication/history.h"
#include "core/ids.h"
#include "core/mutation.h"

/// What the simulated shard stores: a few keys, each with the write that it last saw.
namespace quiver::simulation {

constexpr std::size_t kKeys = 6;

/// Numbers a client's write over all its attempts, from 1. Its value is the number itself.
using WriteId = std::uint32_t;

inline RequestId request_id(WriteId write) {
  RequestId id;
  std::memcpy(id.bytes.data(), &write, sizeof write);
  return id;
}

struct Entry {
  Term term{0};
  WriteId write = 0;
  std::uint8_t key = 0;
  bool erases = false;

  bool operator==(const Entry&) const = default;
};

struct Cell {
  LogPosition version;
  WriteId write = 0;
  bool erased = false;

  bool operator==(const Cell&) const = default;
};

/// The state half of a shard: a pure function of its log.
class State {
 public:
  Seq at() const noexcept { return at_; }
  const Cell& cell(std::size_t key) const { return cells_[key]; }
  /// Where a write took effect; term 0 if it did not.
  LogPosition applied(WriteId write) const {
    return write < applied_.size() ? applied_[write] : LogPosition{};
  }
  /// The entry behind at(). A write that was applied before changes nothing, if `once`.
  void apply(const Entry& entry, bool once) {
    at_ = next(at_);
    if (once && applied(entry.write).term != Term{0}) return;
    if (applied_.size() <= entry.write) applied_.resize(entry.write + 1);
    applied_[entry.write] = {entry.term, at_};
    cells_[entry.key] = {{entry.term, at_}, entry.write, entry.erases};
  }
  bool operator==(const State&) const = default;

 private:
  Seq at_{0};
  std::array<Cell, kKeys> cells_{};
  std::vector<LogPosition> applied_;
};

/// A whole copy as a snapshot carries it.
struct Image {
  State state;
  cluster::replication::History history;
};

}  // namespace quiver::simulation
