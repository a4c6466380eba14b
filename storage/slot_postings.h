#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

#include "storage/slot_set.h"

namespace quiver::storage {

/// A set of slots that is small when it holds little: what an index keeps for each value.
///
/// One slot takes no memory of its own, and a few are a sorted array. More are kept in chunks of
/// 65,536 slots, each a sorted array or, where many are set, a bitmap, as in Roaring bitmaps: about
/// two bytes for a slot, and changes cost the same however large the set is.
///
/// Source: Chambi, Lemire, Kaser, Godin 2016, arXiv 1402.6407.
///
/// Threads: like a standard container.
class SlotPostings {
 public:
  SlotPostings() = default;
  SlotPostings(SlotPostings&& other) noexcept;
  SlotPostings& operator=(SlotPostings&& other) noexcept;

  /// False if the slot was there.
  bool insert(Slot slot);
  /// False if the slot was not there.
  bool erase(Slot slot);
  bool contains(Slot slot) const noexcept;
  std::size_t size() const noexcept { return count_; }
  bool empty() const noexcept { return count_ == 0; }

  void add_to(SlotSet& set) const;

 private:
  class Chunk {
   public:
    explicit Chunk(std::uint32_t high) noexcept : high_(high) {}
    /// The upper 16 bits of its slots.
    std::uint32_t high() const noexcept { return high_; }
    bool insert(std::uint16_t low);
    bool erase(std::uint16_t low);
    bool contains(std::uint16_t low) const noexcept;
    bool empty() const noexcept { return count_ == 0; }
    void add_to(SlotSet& set) const;

   private:
    using Sorted = std::vector<std::uint16_t>;
    using Bitmap = std::vector<std::uint64_t>;
    void make_bitmap();
    void make_sorted();

    std::uint32_t high_;
    std::uint32_t count_ = 0;
    std::variant<Sorted, Bitmap> lows_;
  };
  /// Sorted.
  using Few = std::vector<std::uint32_t>;
  /// Sorted by high(); none is empty.
  using Chunks = std::vector<Chunk>;

  static bool insert_into(Few& few, Slot slot);
  static bool insert_into(Chunks& chunks, Slot slot);
  static void erase_from(Few& few, Slot slot);
  static void erase_from(Chunks& chunks, Slot slot);
  static bool is_in(const Few& few, Slot slot) noexcept;
  static bool is_in(const Chunks& chunks, Slot slot) noexcept;
  void make_chunks();

  std::uint32_t count_ = 0;
  /// The one slot, if count_ is 1 and `many_` is not there.
  std::uint32_t only_ = 0;
  /// Chunks stay chunks until the set is empty.
  std::unique_ptr<std::variant<Few, Chunks>> many_;
};

}  // namespace quiver::storage
