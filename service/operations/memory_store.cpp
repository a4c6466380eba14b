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

Json metadata_of(const MemoryStoreItem& item) {
  return item.metadata ? item.metadata->value : Json::object();
}

/// Field by field: what the item does not name stays.
Json merged(Json metadata, const MemoryStoreItem& item) {
  metadata.update(metadata_of(item));
  return metadata;
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
    for (std::size_t i = 0; i < request_.items.size(); ++i) {
      if (!request_.items[i].id) ids_[i] = id_of_.at(request_.items[i].text);
    }
    return choose_writes();
  }

  const std::vector<PointId>& ids() const noexcept { return ids_; }
  /// Indexes of the items to write; each id once.
  const std::vector<std::size_t>& writes() const noexcept { return writes_; }
  /// What is stored already of an item that came without id; null: nothing.
  const Point* stored(const MemoryStoreItem& item) const {
    const auto found = item.id ? existing_.end() : existing_.find(item.text);
    return found == existing_.end() ? nullptr : &found->second;
  }

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

  Status choose_writes() {
    Problems problems;
    std::map<std::string_view, std::size_t> first;
    for (std::size_t i = 0; i < request_.items.size(); ++i) {
      const auto& item = request_.items[i];
      if (item.id) {
        writes_.push_back(i);
        continue;
      }
      const auto [at, added] = first.emplace(item.text, i);
      if (!added) {
        if (metadata_of(item) != metadata_of(request_.items[at->second])) {
          problems.add("items[" + std::to_string(i) + "]: its text is also that of items[" +
                       std::to_string(at->second) +
                       "], with other metadata: give one of them, or ids to keep both");
        }
      } else if (is_news(item)) {
        writes_.push_back(i);
      }
    }
    return problems.status();
  }

  /// Whether an item without id says more than what is stored of its text.
  bool is_news(const MemoryStoreItem& item) const {
    const auto* known = stored(item);
    return known == nullptr || request_.ttl_seconds ||
           merged(known->payload, item) != known->payload;
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
    point.created_at_ms = now_ms;
    if (const auto* known = plan.stored(item)) point = *known;
    point.id = plan.ids()[plan.writes()[n]];
    point.vector = std::move(vectors[n]);
    point.payload = merged(std::move(point.payload), item);
    point.text = std::move(texts[n]);
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
  MemoryStoreResponse response;
  response.ids = plan.ids();
  for (const auto i : plan.writes()) {
    ++(plan.stored(request.items[i]) == nullptr ? response.stored : response.updated);
  }
  response.duplicates = request.items.size() - plan.writes().size();
  bound_ids(request, engine.reply_bytes, response);
  return response;
}

Operation memory_store_operation() {
  return operation(
      About{"memory_store", "Store memories",
            "Save text so it can be found later by meaning. Embeds on the server. Reuse an id to "
            "overwrite; without id, identical text is kept once and new metadata merged into it.",
            Toolset::Memory, Access::Write, Effects{false, true},
            Route{"POST", "/v1/collections/{collection}/memories"}},
      &memory_store);
}

}  // namespace quiver::service
