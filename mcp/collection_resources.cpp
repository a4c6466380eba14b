#include "mcp/collection_resources.h"

#include <utility>

#include "mcp/collection_uri.h"
#include "mcp/json_rpc.h"
#include "mcp/params.h"

namespace quiver::mcp {
namespace {

constexpr int kPageMax = 100;
constexpr int kReadPageMax = 500;
/// More are cut off, and it is said.
constexpr std::size_t kReadMax = 10'000;
/// A text of 1 MiB comes in fewer pieces.
constexpr int kTextPiecesMax = 256;
constexpr const char* kJsonType = "application/json";

Json listed(const Json& collection) {
  const std::string name = collection.value("name", "");
  std::string description = collection.value("description", "");
  if (description.empty()) description = "What collection " + name + " holds, and how.";
  return {{"uri", to_text(CollectionUri{.collection = name})},
          {"name", name},
          {"title", "Collection " + name},
          {"description", std::move(description)},
          {"mimeType", kJsonType}};
}

Json all_collections() {
  return {{"uri", kCollectionsUri},
          {"name", "collections"},
          {"title", "Collections"},
          {"description", "Every collection with its size and its embedder."},
          {"mimeType", kJsonType}};
}

bool is_changed(const CollectionUri& uri, const service::Change& change) {
  return uri.collection.empty() || change.collection.empty() || uri.collection == change.collection;
}

}  // namespace

CollectionResources::CollectionResources(service::Executor& executor,
                                         const std::shared_ptr<Hub>& hub)
    : executor_(executor),
      changes_(executor.subscribe([weak = std::weak_ptr(hub)](const service::Change& change) {
        if (const auto told = weak.lock()) publish_change(change, *told);
      })) {}

void publish_change(const service::Change& change, Hub& hub) {
  if (change.kind == service::Change::Kind::CollectionsChanged) {
    hub.publish({Event::Kind::ResourcesChanged});
  }
  for (const std::string& watched : hub.watched()) {
    const auto uri = read_collection_uri(watched);
    if (uri && is_changed(*uri, change)) hub.publish({Event::Kind::ResourceUpdated, watched});
  }
}

Result<ResourcePage> CollectionResources::list(Call& call,
                                               const std::optional<std::string>& cursor) {
  Json arguments{{"limit", kPageMax}};
  if (cursor) arguments["cursor"] = *cursor;
  QV_TRY(const Json page, executor_.invoke(call.context, "collection_list", arguments));
  ResourcePage resources;
  if (!cursor) resources.resources.push_back(all_collections());
  for (const Json& collection : page.at("collections")) {
    resources.resources.push_back(listed(collection));
  }
  resources.next_cursor = page.value("next_cursor", "");
  return resources;
}

Json CollectionResources::templates() const {
  return Json::array(
      {{{"uriTemplate", kCollectionTemplate},
        {"name", "collection"},
        {"title", "A collection"},
        {"description", "What a collection holds, and how: size, embedder, metadata fields."},
        {"mimeType", kJsonType}},
       {{"uriTemplate", kPointTemplate},
        {"name", "point"},
        {"title", "A point of a collection"},
        {"description", "The whole text and metadata of one point."},
        {"mimeType", kJsonType}}});
}

std::optional<Outcome<ResourceContents>> CollectionResources::read(Call& call,
                                                                   const std::string& uri) {
  const auto place = read_collection_uri(uri);
  if (!place) return std::nullopt;
  const auto found = [&]() -> Result<Json> {
    if (place->collection.empty()) return read_all(call.context);
    if (place->point) return read_point(call.context, place->collection, place->point->to_json());
    return executor_.invoke(call.context, "collection_info", {{"collection", place->collection}});
  }();
  if (!found.ok()) {
    const ErrorCode code = found.error().code;
    // A name that no collection can have.
    if (code == ErrorCode::NotFound || code == ErrorCode::InvalidArgument) return std::nullopt;
    return rpc_error(found.error());
  }
  return ResourceContents{
      Json::array({{{"uri", uri}, {"mimeType", kJsonType}, {"text", to_text(*found)}}})};
}

Result<Json> CollectionResources::read_all(const CallContext& context) {
  Json all{{"collections", Json::array()}};
  Json arguments{{"limit", kReadPageMax}};
  while (all["collections"].size() < kReadMax) {
    QV_CHECK(context.check());
    QV_TRY(Json page, executor_.invoke(context, "collection_list", arguments));
    for (Json& collection : page.at("collections")) {
      all["collections"].push_back(std::move(collection));
    }
    if (!page.contains("next_cursor")) return all;
    arguments["cursor"] = page["next_cursor"];
  }
  all["truncated"] = true;
  return all;
}

Result<Json> CollectionResources::read_point(const CallContext& context,
                                             const std::string& collection, const Json& id) {
  Json arguments{{"collection", collection}, {"ids", Json::array({id})}};
  Json point;
  std::string text;
  const Error changed{ErrorCode::Unavailable, "the point changed while it was read: read it again"};
  for (int pieces = 0; pieces < kTextPiecesMax; ++pieces) {
    auto got = executor_.invoke(context, "memory_get", arguments);
    if (pieces > 0 && !got.ok() && got.error().code == ErrorCode::InvalidArgument) return changed;
    if (!got.ok()) return std::move(got).error();
    if (got->at("items").empty()) return Error{ErrorCode::NotFound, "no such point"};
    Json& item = (*got)["items"][0];
    text += item.value("text", "");
    if (point.is_null()) point = item;
    if (!item.contains("next_offset")) break;
    arguments["text_offset"] = item["next_offset"];
  }
  if (point.contains("text_bytes") && point["text_bytes"] != text.size()) return changed;
  for (const char* key : {"text_truncated", "next_offset", "text_bytes"}) point.erase(key);
  if (point.contains("text")) point["text"] = std::move(text);
  point["collection"] = collection;
  return point;
}

bool CollectionResources::can_subscribe(const std::string& uri) const {
  const auto place = read_collection_uri(uri);
  // Of the forms that one URI may have, changes are told of one.
  return place && to_text(*place) == uri;
}

}  // namespace quiver::mcp
