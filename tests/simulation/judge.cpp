#include "tests/simulation/judge.h"

namespace quiver::simulation {
namespace {

std::string at(Seq seq) {
  return " at " + std::to_string(raw(seq));
}

}  // namespace

void Judge::applied(char copy, Seq seq, const Entry& entry) {
  if (raw(seq) <= committed_.size()) {
    if (committed(seq) == entry) return;
    return fail(std::string{"copy "} + copy + " shows another entry than others" + at(seq));
  }
  if (raw(seq) != committed_.size() + 1) {
    return fail(std::string{"copy "} + copy + " left entries out before" + at(seq));
  }
  committed_.push_back(entry);
  if (place_of_.size() <= entry.write) place_of_.resize(entry.write + 1);
  Seq& place = place_of_[entry.write];
  if (place != Seq{0}) {
    fail("write " + std::to_string(entry.write) + " is in the log twice," + at(place) + " and" +
         at(seq));
  }
  place = seq;
}

void Judge::reigned(char copy, Term term) {
  const auto [known, fresh] = primaries_.emplace(term, copy);
  if (!fresh && known->second != copy) {
    fail("two primaries in term " + std::to_string(raw(term)));
  }
}

void Judge::acknowledged(LogPosition position, WriteId write) {
  if (position.seq > committed_through()) {
    return fail("an acknowledged write that nobody applied" + at(position.seq));
  }
  const Entry& entry = committed(position.seq);
  if (entry.write != write || entry.term != position.term) {
    return fail("another write than the acknowledged one is committed" + at(position.seq));
  }
  acknowledged_.emplace(position.seq, write);
}

void Judge::finish() {
  for (const WriteId write : refused_) {
    if (write < place_of_.size() && place_of_[write] != Seq{0}) {
      fail("write " + std::to_string(write) + " was refused and took effect");
    }
  }
}

}  // namespace quiver::simulation
