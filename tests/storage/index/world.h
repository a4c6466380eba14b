#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "core/mutex.h"
#include "storage/flat_index.h"
#include "storage/hnsw_index.h"

namespace quiver::storage::testing {

inline CollectionSpec spec_of(std::uint32_t dim, Metric metric) {
  CollectionSpec spec;
  spec.id = std::string(32, '0');
  spec.name = "test";
  spec.dimension = dim;
  spec.metric = metric;
  return spec;
}

/// Makes graphs appear early, so that tests need few points.
inline Options small_options() {
  Options options;
  options.exact_search_points = 200;
  return options;
}

/// Vectors in heaps, as real ones are. The same seed gives the same vectors.
class Clusters {
 public:
  Clusters(std::uint32_t dim, Metric metric, std::uint32_t seed)
      : dim_(dim), metric_(metric), random_(seed) {
    for (int i = 0; i < 40; ++i) centres_.push_back(normal(1.0F));
  }
  std::vector<float> next() {
    const auto& centre = centres_[random_() % centres_.size()];
    auto vector = normal(0.4F);
    for (std::size_t i = 0; i < dim_; ++i) vector[i] += centre[i];
    if (metric_ != Metric::Cosine) return vector;
    float squares = 0.0F;
    for (const float x : vector) squares += x * x;
    for (float& x : vector) x /= std::sqrt(squares);
    return vector;
  }
  std::uint32_t random() { return static_cast<std::uint32_t>(random_()); }

 private:
  std::vector<float> normal(float deviation) {
    std::normal_distribution<float> distribution(0.0F, deviation);
    std::vector<float> vector(dim_);
    for (float& x : vector) x = distribution(random_);
    return vector;
  }

  std::size_t dim_;
  Metric metric_;
  std::mt19937 random_;
  std::vector<std::vector<float>> centres_;
};

/// Fails the test rather than wait for ever.
inline CallContext patient() {
  CallContext call;
  call.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(120);
  return call;
}

/// Keeps the threads of a builder busy, so that nothing else is built, until it is let go.
class Roadblock final : private IndexBuilder::Client {
 public:
  explicit Roadblock(IndexBuilder& builder) : builder_(builder) {
    builder_.schedule(*this);
    const MutexLock lock(mutex_);
    while (!reached_) changed_.wait(mutex_);
  }
  ~Roadblock() override { lift(); }
  Roadblock(const Roadblock&) = delete;
  Roadblock& operator=(const Roadblock&) = delete;

  void lift() {
    {
      const MutexLock lock(mutex_);
      open_ = true;
    }
    changed_.notify_all();
    builder_.forget(*this);
  }

 private:
  bool build_step() override {
    const MutexLock lock(mutex_);
    reached_ = true;
    changed_.notify_all();
    while (!open_) changed_.wait(mutex_);
    return false;
  }

  IndexBuilder& builder_;
  Mutex mutex_;
  CondVar changed_;
  bool reached_ QV_GUARDED_BY(mutex_) = false;
  bool open_ QV_GUARDED_BY(mutex_) = false;
};

/// An HnswIndex and, as its oracle, a FlatIndex with the same contents.
class World {
 public:
  World(std::uint32_t dim, Metric metric, IndexBuilder& builder,
        const Options& options = small_options(), std::uint32_t seed = 42)
      : spec(spec_of(dim, metric)), clusters(dim, metric, seed), flat(dim, metric) {
    auto created = HnswIndex::create(spec, options, builder);
    REQUIRE(created.ok());
    hnsw = std::move(*created);
  }

  Slot add() {
    const Slot slot{next_++};
    const auto vector = clusters.next();
    REQUIRE(flat.insert(slot, vector).ok());
    REQUIRE(hnsw->insert(slot, vector).ok());
    live.insert(raw(slot));
    return slot;
  }
  void add(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) add();
  }
  void remove(Slot slot) {
    REQUIRE(flat.remove(slot).ok());
    REQUIRE(hnsw->remove(slot).ok());
    live.erase(raw(slot));
  }
  /// A live slot.
  Slot pick() {
    auto at = live.lower_bound(clusters.random() % next_);
    return Slot{at == live.end() ? *live.begin() : *at};
  }
  void settle() { REQUIRE(hnsw->wait_indexed(patient()).ok()); }

  /// Share of the true `k` nearest among those found, over `queries` new vectors; checks that every
  /// answer is in order, allowed, live, with true distances, and as long as it can be.
  double recall(const SlotSet* allowed = nullptr, std::size_t ef = 128, std::size_t k = 10,
                std::size_t queries = 100) {
    std::size_t hits = 0;
    std::size_t wanted = 0;
    for (std::size_t i = 0; i < queries; ++i) {
      const auto vector = clusters.next();
      const IndexQuery query{.vector = vector, .k = k, .ef = ef, .allowed = allowed};
      const auto truth = flat.scan({}, query);
      const auto found = hnsw->search({}, query);
      REQUIRE(truth.ok());
      REQUIRE(found.ok());
      REQUIRE(found->size() == truth->size());
      REQUIRE(std::is_sorted(found->begin(), found->end(), nearer));
      std::set<std::uint32_t> slots;
      for (const auto& neighbor : *truth) slots.insert(raw(neighbor.slot));
      for (const auto& neighbor : *found) {
        REQUIRE(live.count(raw(neighbor.slot)) == 1);
        REQUIRE((allowed == nullptr || allowed->contains(neighbor.slot)));
        hits += slots.count(raw(neighbor.slot));
      }
      wanted += truth->size();
    }
    return static_cast<double>(hits) / static_cast<double>(wanted);
  }

  /// scan() of both answers the same, to the bit.
  void check_scan(const SlotSet* allowed = nullptr, std::size_t k = 10, std::size_t queries = 20) {
    for (std::size_t i = 0; i < queries; ++i) {
      const auto vector = clusters.next();
      check_same({.vector = vector, .k = k, .allowed = allowed}, false);
    }
  }
  void check_same(const IndexQuery& query, bool search) const {
    const auto truth = flat.scan({}, query);
    const auto found = search ? hnsw->search({}, query) : hnsw->scan({}, query);
    REQUIRE(truth.ok());
    REQUIRE(found.ok());
    REQUIRE(found->size() == truth->size());
    for (std::size_t i = 0; i < truth->size(); ++i) {
      REQUIRE((*found)[i].slot == (*truth)[i].slot);
      REQUIRE((*found)[i].distance == (*truth)[i].distance);
    }
  }
  /// Every `n`-th live slot.
  SlotSet every(std::size_t n) const {
    SlotSet set;
    std::size_t i = 0;
    for (const auto slot : live) {
      if (i++ % n == 0) set.insert(Slot{slot});
    }
    return set;
  }
  SlotSet all() const { return every(1); }

  CollectionSpec spec;
  Clusters clusters;
  FlatIndex flat;
  std::unique_ptr<HnswIndex> hnsw;
  std::set<std::uint32_t> live;

 private:
  std::uint32_t next_ = 0;
};

/// Waits until `condition()`, failing the test after two minutes.
template <typename Condition>
void eventually(Condition condition) {
  const auto call = patient();
  while (!condition()) {
    if (!call.check().ok()) FAIL("waited in vain");
    std::this_thread::yield();
  }
}

}  // namespace quiver::storage::testing
