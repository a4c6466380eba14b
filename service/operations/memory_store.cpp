#include "service/operations/memory_store.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "core/text.h"
#include "service/renamed_place.h"

namespace quiver::service {
namespace {

/// 13 characters for the 64 bits of a hash: short, for ids are read and repeated by models.
std::string id_from_hash(std::uint64_t hash) {
  constexpr std::string_view kDigits = "0123456789abcdefghjkmnpqrstvwxyz";
  std::string out;
  for (int i = 0; i < 13; ++i) {
    out += kDigits[hash & 31U];
    hash >>= 5U;
  }
  return out;
}

PointId derived_id(std::string_view text, unsigned attempt) {
  std::string hashed(text);
  if (attempt > 0) hashed += '\0' + std::to_string(attempt);
  return *PointId::from_text(id_from_hash(stable_hash(hashed)));
}

/// Gives every item its id and finds those for which nothing is to be written.
class StorePlan {
 public:
  StorePlan(const MemoryStoreRequest& request, cluster::Collection* collection)
      : request_(request), collection_(collection), ids_(request.items.size()) {}

  Status make(const CallContext& call) {
    QV_CHECK(take_given_ids());
    std::vector<std::string_view> texts = texts_without_id();
    for (unsigned attempt = 0; !texts.empty(); ++attempt) {
      if (attempt == kAttemptsMax) {
        return Error{ErrorCode::FailedPrecondition,
                     "items: the ids made from a text are all taken by other texts; give an id"};
      }
      QV_TRY(texts, place(call, texts, attempt));
    }
    choose_writes();
    return Done{};
  }

  const std::vector<PointId>& ids() const noexcept { return ids_; }
  /// Indexes of the items to write; each id once.
  const std::vector<std::size_t>& writes() const noexcept { return writes_; }

 private:
  static constexpr unsigned kAttemptsMax = 8;

  Status take_given_ids() {
    Problems problems;
    std::map<PointId, std::size_t> first;
    for (std::size_t i = 0; i < request_.items.size(); ++i) {
      const auto& id = request_.items[i].id;
      if (!id) continue;
      const auto [at, added] = first.emplace(*id, i);
      if (!added) {
        problems.add("items[" + std::to_string(i) + "].id: " + id->display() +
                     " is also the id of items[" + std::to_string(at->second) + "]");
      }
      ids_[i] = *id;
      taken_[*id] = {};
    }
    return problems.status();
  }

  std::vector<std::string_view> texts_without_id() const {
    std::vector<std::string_view> texts;
    for (const auto& item : request_.items) {
      if (!item.id) texts.emplace_back(item.text);
    }
    std::sort(texts.begin(), texts.end());
    texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
    return texts;
  }

  /// Gives each text the id of this attempt unless another text has it, here or in the collection:
  /// a hash is short, and an id made from a text may since have been given to a better wording.
  /// Returns the texts that are left.
  Result<std::vector<std::string_view>> place(const CallContext& call,
                                              const std::vector<std::string_view>& texts,
                                              unsigned attempt) {
    std::map<PointId, std::string_view> wanted;
    std::vector<std::string_view> left;
    for (const auto text : texts) {
      const auto id = derived_id(text, attempt);
      if (taken_.contains(id) || !wanted.emplace(id, text).second) left.push_back(text);
    }
    std::vector<PointId> asked;
    asked.reserve(wanted.size());
    for (const auto& [id, text] : wanted) asked.push_back(id);
    std::vector<Point> there;
    if (collection_ != nullptr) {
      QV_TRY(there, collection_->get(call, asked, Projection{true, true, false}));
    }
    for (auto& point : there) {
      const auto found = wanted.find(point.id);
      if (found == wanted.end()) continue;
      if (point.text == found->second) {
        existing_.emplace(found->second, std::move(point));
      } else {
        left.push_back(found->second);
        wanted.erase(found);
      }
    }
    for (const auto& [id, text] : wanted) {
      taken_[id] = text;
      id_of_.emplace(text, id);
    }
    return left;
  }

  bool is_stored(const MemoryStoreItem& item) const {
    const auto found = existing_.find(item.text);
    if (found == existing_.end() || request_.ttl_seconds) return false;
    const auto& point = found->second;
    const Json wanted = item.metadata ? item.metadata->value : Json::object();
    return point.expires_at_ms == 0 && point.payload == wanted;
  }

  void choose_writes() {
    std::map<PointId, std::size_t> last;
    for (std::size_t i = 0; i < request_.items.size(); ++i) {
      const auto& item = request_.items[i];
      if (!item.id) ids_[i] = id_of_.at(item.text);
      last[ids_[i]] = i;
    }
    for (std::size_t i = 0; i < request_.items.size(); ++i) {
      const auto& item = request_.items[i];
      if (last.at(ids_[i]) == i && (item.id || !is_stored(item))) writes_.push_back(i);
    }
  }

  const MemoryStoreRequest& request_;
  cluster::Collection* collection_;
  std::vector<PointId> ids_;
  /// Ids that items of this call have, with the text they were made from.
  std::map<PointId, std::string_view> taken_;
  std::map<std::string_view, PointId> id_of_;
  /// What is stored already, by text.
  std::map<std::string_view, Point> existing_;
  std::vector<std::size_t> writes_;
};

Result<std::shared_ptr<cluster::Collection>> make_default(const CallContext& call, Engine& engine,
                                                          const embedding::Provider& embedder) {
  CollectionSpec spec;
  spec.name = kDefaultCollection;
  spec.description = "Memories stored without naming a collection";
  spec.embedder = embedder.name();
  spec.dimension = static_cast<std::uint32_t>(embedder.dimension());
  QV_TRY(auto created, engine.collections.create(call, std::move(spec)));
  if (!created.existed) {
    engine.changes.publish({Change::Kind::CollectionsChanged, std::string(kDefaultCollection)});
  }
  return std::move(created.collection);
}

Result<std::vector<Point>> embed_points(const CallContext& call, const Engine& engine,
                                        embedding::Provider& embedder,
                                        const MemoryStoreRequest& request, const StorePlan& plan) {
  std::vector<std::string> texts;
  for (const auto i : plan.writes()) texts.push_back(request.items[i].text);
  auto embedded = embedder.embed(call, texts, embedding::Purpose::Document);
  if (!embedded.ok()) {
    return rename_place(std::move(embedded).error(), "texts", texts.size(), [&](std::size_t n) {
      return "items[" + std::to_string(plan.writes()[n]) + "].text";
    });
  }
  auto vectors = std::move(embedded).value();
  if (vectors.size() != texts.size()) {
    return Error{ErrorCode::Internal, "the embedder gave another number of vectors than of texts"};
  }
  const std::int64_t now_ms = engine.clock.wall_ms();
  std::vector<Point> points;
  points.reserve(texts.size());
  for (std::size_t n = 0; n < texts.size(); ++n) {
    const auto& item = request.items[plan.writes()[n]];
    Point point;
    point.id = plan.ids()[plan.writes()[n]];
    point.vector = std::move(vectors[n]);
    if (item.metadata) point.payload = item.metadata->value;
    point.text = std::move(texts[n]);
    point.created_at_ms = now_ms;
    if (request.ttl_seconds) {
      point.expires_at_ms = now_ms + std::int64_t{*request.ttl_seconds} * 1000;
    }
    points.push_back(std::move(point));
  }
  return points;
}

/// Long ids are not repeated to whoever gave them.
void bound_ids(const MemoryStoreRequest& request, std::size_t bytes,
               MemoryStoreResponse& response) {
  if (compact(encode(response.ids)).size() <= bytes) return;
  std::vector<PointId> made;
  for (std::size_t i = 0; i < request.items.size(); ++i) {
    if (!request.items[i].id) made.push_back(std::move(response.ids[i]));
  }
  response.ids = std::move(made);
  response.given_ids_omitted = true;
}

}  // namespace

Result<MemoryStoreResponse> memory_store(const CallContext& call, Engine& engine,
                                         const MemoryStoreRequest& request) {
  QV_TRY(auto collection, find_memories(engine, request.collection));
  QV_TRY(auto* embedder, collection ? embedder_of(engine, *collection)
                                    : engine.find_embedder(engine.default_embedder));
  StorePlan plan(request, collection.get());
  QV_CHECK(plan.make(call));
  if (!plan.writes().empty()) {
    // Before the default collection is made: a text that cannot be embedded changes nothing.
    QV_TRY(auto points, embed_points(call, engine, *embedder, request, plan));
    if (!collection) {
      QV_TRY(collection, make_default(call, engine, *embedder));
    }
    const auto result = collection->upsert(call, std::move(points));
    tell_of_write(engine, request.collection, result);
    if (!result.ok()) {
      return rename_place(result.error(), "points", plan.writes().size(), [&](std::size_t n) {
        return "items[" + std::to_string(plan.writes()[n]) + ']';
      });
    }
  }
  const auto written = plan.writes().size();
  MemoryStoreResponse response{written, plan.ids(), request.items.size() - written, std::nullopt};
  bound_ids(request, engine.reply_bytes, response);
  return response;
}

Operation memory_store_operation() {
  return operation(
      About{"memory_store", "Store memories",
            "Save text so it can be found later by meaning. Embeds on the server. Reuse an id to "
            "overwrite; without id, identical text is not stored twice.",
            Toolset::Memory, Access::Write, Effects{false, true},
            Route{"POST", "/v1/collections/{collection}/memories"}},
      &memory_store);
}

}  // namespace quiver::service
