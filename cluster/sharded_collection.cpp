#include "cluster/sharded_collection.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <map>
#include <numeric>
#include <utility>

#include "cluster/merge.h"
#include "cluster/shard_router.h"
#include "core/limits.h"
#include "core/log.h"
#include "core/payload.h"

namespace quiver::cluster {
namespace {

// Expired points that one purge of a shard takes: keeps its log entry small.
constexpr std::size_t kPurgePointsMax = 1000;

std::vector<std::uint32_t> numbers_below(std::uint32_t count) {
  std::vector<std::uint32_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0U);
  return numbers;
}

Error bad_vector(const std::string& where, const std::string& what) {
  return {ErrorCode::InvalidArgument, where + ": " + what};
}

Status check_vector(const CollectionSpec& spec, const std::vector<float>& vector,
                    const std::string& where) {
  if (vector.size() != spec.dimension) {
    const std::string made_by =
        spec.embedder.empty() ? "" : " (embedder \"" + spec.embedder + "\")";
    return bad_vector(where, "has " + std::to_string(vector.size()) + " dimensions; collection \"" +
                                 spec.name + "\" needs " + std::to_string(spec.dimension) +
                                 made_by);
  }
  // In double: the squares of large but finite floats overflow a float.
  double squares = 0.0;
  for (std::size_t i = 0; i < vector.size(); ++i) {
    if (!std::isfinite(vector[i])) {
      return bad_vector(where, "component " + std::to_string(i) + " is not a finite number");
    }
    squares += static_cast<double>(vector[i]) * static_cast<double>(vector[i]);
  }
  if (spec.metric == Metric::Cosine && squares == 0.0) {
    return bad_vector(where,
                      "all components are zero, which has no direction to compare by cosine");
  }
  return Done{};
}

void add_field(std::map<std::string, Field>& fields, storage::FieldSummary summary) {
  auto& field = fields[summary.name];
  field.name = summary.name;
  field.points += summary.points;
  for (auto& type : summary.types) {
    if (std::find(field.types.begin(), field.types.end(), type) == field.types.end()) {
      field.types.push_back(std::move(type));
    }
  }
  for (auto& example : summary.examples) {
    if (std::find(field.examples.begin(), field.examples.end(), example) == field.examples.end()) {
      field.examples.push_back(std::move(example));
    }
  }
}

}  // namespace

ShardedCollection::ShardedCollection(CollectionSpec spec, storage::ShardStore& store,
                                     FanOut& fan_out)
    : spec_(std::move(spec)),
      store_(store),
      fan_out_(fan_out),
      all_shards_(numbers_below(spec_.shard_count)) {}

Status ShardedCollection::gone() const {
  return Error{ErrorCode::NotFound, "collection \"" + spec_.name + "\" was deleted"};
}

bool ShardedCollection::is_open() const {
  const ReadLock lock(life_);
  return !replicas_.empty();
}

Status ShardedCollection::ensure_open() {
  if (retired_) return gone();
  if (is_open()) return Done{};
  const WriteLock lock(life_);
  if (retired_) return gone();
  if (!replicas_.empty()) return Done{};
  Replicas opened(spec_.shard_count);
  std::vector<Status> outcomes(spec_.shard_count, Status(Done{}));
  fan_out_.run(spec_.shard_count, [&](std::size_t i) {
    auto replica = open_replica(ShardId{static_cast<std::uint32_t>(i)});
    if (replica.ok()) {
      opened[i] = std::move(replica).value();
    } else {
      outcomes[i] = replica.error();
    }
  });
  for (auto& outcome : outcomes) QV_CHECK(std::move(outcome));
  replicas_ = std::move(opened);
  return Done{};
}

Result<std::unique_ptr<LocalReplica>> ShardedCollection::open_replica(ShardId shard) {
  QV_TRY(auto opened, store_.open(spec_, shard));
  return LocalReplica::open(std::move(opened));
}

void ShardedCollection::heal() {
  const auto heals = [](const std::unique_ptr<LocalReplica>& replica) {
    return replica->shard().heals_when_opened();
  };
  {
    const ReadLock lock(life_);
    if (std::none_of(replicas_.begin(), replicas_.end(), heals)) return;
  }
  const WriteLock lock(life_);
  for (std::uint32_t i = 0; i < replicas_.size(); ++i) {
    if (!heals(replicas_[i])) continue;
    replicas_[i].reset();
    auto reopened = open_replica(ShardId{i});
    if (!reopened.ok()) {
      QV_LOG_WARN("shard_not_reopened collection={} shard={} error=\"{}\"", spec_.name, i,
                  reopened.error().message);
      // The next call opens all of them, or says why not.
      replicas_.clear();
      return;
    }
    replicas_[i] = std::move(reopened).value();
    QV_LOG_INFO("shard_reopened collection={} shard={} reason=\"there is room again\"", spec_.name,
                i);
  }
}

template <typename T>
Result<std::vector<T>> ShardedCollection::each(
    const std::vector<std::uint32_t>& wanted,
    const std::function<Result<T>(LocalReplica&, std::uint32_t)>& work) {
  QV_CHECK(ensure_open());
  const ReadLock lock(life_);
  if (replicas_.empty()) return gone().error();
  // The lock is held by this thread for all of them; the analyser does not see into the lambda.
  const auto* const replicas = replicas_.data();
  std::vector<std::optional<Result<T>>> answers(wanted.size());
  fan_out_.run(wanted.size(), [&](std::size_t i) {
    try {
      answers[i] = work(*replicas[wanted[i]], wanted[i]);
    } catch (const std::exception& problem) {
      // Out of memory, at worst: the call fails, not the pool's thread and with it the process.
      answers[i] = Error{ErrorCode::Internal, std::string("a shard failed: ") + problem.what()};
    }
  });
  std::vector<T> out;
  out.reserve(answers.size());
  for (auto& answer : answers) {
    if (!answer->ok()) return std::move(*answer).error();
    out.push_back(std::move(*answer).value());
  }
  return out;
}

template <typename T>
Result<std::vector<T>> ShardedCollection::each_shard(
    const std::function<Result<T>(LocalReplica&, std::uint32_t)>& work) {
  return each<T>(all_shards_, work);
}

Result<MutationResult> ShardedCollection::write(const CallContext& call,
                                                std::vector<std::optional<WriteRequest>> requests) {
  std::vector<std::uint32_t> wanted;
  for (std::uint32_t i = 0; i < requests.size(); ++i) {
    if (requests[i]) wanted.push_back(i);
  }
  heal();
  QV_TRY(const auto results,
         each<MutationResult>(wanted, [&](LocalReplica& replica, std::uint32_t shard) {
           return replica.write(call, std::move(*requests[shard]));
         }));
  MutationResult sum;
  for (const auto& result : results) {
    sum.affected += result.affected;
    sum.created += result.created;
  }
  return sum;
}

Result<MutationResult> ShardedCollection::upsert(const CallContext& call,
                                                 std::vector<Point> points) {
  if (points.size() > limits::kBatchPointsMax) {
    return Error{ErrorCode::InvalidArgument,
                 "points: at most " + std::to_string(limits::kBatchPointsMax) +
                     " in one call, got " + std::to_string(points.size())};
  }
  for (std::size_t i = 0; i < points.size(); ++i) {
    const std::string where = "points[" + std::to_string(i) + "]";
    QV_CHECK(check_vector(spec_, points[i].vector, where + ".vector"));
    const auto& text = points[i].text;
    QV_CHECK(check_payload(points[i].payload, text ? text->size() : 0, where));
  }
  std::vector<std::optional<WriteRequest>> requests(spec_.shard_count);
  for (auto& point : points) {
    auto& request = requests[raw(shard_of(point.id, spec_.shard_count))];
    if (!request) request = WriteRequest(Mutation(UpsertPoints{}));
    std::get<UpsertPoints>(std::get<Mutation>(*request)).points.push_back(std::move(point));
  }
  return write(call, std::move(requests));
}

Result<MutationResult> ShardedCollection::erase(const CallContext& call, std::vector<PointId> ids) {
  std::vector<std::optional<WriteRequest>> requests(spec_.shard_count);
  for (auto& id : ids) {
    auto& request = requests[raw(shard_of(id, spec_.shard_count))];
    if (!request) request = WriteRequest(Mutation(ErasePoints{}));
    std::get<ErasePoints>(std::get<Mutation>(*request)).ids.push_back(std::move(id));
  }
  return write(call, std::move(requests));
}

Result<MutationResult> ShardedCollection::erase_matching(const CallContext& call,
                                                         const Filter& filter) {
  return write(call, std::vector<std::optional<WriteRequest>>(spec_.shard_count,
                                                              WriteRequest(EraseMatching{filter})));
}

Result<MutationResult> ShardedCollection::update_payload(const CallContext& call,
                                                         UpdatePayload update) {
  QV_CHECK(check_payload(update.payload, 0, "payload"));
  std::vector<std::optional<WriteRequest>> requests(spec_.shard_count);
  for (auto& id : update.ids) {
    auto& request = requests[raw(shard_of(id, spec_.shard_count))];
    if (!request) request = WriteRequest(Mutation(UpdatePayload{{}, update.mode, update.payload}));
    std::get<UpdatePayload>(std::get<Mutation>(*request)).ids.push_back(std::move(id));
  }
  return write(call, std::move(requests));
}

Result<std::vector<Point>> ShardedCollection::get(const CallContext& call,
                                                  const std::vector<PointId>& ids,
                                                  Projection projection) {
  QV_CHECK(call.check());
  std::vector<std::vector<PointId>> by_shard(spec_.shard_count);
  for (const auto& id : ids) by_shard[raw(shard_of(id, spec_.shard_count))].push_back(id);
  std::vector<std::uint32_t> wanted;
  for (std::uint32_t i = 0; i < by_shard.size(); ++i) {
    if (!by_shard[i].empty()) wanted.push_back(i);
  }
  QV_TRY(auto answers,
         each<std::vector<Point>>(wanted, [&](LocalReplica& replica, std::uint32_t shard) {
           return replica.shard().get(by_shard[shard], projection);
         }));
  std::map<PointId, Point> found;
  for (auto& answer : answers) {
    for (auto& point : answer) found.insert_or_assign(point.id, std::move(point));
  }
  std::vector<Point> points;
  for (const auto& id : ids) {
    const auto point = found.find(id);
    if (point != found.end()) points.push_back(point->second);
  }
  return points;
}

Result<std::vector<ScoredPoint>> ShardedCollection::search(const CallContext& call,
                                                           const Query& query) {
  QV_CHECK(call.check());
  QV_CHECK(check_vector(spec_, query.vector, "vector"));
  if (query.k == 0 || query.k > limits::kSearchHitsMax) {
    return Error{ErrorCode::InvalidArgument, "k: must be between 1 and " +
                                                 std::to_string(limits::kSearchHitsMax) + ", got " +
                                                 std::to_string(query.k)};
  }
  const storage::ShardQuery local{query.vector, query.k,  query.filter,
                                  query.exact,  query.ef, query.projection};
  QV_TRY(auto answers,
         each_shard<std::vector<ScoredPoint>>([&](LocalReplica& replica, std::uint32_t) {
           return replica.shard().search(call, local);
         }));
  return merge_hits(std::move(answers), query.k);
}

Result<ScrollPage> ShardedCollection::scroll(const CallContext& call,
                                             const std::optional<Filter>& filter,
                                             const std::optional<PointId>& after, std::size_t limit,
                                             Projection projection) {
  QV_CHECK(call.check());
  // One more than asked for tells whether there is a next page.
  const storage::ScrollQuery local{filter, after, limit + 1, projection};
  QV_TRY(auto pages, each_shard<std::vector<Point>>([&](LocalReplica& replica, std::uint32_t) {
           return replica.shard().scroll(call, local);
         }));
  ScrollPage page{merge_pages(std::move(pages), limit + 1), std::nullopt};
  if (page.points.size() > limit) {
    page.points.pop_back();
    if (!page.points.empty()) page.next = page.points.back().id;
  }
  return page;
}

Result<std::uint64_t> ShardedCollection::count(const CallContext& call,
                                               const std::optional<Filter>& filter) {
  QV_CHECK(call.check());
  QV_TRY(const auto counts, each_shard<std::uint64_t>([&](LocalReplica& replica, std::uint32_t) {
           return replica.shard().count(call, filter);
         }));
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

Result<std::vector<Field>> ShardedCollection::fields(const CallContext& call, std::size_t limit) {
  QV_CHECK(call.check());
  constexpr std::size_t kExamples = 3;
  QV_TRY(auto answers,
         each_shard<std::vector<storage::FieldSummary>>(
             [&](LocalReplica& replica, std::uint32_t) { return replica.shard().fields(limit); }));
  std::map<std::string, Field> merged;
  for (auto& answer : answers) {
    for (auto& summary : answer) add_field(merged, std::move(summary));
  }
  std::vector<Field> fields;
  for (auto& [name, field] : merged) {
    if (field.examples.size() > kExamples) field.examples.resize(kExamples);
    fields.push_back(std::move(field));
  }
  std::stable_sort(fields.begin(), fields.end(),
                   [](const Field& a, const Field& b) { return a.points > b.points; });
  if (fields.size() > limit) fields.resize(limit);
  return fields;
}

Result<CollectionStats> ShardedCollection::stats(const CallContext& call) {
  QV_CHECK(call.check());
  QV_TRY(const auto all,
         each_shard<storage::ShardStats>(
             [](LocalReplica& replica, std::uint32_t) -> Result<storage::ShardStats> {
               return replica.shard().stats();
             }));
  CollectionStats sum;
  for (const auto& stats : all) {
    sum.points += stats.points;
    sum.unindexed += stats.unindexed;
    sum.disk_bytes += stats.disk_bytes;
  }
  return sum;
}

Result<bool> ShardedCollection::purge_expired(std::int64_t now_ms) {
  if (retired_ || !is_open()) return false;
  heal();
  QV_TRY(const auto more,
         each_shard<bool>([&](LocalReplica& replica, std::uint32_t) -> Result<bool> {
           auto ids = replica.shard().expired(now_ms, kPurgePointsMax);
           if (ids.empty()) return false;
           const bool full = ids.size() == kPurgePointsMax;
           QV_TRY(const auto purged,
                  replica.write(CallContext{}, Mutation{EraseExpired{std::move(ids), now_ms}}));
           // Nothing went: then a further round would not get on either.
           return full && purged.affected > 0;
         }));
  return std::find(more.begin(), more.end(), true) != more.end();
}

void ShardedCollection::retire() {
  retired_ = true;
  const WriteLock lock(life_);
  replicas_.clear();
}

}  // namespace quiver::cluster
