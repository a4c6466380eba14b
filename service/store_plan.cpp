#include "service/store_plan.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "core/text.h"

namespace quiver::service {
namespace {

constexpr unsigned kAttemptsMax = 8;

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

std::string place_of(std::size_t index) {
  return "items[" + std::to_string(index) + "]";
}

}  // namespace

StorePlan::StorePlan(const MemoryStoreRequest& request)
    : request_(request), ids_(request.items.size()) {}

Status StorePlan::make(const CallContext& call, cluster::Collection* collection) {
  QV_CHECK(take_given_ids());
  QV_CHECK(place_all(call, collection, texts_without_id()));
  QV_CHECK(choose_writes());
  return check_merged();
}

Status StorePlan::again(const CallContext& call, cluster::Collection& collection,
                        const std::vector<PointId>& changed) {
  const std::set<PointId> wanted(changed.begin(), changed.end());
  std::vector<std::size_t> left;
  Texts texts;
  for (const auto i : writes_) {
    const auto& item = request_.items[i];
    if (!wanted.contains(ids_[i])) continue;
    left.push_back(i);
    if (item.id) continue;
    taken_.erase(ids_[i]);
    id_of_.erase(item.text);
    existing_.erase(item.text);
    texts.emplace_back(item.text);
  }
  QV_CHECK(place_all(call, &collection, std::move(texts)));
  writes_.clear();
  for (const auto i : left) {
    if (request_.items[i].id || is_news(request_.items[i])) writes_.push_back(i);
  }
  return check_merged();
}

const Point* StorePlan::stored(const MemoryStoreItem& item) const {
  const auto found = item.id ? existing_.end() : existing_.find(item.text);
  return found == existing_.end() ? nullptr : &found->second;
}

UpsertIf StorePlan::points(std::int64_t now_ms) const {
  UpsertIf out;
  out.points.reserve(writes_.size());
  for (const auto i : writes_) {
    const auto& item = request_.items[i];
    const auto* known = stored(item);
    if (!item.id) {
      out.expected.push_back(
          {ids_[i], known == nullptr ? std::nullopt : std::optional(digest_of(*known))});
    }
    Point point;
    point.created_at_ms = now_ms;
    if (known != nullptr) point = *known;
    point.id = ids_[i];
    point.payload = merged(std::move(point.payload), item);
    point.text = item.text;
    if (request_.ttl_seconds) {
      point.expires_at_ms = now_ms + std::int64_t{*request_.ttl_seconds} * 1000;
    }
    out.points.push_back(std::move(point));
  }
  return out;
}

Status StorePlan::take_given_ids() {
  Problems problems;
  std::map<PointId, std::size_t> first;
  for (std::size_t i = 0; i < request_.items.size(); ++i) {
    const auto& id = request_.items[i].id;
    if (!id) continue;
    const auto [at, added] = first.emplace(*id, i);
    if (!added) {
      problems.add(place_of(i) + ".id: " + id->display() + " is also the id of " +
                   place_of(at->second));
    }
    ids_[i] = *id;
    taken_[*id] = {};
  }
  return problems.status();
}

StorePlan::Texts StorePlan::texts_without_id() const {
  Texts texts;
  for (const auto& item : request_.items) {
    if (!item.id) texts.emplace_back(item.text);
  }
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  return texts;
}

Status StorePlan::place_all(const CallContext& call, cluster::Collection* collection, Texts texts) {
  for (unsigned attempt = 0; !texts.empty(); ++attempt) {
    if (attempt == kAttemptsMax) {
      return Error{ErrorCode::FailedPrecondition,
                   "items: the ids made from a text are all taken by other texts; give an id"};
    }
    QV_TRY(texts, place(call, collection, texts, attempt));
  }
  for (std::size_t i = 0; i < request_.items.size(); ++i) {
    if (!request_.items[i].id) ids_[i] = id_of_.at(request_.items[i].text);
  }
  return Done{};
}

/// Gives each text the id of this attempt unless another text has it, here or in the collection:
/// a hash is short, and an id made from a text may since have been given to a better wording.
/// Returns the texts that are left.
Result<StorePlan::Texts> StorePlan::place(const CallContext& call, cluster::Collection* collection,
                                          const Texts& texts, unsigned attempt) {
  std::map<PointId, std::string_view> wanted;
  Texts left;
  for (const auto text : texts) {
    const auto id = derived_id(text, attempt);
    if (taken_.contains(id) || !wanted.emplace(id, text).second) left.push_back(text);
  }
  std::vector<PointId> asked;
  asked.reserve(wanted.size());
  for (const auto& [id, text] : wanted) asked.push_back(id);
  std::vector<Point> there;
  if (collection != nullptr) {
    QV_TRY(there, collection->get(call, asked, Projection{true, true, false}));
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

Status StorePlan::choose_writes() {
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
        problems.add(place_of(i) + ": its text is also that of " + place_of(at->second) +
                     ", with other metadata: give one of them, or ids to keep both");
      }
    } else if (is_news(item)) {
      writes_.push_back(i);
    }
  }
  return problems.status();
}

/// Whether an item without id says more than what is stored of its text.
bool StorePlan::is_news(const MemoryStoreItem& item) const {
  const auto* known = stored(item);
  return known == nullptr || request_.ttl_seconds || merged(known->payload, item) != known->payload;
}

/// A point may have no more metadata than one call can give it: else it could be neither shown in
/// one reply nor stored again.
Status StorePlan::check_merged() const {
  Problems problems;
  for (const auto i : writes_) {
    const auto& item = request_.items[i];
    const auto* known = stored(item);
    if (known == nullptr) continue;
    const auto after = merged(known->payload, item);
    const std::size_t bytes = compact(after).size();
    if (bytes <= kMetadataBytesMax || after == known->payload) continue;
    problems.add(place_of(i) +
                 ".metadata: with what is stored with this text already it would be " +
                 std::to_string(bytes) + " bytes as compact JSON; at most " +
                 std::to_string(kMetadataBytesMax) + ", so give an id to replace it");
  }
  return problems.status();
}

}  // namespace quiver::service
