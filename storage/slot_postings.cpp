#include "storage/slot_postings.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace quiver::storage {
namespace {

/// Below this a chunk costs more than it saves.
constexpr std::size_t kFewMax = 64;
constexpr std::size_t kBitmapWords = 1024;
/// Where an array of 16-bit numbers gets as large as the bitmap.
constexpr std::size_t kSortedMax = 4096;
/// Well below, so that a chunk at the border does not change its form with every slot.
constexpr std::size_t kBitmapMin = 2048;

std::uint32_t high_of(Slot slot) noexcept {
  return raw(slot) >> 16U;
}
std::uint16_t low_of(Slot slot) noexcept {
  return static_cast<std::uint16_t>(raw(slot) & 0xFFFFU);
}
std::uint64_t bit_of(std::uint16_t low) noexcept {
  return std::uint64_t{1} << (low % 64U);
}

/// The chunk for `high`, or where it would stand.
template <typename Chunks>
auto chunk_at(Chunks& chunks, std::uint32_t high) {
  return std::lower_bound(chunks.begin(), chunks.end(), high,
                          [](const auto& chunk, std::uint32_t h) { return chunk.high() < h; });
}

}  // namespace

bool SlotPostings::Chunk::insert(std::uint16_t low) {
  if (auto* words = std::get_if<Bitmap>(&lows_)) {
    std::uint64_t& word = (*words)[low / 64U];
    if ((word & bit_of(low)) != 0) return false;
    word |= bit_of(low);
  } else {
    auto& sorted = std::get<Sorted>(lows_);
    const auto at = std::lower_bound(sorted.begin(), sorted.end(), low);
    if (at != sorted.end() && *at == low) return false;
    sorted.insert(at, low);
    if (sorted.size() > kSortedMax) make_bitmap();
  }
  ++count_;
  return true;
}

bool SlotPostings::Chunk::erase(std::uint16_t low) {
  if (!contains(low)) return false;
  --count_;
  if (auto* words = std::get_if<Bitmap>(&lows_)) {
    (*words)[low / 64U] &= ~bit_of(low);
    if (count_ < kBitmapMin) make_sorted();
  } else {
    auto& sorted = std::get<Sorted>(lows_);
    sorted.erase(std::lower_bound(sorted.begin(), sorted.end(), low));
  }
  return true;
}

bool SlotPostings::Chunk::contains(std::uint16_t low) const noexcept {
  if (const auto* words = std::get_if<Bitmap>(&lows_)) {
    return ((*words)[low / 64U] & bit_of(low)) != 0;
  }
  const auto& sorted = *std::get_if<Sorted>(&lows_);
  return std::binary_search(sorted.begin(), sorted.end(), low);
}

void SlotPostings::Chunk::add_to(SlotSet& set) const {
  if (const auto* words = std::get_if<Bitmap>(&lows_)) {
    const std::size_t first = std::size_t{high_} * kBitmapWords;
    for (std::size_t i = 0; i < words->size(); ++i) set.insert_word(first + i, (*words)[i]);
    return;
  }
  for (const std::uint16_t low : std::get<Sorted>(lows_)) set.insert(Slot{high_ << 16U | low});
}

void SlotPostings::Chunk::make_bitmap() {
  Bitmap words(kBitmapWords);
  for (const std::uint16_t low : std::get<Sorted>(lows_)) words[low / 64U] |= bit_of(low);
  lows_ = std::move(words);
}

void SlotPostings::Chunk::make_sorted() {
  const auto& words = std::get<Bitmap>(lows_);
  Sorted sorted;
  sorted.reserve(count_);
  for (std::size_t i = 0; i < words.size(); ++i) {
    for (std::uint64_t word = words[i]; word != 0; word &= word - 1) {
      sorted.push_back(
          static_cast<std::uint16_t>(i * 64 + static_cast<std::size_t>(std::countr_zero(word))));
    }
  }
  lows_ = std::move(sorted);
}

SlotPostings::SlotPostings(SlotPostings&& other) noexcept
    : count_(std::exchange(other.count_, 0)), only_(other.only_), many_(std::move(other.many_)) {}

SlotPostings& SlotPostings::operator=(SlotPostings&& other) noexcept {
  count_ = std::exchange(other.count_, 0);
  only_ = other.only_;
  many_ = std::move(other.many_);
  return *this;
}

bool SlotPostings::insert_into(Few& few, Slot slot) {
  const auto at = std::lower_bound(few.begin(), few.end(), raw(slot));
  if (at != few.end() && *at == raw(slot)) return false;
  few.insert(at, raw(slot));
  return true;
}

bool SlotPostings::insert_into(Chunks& chunks, Slot slot) {
  auto chunk = chunk_at(chunks, high_of(slot));
  if (chunk == chunks.end() || chunk->high() != high_of(slot)) {
    chunk = chunks.emplace(chunk, high_of(slot));
  }
  return chunk->insert(low_of(slot));
}

void SlotPostings::erase_from(Few& few, Slot slot) {
  few.erase(std::lower_bound(few.begin(), few.end(), raw(slot)));
}

void SlotPostings::erase_from(Chunks& chunks, Slot slot) {
  const auto chunk = chunk_at(chunks, high_of(slot));
  chunk->erase(low_of(slot));
  if (chunk->empty()) chunks.erase(chunk);
}

bool SlotPostings::is_in(const Few& few, Slot slot) noexcept {
  return std::binary_search(few.begin(), few.end(), raw(slot));
}

bool SlotPostings::is_in(const Chunks& chunks, Slot slot) noexcept {
  const auto chunk = chunk_at(chunks, high_of(slot));
  return chunk != chunks.end() && chunk->high() == high_of(slot) && chunk->contains(low_of(slot));
}

void SlotPostings::make_chunks() {
  Chunks chunks;
  for (const std::uint32_t slot : std::get<Few>(*many_)) insert_into(chunks, Slot{slot});
  *many_ = std::move(chunks);
}

bool SlotPostings::insert(Slot slot) {
  if (count_ == 0) {
    only_ = raw(slot);
    count_ = 1;
    return true;
  }
  if (many_ == nullptr) {
    if (only_ == raw(slot)) return false;
    many_ = std::make_unique<std::variant<Few, Chunks>>(Few{only_});
  }
  if (!std::visit([&](auto& slots) { return insert_into(slots, slot); }, *many_)) return false;
  ++count_;
  if (count_ > kFewMax && std::holds_alternative<Few>(*many_)) make_chunks();
  return true;
}

bool SlotPostings::erase(Slot slot) {
  if (!contains(slot)) return false;
  --count_;
  if (many_ == nullptr) return true;
  std::visit([&](auto& slots) { erase_from(slots, slot); }, *many_);
  if (count_ == 0) many_.reset();
  return true;
}

bool SlotPostings::contains(Slot slot) const noexcept {
  if (count_ == 0) return false;
  if (many_ == nullptr) return only_ == raw(slot);
  return std::visit([&](const auto& slots) { return is_in(slots, slot); }, *many_);
}

void SlotPostings::add_to(SlotSet& set) const {
  if (count_ == 0) return;
  if (many_ == nullptr) {
    set.insert(Slot{only_});
  } else if (const auto* few = std::get_if<Few>(many_.get())) {
    for (const std::uint32_t slot : *few) set.insert(Slot{slot});
  } else {
    for (const auto& chunk : std::get<Chunks>(*many_)) chunk.add_to(set);
  }
}

}  // namespace quiver::storage
