#include "cluster/sharded_collection.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <iterator>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include "cluster/merge.h"
#include "cluster/shard_router.h"
#include "core/limits.h"
#include "core/payload.h"
#include "thrift/split_write.h"

namespace quiver::cluster {
namespace {

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

/// Of the time that a call has left, what a shard may take where the others can do without it: the
/// rest is for the answer.
CallContext with_share(const CallContext& call) {
  CallContext out = call;
  if (!call.deadline) return out;
  const auto now = std::chrono::steady_clock::now();
  const auto left = std::max(*call.deadline - now, std::chrono::steady_clock::duration(0));
  out.deadline = now + left / 4 * 3;
  return out;
}

/// Whether an answer can do without the shard that failed so.
bool may_miss(const CallContext& call, const Error& error) {
  if (error.code == ErrorCode::Unavailable) return true;
  return error.code == ErrorCode::DeadlineExceeded && call.check().ok();
}

/// One shard's share of a write.
struct Share {
  std::vector<WriteRequest> parts;
  /// Another attempt may follow that needs all of them.
  bool keeps_parts = false;
  /// How many of the parts have been answered: another attempt goes on behind them.
  std::size_t answered = 0;
  MutationResult sum;
  /// As Written::at, of the last.
  Seq at{0};

  Result<MutationResult> carry_out(const CallContext& call, Replica& replica) {
    for (; answered < parts.size(); ++answered) {
      CallContext part = call;
      part.request_id = thrift::part_id(call.request_id, answered, parts.size());
      const bool moves = parts.size() == 1 && !keeps_parts;
      WriteRequest request = moves ? std::move(parts[answered]) : parts[answered];
      auto written = replica.write(part, std::move(request));
      if (!written.ok()) {
        // Refused, it is as it was.
        // NOLINTNEXTLINE(bugprone-use-after-move): Replica::write() leaves it there then.
        if (moves) parts[answered] = std::move(request);
        return std::move(written).error();
      }
      sum.affected += written->result.affected;
      sum.created += written->result.created;
      at = std::max(at, written->at);
    }
    return sum;
  }
};

Status check_points(const CollectionSpec& spec, const std::vector<Point>& points) {
  if (points.size() > limits::kBatchPointsMax) {
    return Error{ErrorCode::InvalidArgument,
                 "points: at most " + std::to_string(limits::kBatchPointsMax) +
                     " in one call, got " + std::to_string(points.size())};
  }
  for (std::size_t i = 0; i < points.size(); ++i) {
    const std::string where = "points[" + std::to_string(i) + "]";
    QV_CHECK(check_vector(spec, points[i].vector, where + ".vector"));
    const auto& text = points[i].text;
    QV_CHECK(check_payload(points[i].payload, text ? text->size() : 0, where));
  }
  return Done{};
}

/// One shard's share of a conditional write.
struct ConditionalShare {
  std::vector<WriteRequest> parts;
  /// How many of the parts have been answered: another attempt goes on behind them.
  std::size_t answered = 0;
  /// Ids of points whose part was not to be written.
  std::vector<PointId> left;
  /// As Written::at, of the last.
  Seq at{0};

  Result<MutationResult> carry_out(const CallContext& call, Replica& replica) {
    for (; answered < parts.size(); ++answered) {
      const auto& part = std::get<UpsertIf>(parts[answered]);
      CallContext with = call;
      with.request_id = thrift::part_id(call.request_id, part);
      QV_TRY(const auto written, replica.write(with, WriteRequest(part)));
      at = std::max(at, written.at);
      if (written.result.affected > 0) continue;
      for (const auto& point : part.points) left.push_back(point.id);
    }
    return MutationResult{};
  }
};

}  // namespace

ShardedCollection::ShardedCollection(std::shared_ptr<const CollectionView> collection, Ways ways)
    : collection_(std::move(collection)),
      spec_(collection_->spec),
      ways_(std::move(ways)),
      caller_(spec_, {ways_.views, ways_.copies, ways_.fan_out}),
      all_shards_(numbers_below(spec_.shard_count)) {}

Error ShardedCollection::gone() const {
  return {ErrorCode::NotFound, "collection \"" + spec_.name + "\" was deleted"};
}

const CollectionView* ShardedCollection::find_in(const ClusterView& view) const {
  const auto* found = view.find_collection(spec_.name);
  return found != nullptr && found->spec.id == spec_.id ? found : nullptr;
}

ShardedCollection::Manner ShardedCollection::reading(const CallContext& call,
                                                     ReadLevel otherwise) const {
  const auto level = call.read_level ? call.read_level : spec_.read_level;
  return {level.value_or(otherwise), false, true};
}

CallContext ShardedCollection::writing(const CallContext& call) const {
  CallContext out = call;
  if (spec_.replication_factor > 1 && out.request_id.empty()) out.request_id = RequestId::random();
  return out;
}

void ShardedCollection::remember(std::uint32_t shard, Seq at) {
  if (raw(at) == 0) return;
  ways_.copies.routes().tokens().raise(spec_.id, ShardId{shard}, at,
                                       std::chrono::steady_clock::now());
}

template <typename T>
Result<T> ShardedCollection::ask(const CallContext& call, std::uint32_t shard, const Manner& manner,
                                 const Work<T>& work) {
  if (spec_.replication_factor == 1) return ask_only_copy<T>(call, shard, work);
  const ShardCaller::Task task{ShardId{shard}, manner.level, manner.hedged, manner.patient,
                               [&](Replica& replica, const CallContext& with) -> Result<std::any> {
                                 QV_TRY(auto answer, work(replica, with, shard));
                                 return std::any(std::move(answer));
                               }};
  QV_TRY(auto answer, caller_.call(call, task));
  return std::any_cast<T>(std::move(answer));
}

template <typename T>
Result<T> ShardedCollection::ask_only_copy(const CallContext& call, std::uint32_t shard,
                                           const Work<T>& work) {
  const auto ask_by = [&](const ClusterView& view) -> Result<T> {
    const auto* const collection = find_in(view);
    if (collection == nullptr) return gone();
    QV_TRY(const auto replica, ways_.copies.reach(view, *collection, ShardId{shard},
                                                  collection->shards.at(shard).primary, {}));
    return work(*replica, call, shard);
  };
  const auto view = ways_.views.current();
  auto first = ask_by(*view);
  // Whose files are gone may have been deleted a moment ago.
  const bool outdated = !first.ok() && (first.error().code == ErrorCode::WrongOwner ||
                                        first.error().code == ErrorCode::Corruption);
  if (!outdated) return first;
  if (auto refreshed = ways_.views.refresh(call); !refreshed.ok())
    return std::move(refreshed).error();
  const auto newer = ways_.views.current();
  if (find_in(*newer) == nullptr) return gone();
  if (first.error().code == ErrorCode::Corruption) return first;
  auto second = ask_by(*newer);
  if (second.ok() || second.error().code != ErrorCode::WrongOwner) return second;
  return Error{ErrorCode::Unavailable, "shard " + std::to_string(shard) + " of collection \"" +
                                           spec_.name + "\" is changing servers; try again"};
}

template <typename T>
std::vector<Result<T>> ShardedCollection::ask_each(const CallContext& call,
                                                   const std::vector<std::uint32_t>& wanted,
                                                   const Manner& manner, const Work<T>& work) {
  const auto home = ways_.home.lock();
  std::vector<Result<T>> answers(
      wanted.size(), Error{ErrorCode::Unavailable, "the server is stopping; try again later"});
  if (!home) return answers;
  ways_.fan_out.run(wanted.size(), [&](std::size_t i) {
    try {
      answers[i] = ask<T>(call, wanted[i], manner, work);
    } catch (const std::exception& problem) {
      // Out of memory, at worst: the call fails, not the pool's thread and with it the process.
      answers[i] = Error{ErrorCode::Internal, std::string("a shard failed: ") + problem.what()};
    }
  });
  return answers;
}

template <typename T>
Result<std::vector<T>> ShardedCollection::each(const CallContext& call,
                                               const std::vector<std::uint32_t>& wanted,
                                               const Manner& manner, const Work<T>& work) {
  auto answers = ask_each<T>(call, wanted, manner, work);
  std::vector<T> out;
  out.reserve(answers.size());
  for (auto& answer : answers) {
    if (!answer.ok()) return std::move(answer).error();
    out.push_back(std::move(answer).value());
  }
  return out;
}

Result<MutationResult> ShardedCollection::write(const CallContext& call,
                                                std::vector<std::optional<WriteRequest>> requests) {
  std::vector<std::uint32_t> wanted;
  std::vector<Share> shares(requests.size());
  for (std::uint32_t i = 0; i < requests.size(); ++i) {
    if (!requests[i]) continue;
    wanted.push_back(i);
    shares[i].parts = thrift::split_write(std::move(*requests[i]));
    shares[i].keeps_parts = spec_.replication_factor > 1;
  }
  QV_TRY(const auto results,
         each<MutationResult>(writing(call), wanted, {},
                              [&](Replica& replica, const CallContext& with, std::uint32_t shard) {
                                auto written = shares[shard].carry_out(with, replica);
                                remember(shard, shares[shard].at);
                                return written;
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
  QV_CHECK(check_points(spec_, points));
  std::vector<std::optional<WriteRequest>> requests(spec_.shard_count);
  for (auto& point : points) {
    auto& request = requests[raw(shard_of(point.id, spec_.shard_count))];
    if (!request) request = WriteRequest(Mutation(UpsertPoints{}));
    std::get<UpsertPoints>(std::get<Mutation>(*request)).points.push_back(std::move(point));
  }
  return write(call, std::move(requests));
}

Result<std::vector<PointId>> ShardedCollection::upsert_if(const CallContext& call, UpsertIf write) {
  QV_CHECK(check_points(spec_, write.points));
  std::set<PointId> ids;
  for (std::size_t i = 0; i < write.points.size(); ++i) {
    if (ids.insert(write.points[i].id).second) continue;
    return Error{ErrorCode::InvalidArgument, "points[" + std::to_string(i) +
                                                 "].id: another point has it too, " +
                                                 write.points[i].id.display()};
  }
  std::vector<UpsertIf> by_shard(spec_.shard_count);
  for (auto& point : write.points) {
    by_shard[raw(shard_of(point.id, spec_.shard_count))].points.push_back(std::move(point));
  }
  for (auto& expectation : write.expected) {
    auto& share = by_shard[raw(shard_of(expectation.id, spec_.shard_count))];
    share.expected.push_back(std::move(expectation));
  }
  std::vector<std::uint32_t> wanted;
  std::vector<ConditionalShare> shares(by_shard.size());
  for (std::uint32_t i = 0; i < by_shard.size(); ++i) {
    if (by_shard[i].points.empty()) continue;
    wanted.push_back(i);
    shares[i].parts = thrift::split_write(std::move(by_shard[i]));
  }
  QV_TRY(const auto done,
         each<MutationResult>(writing(call), wanted, {},
                              [&](Replica& replica, const CallContext& with, std::uint32_t shard) {
                                auto written = shares[shard].carry_out(with, replica);
                                remember(shard, shares[shard].at);
                                return written;
                              }));
  std::vector<PointId> left;
  for (auto& share : shares) {
    std::move(share.left.begin(), share.left.end(), std::back_inserter(left));
  }
  return left;
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
  QV_TRY(auto answers, each<std::vector<Point>>(
                           call, wanted, reading(call, ReadLevel::Linearizable),
                           [&](Replica& replica, const CallContext& with, std::uint32_t shard) {
                             return replica.get(with, by_shard[shard], projection);
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

Result<SearchAnswer> ShardedCollection::search(const CallContext& call, const Query& query) {
  QV_CHECK(call.check());
  QV_CHECK(check_vector(spec_, query.vector, "vector"));
  if (query.k == 0 || query.k > limits::kSearchHitsMax) {
    return Error{ErrorCode::InvalidArgument, "k: must be between 1 and " +
                                                 std::to_string(limits::kSearchHitsMax) + ", got " +
                                                 std::to_string(query.k)};
  }
  const storage::ShardQuery local{query.vector, query.k,  query.filter,
                                  query.exact,  query.ef, query.projection};
  const CallContext share = query.allow_partial ? with_share(call) : call;
  auto manner = reading(call, ReadLevel::Session);
  manner.hedged = true;
  manner.patient = !query.allow_partial;
  auto answers = ask_each<std::vector<ScoredPoint>>(
      share, all_shards_, manner, [&](Replica& replica, const CallContext& with, std::uint32_t) {
        return replica.search(with, local);
      });
  SearchAnswer out;
  std::vector<std::vector<ScoredPoint>> found;
  for (std::uint32_t shard = 0; shard < answers.size(); ++shard) {
    auto& answer = answers[shard];
    if (answer.ok()) {
      found.push_back(std::move(answer).value());
    } else if (query.allow_partial && may_miss(call, answer.error())) {
      out.missing.push_back({shard, answer.error().message});
    } else {
      return std::move(answer).error();
    }
  }
  if (found.empty()) return std::move(answers.front()).error();
  out.hits = merge_hits(std::move(found), query.k);
  return out;
}

Result<ScrollPage> ShardedCollection::scroll(const CallContext& call,
                                             const std::optional<Filter>& filter,
                                             const std::optional<PointId>& after, std::size_t limit,
                                             Projection projection) {
  QV_CHECK(call.check());
  // One more than asked for tells whether there is a next page.
  const storage::ScrollQuery local{filter, after, limit + 1, projection};
  QV_TRY(auto pages,
         each<std::vector<Point>>(call, all_shards_, reading(call, ReadLevel::Linearizable),
                                  [&](Replica& replica, const CallContext& with, std::uint32_t) {
                                    return replica.scroll(with, local);
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
  QV_TRY(const auto counts,
         each<std::uint64_t>(call, all_shards_, reading(call, ReadLevel::Linearizable),
                             [&](Replica& replica, const CallContext& with, std::uint32_t) {
                               return replica.count(with, filter);
                             }));
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

Result<std::vector<Field>> ShardedCollection::fields(const CallContext& call, std::size_t limit) {
  QV_CHECK(call.check());
  constexpr std::size_t kExamples = 3;
  QV_TRY(auto answers, each<std::vector<storage::FieldSummary>>(
                           call, all_shards_, reading(call, ReadLevel::Linearizable),
                           [&](Replica& replica, const CallContext& with, std::uint32_t) {
                             return replica.fields(with, limit);
                           }));
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
         each<storage::ShardStats>(call, all_shards_, reading(call, ReadLevel::Linearizable),
                                   [&](Replica& replica, const CallContext& with, std::uint32_t) {
                                     return replica.stats(with);
                                   }));
  CollectionStats sum;
  for (const auto& stats : all) {
    sum.points += stats.points;
    sum.unindexed += stats.unindexed;
    sum.disk_bytes += stats.disk_bytes;
  }
  return sum;
}

}  // namespace quiver::cluster
