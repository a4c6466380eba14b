#pragma once

// A collection in memory that answers by looking at every point, and an embedder whose vectors can
// be worked out by hand: the oracle side of these tests. It can also be told to fail.

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/collections.h"
#include "core/clock.h"
#include "core/text.h"
#include "embedding/provider.h"

namespace quiver::service {

/// One dimension for each of the words it knows: the vector of a text counts them.
class WordEmbedder final : public embedding::Provider {
 public:
  explicit WordEmbedder(std::string name = "words") : name_(std::move(name)) {}

  static const std::vector<std::string>& words() {
    static const std::vector<std::string> all{"cat", "dog", "fish", "bird", "red", "blue", "other"};
    return all;
  }

  std::string_view name() const noexcept override { return name_; }
  std::size_t dimension() const noexcept override { return words().size(); }
  Result<std::vector<std::vector<float>>> embed(const CallContext&,
                                                std::span<const std::string> texts,
                                                embedding::Purpose purpose) override {
    if (fail) return *fail;
    ++calls;
    embedded += texts.size();
    last_purpose = purpose;
    std::vector<std::vector<float>> out;
    for (const auto& text : texts) out.push_back(vector_of(text));
    if (drop_one) out.pop_back();
    return out;
  }

  static std::vector<float> vector_of(const std::string& text) {
    std::vector<float> vector(words().size(), 0.0F);
    for (std::size_t i = 0; i < words().size(); ++i) {
      for (auto at = text.find(words()[i]); at != std::string::npos;
           at = text.find(words()[i], at + 1)) {
        vector[i] += 1;
      }
    }
    const float squares = std::accumulate(vector.begin(), vector.end(), 0.0F,
                                          [](float sum, float x) { return sum + x * x; });
    if (squares == 0.0F) {
      vector.back() = 1;
    } else {
      for (auto& x : vector) x /= std::sqrt(squares);
    }
    return vector;
  }

  std::size_t calls = 0;
  std::size_t embedded = 0;
  embedding::Purpose last_purpose = embedding::Purpose::Document;
  std::optional<Error> fail;
  bool drop_one = false;

 private:
  std::string name_;
};

class FakeCollection final : public cluster::Collection {
 public:
  FakeCollection(CollectionSpec spec, const Clock& clock) : spec_(std::move(spec)), clock_(clock) {}

  const CollectionSpec& spec() const noexcept override { return spec_; }

  Result<MutationResult> upsert(const CallContext& call, std::vector<Point> points) override {
    if (fail) return *fail;
    return once(call, [&] {
      MutationResult result;
      for (auto& point : points) {
        ++result.affected;
        result.created += alive(point.id) == nullptr ? 1 : 0;
        const PointId id = point.id;
        points_.insert_or_assign(id, std::move(point));
      }
      return result;
    });
  }
  Result<MutationResult> erase(const CallContext& call, std::vector<PointId> ids) override {
    if (fail) return *fail;
    return once(call, [&] {
      MutationResult result;
      for (const auto& id : ids) result.affected += points_.erase(id);
      return result;
    });
  }
  Result<MutationResult> erase_matching(const CallContext& call, const Filter& filter) override {
    if (fail) return *fail;
    return once(call, [&] {
      return MutationResult{
          std::erase_if(points_,
                        [&](const auto& entry) { return filter.matches(entry.second.payload); }),
          0};
    });
  }
  Result<MutationResult> update_payload(const CallContext&, UpdatePayload) override {
    return Error{ErrorCode::Internal, "no operation does this"};
  }

  Result<std::vector<Point>> get(const CallContext& call, const std::vector<PointId>& ids,
                                 Projection projection) override {
    if (fail) return *fail;
    levels.push_back(call.read_level);
    std::vector<Point> out;
    for (const auto& id : ids) {
      if (const Point* point = alive(id)) out.push_back(projected(*point, projection));
    }
    return out;
  }
  Result<cluster::SearchAnswer> search(const CallContext& call,
                                       const cluster::Query& query) override {
    if (fail) return *fail;
    levels.push_back(call.read_level);
    queries.push_back(query);
    std::vector<ScoredPoint> hits;
    for (const auto& [id, point] : points_) {
      if (alive(id) == nullptr || (query.filter && !query.filter->matches(point.payload))) continue;
      hits.push_back({projected(point, query.projection), score(query.vector, point.vector)});
    }
    std::stable_sort(hits.begin(), hits.end(),
                     [](const auto& a, const auto& b) { return a.score > b.score; });
    if (hits.size() > query.k) hits.resize(query.k);
    return cluster::SearchAnswer{std::move(hits),
                                 query.allow_partial ? missing : decltype(missing){}};
  }
  Result<cluster::ScrollPage> scroll(const CallContext& call, const std::optional<Filter>& filter,
                                     const std::optional<PointId>& after, std::size_t limit,
                                     Projection projection) override {
    if (fail) return *fail;
    levels.push_back(call.read_level);
    cluster::ScrollPage page;
    for (auto it = after ? points_.upper_bound(*after) : points_.begin(); it != points_.end();
         ++it) {
      if (alive(it->first) == nullptr) continue;
      if (filter && !filter->matches(it->second.payload)) continue;
      if (page.points.size() == limit) {
        page.next = page.points.back().id;
        break;
      }
      page.points.push_back(projected(it->second, projection));
    }
    return page;
  }
  Result<std::uint64_t> count(const CallContext& call,
                              const std::optional<Filter>& filter) override {
    if (fail) return *fail;
    levels.push_back(call.read_level);
    return static_cast<std::uint64_t>(
        std::count_if(points_.begin(), points_.end(), [&](const auto& entry) {
          return alive(entry.first) && (!filter || filter->matches(entry.second.payload));
        }));
  }
  Result<std::vector<cluster::Field>> fields(const CallContext&, std::size_t limit) override {
    if (fail) return *fail;
    std::map<std::string, cluster::Field> all;
    for (const auto& [id, point] : points_) {
      for (const auto& item : point.payload.items()) collect(item.key(), item.value(), all);
    }
    std::vector<cluster::Field> out;
    for (auto& [name, field] : all) {
      if (out.size() < limit) out.push_back(std::move(field));
    }
    return out;
  }
  Result<cluster::CollectionStats> stats(const CallContext& call) override {
    if (fail) return *fail;
    QV_TRY(const auto points, count(call, std::nullopt));
    return cluster::CollectionStats{points, 0, 4096 * points};
  }

  Result<std::vector<PointId>> upsert_if(const CallContext& call, UpsertIf write) override {
    if (before_upsert_if) std::exchange(before_upsert_if, nullptr)();
    const bool as_expected =
        std::all_of(write.expected.begin(), write.expected.end(), [&](const auto& expectation) {
          const Point* point = alive(expectation.id);
          const auto there = point == nullptr ? std::nullopt : std::optional(digest_of(*point));
          return there == expectation.digest;
        });
    std::vector<PointId> left;
    if (as_expected) {
      QV_CHECK(upsert(call, std::move(write.points)));
    } else {
      for (const auto& point : write.points) left.push_back(point.id);
    }
    return left;
  }

  /// What happens in front of the next conditional write, once.
  std::function<void()> before_upsert_if;
  /// What every call answers, if set.
  std::optional<Error> fail;
  std::vector<cluster::Query> queries;
  /// At which level each read came.
  std::vector<std::optional<ReadLevel>> levels;
  /// What searches lack that may be partial.
  std::vector<cluster::MissingShard> missing;

 private:
  template <typename Change>
  MutationResult once(const CallContext& call, const Change& change) {
    if (const auto done = done_.find(call.request_id); done != done_.end()) return done->second;
    const MutationResult result = change();
    if (!call.request_id.empty()) done_.emplace(call.request_id, result);
    return result;
  }
  const Point* alive(const PointId& id) const {
    const auto found = points_.find(id);
    if (found == points_.end()) return nullptr;
    const auto until = found->second.expires_at_ms;
    return until == 0 || clock_.wall_ms() < until ? &found->second : nullptr;
  }
  static Point projected(Point point, Projection projection) {
    if (!projection.payload) point.payload = Json::object();
    if (!projection.text) point.text.reset();
    if (!projection.vector) point.vector.clear();
    return point;
  }
  float score(const std::vector<float>& a, const std::vector<float>& b) const {
    float dot = 0;
    float aa = 0;
    float bb = 0;
    float apart = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      dot += a[i] * b[i];
      aa += a[i] * a[i];
      bb += b[i] * b[i];
      apart += (a[i] - b[i]) * (a[i] - b[i]);
    }
    if (spec_.metric == Metric::Dot) return dot;
    return spec_.metric == Metric::Cosine ? dot / std::sqrt(aa * bb) : -std::sqrt(apart);
  }
  static void collect(const std::string& name, const Json& value,
                      std::map<std::string, cluster::Field>& all) {
    if (value.is_object()) {
      for (const auto& item : value.items()) collect(name + "." + item.key(), item.value(), all);
      return;
    }
    auto& field = all[name];
    field.name = name;
    ++field.points;
    const std::string type = value.type_name();
    if (std::find(field.types.begin(), field.types.end(), type) == field.types.end()) {
      field.types.push_back(type);
    }
    field.examples.push_back(value);
  }

  const CollectionSpec spec_;
  const Clock& clock_;
  std::map<PointId, Point> points_;
  std::map<RequestId, MutationResult> done_;
};

class FakeCollections final : public cluster::Collections {
 public:
  explicit FakeCollections(const Clock& clock) : clock_(clock) {}

  Result<std::shared_ptr<cluster::Collection>> find(std::string_view name) override {
    if (broken.contains(std::string(name))) return Error{ErrorCode::Unavailable, "shard 0 is away"};
    const auto found = all_.find(std::string(name));
    if (found == all_.end()) {
      return Error{ErrorCode::NotFound, "collection \"" + std::string(name) + "\" not found."};
    }
    return std::shared_ptr<cluster::Collection>(found->second);
  }
  Result<Created> create(const CallContext&, CollectionSpec spec) override {
    QV_CHECK(spec.validate());
    if (const auto found = all_.find(spec.name); found != all_.end()) {
      return Created{found->second, true};
    }
    spec.id = RequestId::random().hex();
    spec.created_at_ms = clock_.wall_ms();
    const auto made = std::make_shared<FakeCollection>(spec, clock_);
    all_.emplace(spec.name, made);
    return Created{made, false};
  }
  Result<std::optional<std::uint64_t>> drop(const CallContext& call,
                                            std::string_view name) override {
    QV_TRY(const auto collection, find(name));
    QV_TRY(const auto points, collection->count(call, std::nullopt));
    all_.erase(std::string(name));
    return std::optional<std::uint64_t>(points);
  }
  Result<std::vector<CollectionSpec>> list() override {
    std::vector<CollectionSpec> specs;
    for (const auto& [name, collection] : all_) specs.push_back(collection->spec());
    return specs;
  }

  FakeCollection& at(const std::string& name) { return *all_.at(name); }
  bool has(const std::string& name) const { return all_.contains(name); }

  /// Collections that are listed but cannot be opened.
  std::set<std::string> broken;

 private:
  const Clock& clock_;
  std::map<std::string, std::shared_ptr<FakeCollection>> all_;
};

}  // namespace quiver::service
