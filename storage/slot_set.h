#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace quiver::storage {

/// Dense, shard-local number of one version of a point. Never reused and never leaves the shard;
/// PointStore maps it to a PointId.
enum class Slot : std::uint32_t {};

constexpr std::uint32_t raw(Slot slot) noexcept {
  return static_cast<std::uint32_t>(slot);
}

/// A set of slots as a bitmap: one bit for every slot up to the largest one in it.
///
/// Threads: like a standard container.
class SlotSet {
 public:
  void insert(Slot slot) {
    const std::size_t word = raw(slot) / 64;
    if (word >= words_.size()) words_.resize(word + 1);
    const std::uint64_t bit = std::uint64_t{1} << (raw(slot) % 64);
    count_ += (words_[word] & bit) == 0 ? 1 : 0;
    words_[word] |= bit;
  }
  void erase(Slot slot) {
    const std::size_t word = raw(slot) / 64;
    if (word >= words_.size()) return;
    const std::uint64_t bit = std::uint64_t{1} << (raw(slot) % 64);
    count_ -= (words_[word] & bit) != 0 ? 1 : 0;
    words_[word] &= ~bit;
  }
  /// Inserts the slot `64 * word + i` for every bit i of `bits`.
  void insert_word(std::size_t word, std::uint64_t bits) {
    if (bits == 0) return;
    if (word >= words_.size()) words_.resize(word + 1);
    count_ += static_cast<std::size_t>(std::popcount(bits & ~words_[word]));
    words_[word] |= bits;
  }
  bool contains(Slot slot) const noexcept {
    const std::size_t word = raw(slot) / 64;
    return word < words_.size() && ((words_[word] >> (raw(slot) % 64)) & 1U) != 0;
  }
  std::size_t size() const noexcept { return count_; }
  bool empty() const noexcept { return count_ == 0; }

  SlotSet& operator|=(const SlotSet& other) {
    if (other.words_.size() > words_.size()) words_.resize(other.words_.size());
    for (std::size_t i = 0; i < other.words_.size(); ++i) words_[i] |= other.words_[i];
    recount();
    return *this;
  }
  SlotSet& operator&=(const SlotSet& other) {
    if (words_.size() > other.words_.size()) words_.resize(other.words_.size());
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= other.words_[i];
    recount();
    return *this;
  }
  /// Set difference.
  SlotSet& operator-=(const SlotSet& other) {
    const std::size_t shared = std::min(words_.size(), other.words_.size());
    for (std::size_t i = 0; i < shared; ++i) words_[i] &= ~other.words_[i];
    recount();
    return *this;
  }

  /// Calls `visit(Slot)` in ascending order; stops early if it returns false.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      for (std::uint64_t word = words_[i]; word != 0; word &= word - 1) {
        const auto low = static_cast<std::size_t>(std::countr_zero(word));
        if (!visit(Slot{static_cast<std::uint32_t>(i * 64 + low)})) return;
      }
    }
  }

 private:
  void recount() {
    count_ = 0;
    for (const auto word : words_) count_ += static_cast<std::size_t>(std::popcount(word));
  }

  std::vector<std::uint64_t> words_;
  std::size_t count_ = 0;
};

}  // namespace quiver::storage
