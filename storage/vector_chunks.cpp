#include "storage/vector_chunks.h"

#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "storage/index_query.h"

namespace quiver::storage {
namespace {

constexpr std::uint32_t kFirstChunk = 8;
constexpr std::uint32_t kLargestChunk = 1024;
constexpr std::size_t kChunkBytesMax = std::size_t{1} << 20;

/// Below this many erased entries rewriting is not worth the trouble.
constexpr std::size_t kCompactFrom = 64;
/// A set of slots this many times smaller than the vectors is looked up slot by slot.
constexpr std::size_t kLookupRatio = 8;
/// Slots looked up under one lock.
constexpr std::size_t kLookupBatch = 1024;

}  // namespace

/// Threads: append() from one thread; erase() and live() under the owner's lock; readers look at
/// entries below count() only.
class VectorChunks::Chunk {
 public:
  Chunk(std::size_t dim, std::uint32_t capacity)
      : capacity_(capacity),
        dim_(dim),
        vectors_(std::make_unique_for_overwrite<float[]>(dim * capacity)),
        slots_(std::make_unique_for_overwrite<Slot[]>(capacity)),
        erased_(std::make_unique<std::atomic<std::uint64_t>[]>((capacity + 63) / 64)) {}

  std::uint32_t capacity() const noexcept { return capacity_; }
  std::uint32_t count() const noexcept { return count_.load(std::memory_order_acquire); }
  bool full() const noexcept { return count() == capacity_; }
  std::uint32_t live() const noexcept { return live_; }

  Slot slot(std::uint32_t index) const noexcept { return slots_[index]; }
  const float* vector(std::uint32_t index) const noexcept { return &vectors_[index * dim_]; }
  /// Whoever sees that an entry moved elsewhere sees it there.
  bool erased(std::uint32_t index) const noexcept {
    return ((erased_[index / 64].load(std::memory_order_acquire) >> (index % 64)) & 1U) != 0;
  }

  std::uint32_t append(Slot slot, const float* vector) {
    const std::uint32_t index = count_.load(std::memory_order_relaxed);
    std::copy_n(vector, dim_, &vectors_[index * dim_]);
    slots_[index] = slot;
    ++live_;
    count_.store(index + 1, std::memory_order_release);
    return index;
  }
  void erase(std::uint32_t index) noexcept {
    erased_[index / 64].fetch_or(std::uint64_t{1} << (index % 64), std::memory_order_release);
    --live_;
  }

 private:
  const std::uint32_t capacity_;
  const std::size_t dim_;
  std::unique_ptr<float[]> vectors_;
  std::unique_ptr<Slot[]> slots_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> erased_;
  std::atomic<std::uint32_t> count_{0};
  std::uint32_t live_ = 0;
};

VectorChunks::VectorChunks(std::size_t dim)
    : dim_(dim), chunks_(std::make_shared<const Chunks>()) {}

VectorChunks::~VectorChunks() = default;

std::shared_ptr<const VectorChunks::Chunks> VectorChunks::chunks() const {
  const ReadLock lock(mutex_);
  return chunks_;
}

bool VectorChunks::contains(Slot slot) const {
  const ReadLock lock(mutex_);
  return places_.count(raw(slot)) != 0;
}

std::optional<VectorChunks::Pinned> VectorChunks::find(Slot slot) const {
  const ReadLock lock(mutex_);
  const auto found = places_.find(raw(slot));
  if (found == places_.end()) return std::nullopt;
  const auto& [chunk, index] = found->second;
  return Pinned{chunk->vector(index), chunk};
}

std::vector<Slot> VectorChunks::slots() const {
  const auto list = chunks();
  std::vector<Slot> all;
  all.reserve(size());
  for (const auto& chunk : *list) {
    const std::uint32_t count = chunk->count();
    for (std::uint32_t i = 0; i < count; ++i) {
      if (!chunk->erased(i)) all.push_back(chunk->slot(i));
    }
  }
  return all;
}

std::shared_ptr<VectorChunks::Chunk> VectorChunks::chunk_after(const Chunks& chunks) const {
  if (chunks.empty()) return std::make_shared<Chunk>(dim_, kFirstChunk);
  const auto largest = static_cast<std::uint32_t>(
      std::clamp<std::size_t>(kChunkBytesMax / (dim_ * sizeof(float)), kFirstChunk, kLargestChunk));
  return std::make_shared<Chunk>(dim_, std::min(chunks.back()->capacity() * 2, largest));
}

Status VectorChunks::append(Slot slot, std::span<const float> vector) {
  const WriteLock lock(mutex_);
  if (places_.count(raw(slot)) != 0) {
    return Error{ErrorCode::InvalidArgument,
                 "slot " + std::to_string(raw(slot)) + " is in the index already"};
  }
  try {
    if (chunks_->empty() || chunks_->back()->full()) {
      auto longer = std::make_shared<Chunks>(*chunks_);
      longer->push_back(chunk_after(*chunks_));
      chunks_ = std::move(longer);
    }
    const auto place = places_.try_emplace(raw(slot), Place{chunks_->back(), 0}).first;
    place->second.index = chunks_->back()->append(slot, vector.data());
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::ResourceExhausted, "no memory for another vector"};
  }
  ++stored_;
  live_.fetch_add(1, std::memory_order_relaxed);
  return Done{};
}

bool VectorChunks::erase(Slot slot) {
  const WriteLock lock(mutex_);
  if (places_.count(raw(slot)) == 0) return false;
  erase_locked(slot);
  return true;
}

void VectorChunks::erase_locked(Slot slot) {
  const auto found = places_.find(raw(slot));
  const auto [chunk, index] = std::move(found->second);
  chunk->erase(index);
  places_.erase(found);
  live_.fetch_sub(1, std::memory_order_relaxed);
  try {
    if (chunk->live() == 0 && chunk->full()) drop_chunk(*chunk);
    const std::size_t erased = stored_ - places_.size();
    if (erased >= kCompactFrom && erased > stored_ / 2) compact();
  } catch (const std::bad_alloc&) {
    // Nothing was freed and nothing is lost; the next erase tries again.
    return;
  }
}

void VectorChunks::drop_chunk(const Chunk& chunk) {
  auto kept = std::make_shared<Chunks>();
  kept->reserve(chunks_->size());
  for (const auto& other : *chunks_) {
    if (other.get() != &chunk) kept->push_back(other);
  }
  stored_ -= chunk.count();
  chunks_ = std::move(kept);
}

// Readers of the old list go on to see the old chunks, which no longer change.
void VectorChunks::compact() {
  auto fresh = std::make_shared<Chunks>();
  Places places;
  places.reserve(places_.size());
  for (const auto& chunk : *chunks_) {
    const std::uint32_t count = chunk->count();
    for (std::uint32_t i = 0; i < count; ++i) {
      if (chunk->erased(i)) continue;
      if (fresh->empty() || fresh->back()->full()) fresh->push_back(chunk_after(*fresh));
      const std::uint32_t index = fresh->back()->append(chunk->slot(i), chunk->vector(i));
      places.emplace(raw(chunk->slot(i)), Place{fresh->back(), index});
    }
  }
  stored_ = places.size();
  places_ = std::move(places);
  chunks_ = std::move(fresh);
}

Status VectorChunks::scan(const CallContext& call, const IndexQuery& query,
                          DistanceFunction distance, NearestHeap& heap) const {
  const bool few = query.allowed != nullptr && query.allowed->size() < size() / kLookupRatio;
  return few ? scan_allowed(call, query, distance, heap) : scan_all(call, query, distance, heap);
}

Status VectorChunks::scan_all(const CallContext& call, const IndexQuery& query,
                              DistanceFunction distance, NearestHeap& heap) const {
  const std::size_t per_check = vectors_per_check(dim_);
  const auto list = chunks();
  std::size_t looked_at = 0;
  for (const auto& chunk : *list) {
    const std::uint32_t count = chunk->count();
    for (std::uint32_t i = 0; i < count; ++i) {
      if (looked_at++ % per_check == 0) QV_CHECK(call.check());
      if (chunk->erased(i)) continue;
      const Slot slot = chunk->slot(i);
      if (query.allowed != nullptr && !query.allowed->contains(slot)) continue;
      heap.offer({slot, distance(query.vector.data(), chunk->vector(i), dim_)});
    }
  }
  return Done{};
}

Status VectorChunks::scan_allowed(const CallContext& call, const IndexQuery& query,
                                  DistanceFunction distance, NearestHeap& heap) const {
  const std::size_t per_check = std::min(kLookupBatch, vectors_per_check(dim_));
  std::vector<Slot> batch;
  std::vector<std::pair<Slot, Pinned>> found;
  const auto look_up = [&]() -> Status {
    QV_CHECK(call.check());
    found.clear();
    {
      const ReadLock lock(mutex_);
      for (const Slot slot : batch) {
        const auto place = places_.find(raw(slot));
        if (place == places_.end()) continue;
        const auto& [chunk, index] = place->second;
        found.push_back({slot, {chunk->vector(index), chunk}});
      }
    }
    for (const auto& [slot, pinned] : found) {
      heap.offer({slot, distance(query.vector.data(), pinned.vector, dim_)});
    }
    batch.clear();
    return Done{};
  };

  Status status = Done{};
  query.allowed->for_each([&](Slot slot) {
    batch.push_back(slot);
    if (batch.size() == per_check) status = look_up();
    return status.ok();
  });
  QV_CHECK(std::move(status));
  return look_up();
}

}  // namespace quiver::storage
