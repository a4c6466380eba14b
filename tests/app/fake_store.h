#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "service/executor.h"

namespace quiver::app {

/// Keeps points in maps and answers the operations that import and export use as service/ does,
/// and counts the calls.
class FakeStore final : public service::Executor {
 public:
  struct Collection {
    std::size_t dimension = 384;
    bool embeds = true;
    std::string metric = "dot";
    /// By the JSON text of the id.
    std::map<std::string, Json> points;
  };
  std::map<std::string, Collection> collections;
  std::map<std::string, int> calls;
  std::set<std::string> request_ids;
  /// Called before each operation; an error is its answer.
  std::function<Status(const std::string& operation, const Json& arguments)> before;
  /// Points that export_page returns at once.
  std::size_t page = 1000;

  Result<Json> invoke(const CallContext& call, std::string_view operation,
                      const Json& arguments) override {
    const std::string name(operation);
    ++calls[name];
    request_ids.insert(call.request_id.hex());
    if (before) QV_CHECK(before(name, arguments));
    if (name == "collection_create") return create(arguments);
    const std::string wanted = arguments.at("collection");
    if (collections.count(wanted) == 0) {
      if (name != "memory_store" || wanted != "memory") {
        return Error{ErrorCode::NotFound, "collection \"" + wanted + "\" not found"};
      }
      collections[wanted];
    }
    auto& collection = collections[wanted];
    if (name == "collection_info") return info(collection);
    if (name == "memory_store") return store(collection, arguments.at("items"));
    if (name == "vector_upsert") return upsert(collection, arguments.at("points"));
    if (name == "vector_scroll") return scroll(collection, arguments);
    if (name == "memory_delete") return erase(collection, arguments.at("ids"));
    if (name == "export_page" && arguments.contains("ids")) {
      return get(collection, arguments);
    }
    if (name == "export_page") return export_page(collection, arguments);
    return Error{ErrorCode::NotFound, "operation " + name + " is unknown"};
  }

 private:
  static Json info(const Collection& collection) {
    Json out{{"dimension", collection.dimension},
             {"metric", collection.metric},
             {"count", collection.points.size()}};
    if (collection.embeds) out["embedder"] = "minilm";
    return out;
  }

  Result<Json> create(const Json& arguments) {
    auto& made = collections[arguments.at("name").get<std::string>()];
    made.embeds = !arguments.contains("dimension") || arguments.contains("embedder");
    made.dimension = arguments.value("dimension", std::size_t{384});
    return info(made);
  }

  static Result<Json> store(Collection& collection, const Json& items) {
    std::uint64_t stored = 0;
    std::uint64_t duplicates = 0;
    std::set<std::string> ids;
    Json out = Json::array();
    for (const auto& item : items) {
      Json point = item;
      if (!item.contains("id")) point["id"] = "text:" + item.at("text").get<std::string>();
      const std::string key = point.at("id").dump();
      if (item.contains("id") && !ids.insert(key).second) {
        return Error{ErrorCode::InvalidArgument, "two items have the id " + key};
      }
      if (!item.contains("id") && collection.points.count(key) > 0 &&
          collection.points[key] == point) {
        ++duplicates;
      } else {
        collection.points[key] = point;
        ++stored;
      }
      out.push_back(point.at("id"));
    }
    return Json{{"stored", stored}, {"duplicates", duplicates}, {"ids", out}};
  }

  static Result<Json> upsert(Collection& collection, const Json& points) {
    std::uint64_t created = 0;
    for (const auto& point : points) {
      if (point.at("vector").size() != collection.dimension) {
        return Error{ErrorCode::InvalidArgument, "points[0]: wrong dimension"};
      }
      created += collection.points.insert_or_assign(point.at("id").dump(), point).second ? 1 : 0;
    }
    return Json{{"upserted", points.size()}, {"created", created}};
  }

  /// Knows the two filters that an import asks with.
  static Result<Json> scroll(const Collection& collection, const Json& arguments) {
    const Json& wanted = arguments.at("filter").at("source");
    Json matches = Json::array();
    bool any_source = false;
    for (const auto& [key, point] : collection.points) {
      const Json metadata = point.value("metadata", Json::object());
      if (!metadata.contains("source")) continue;
      any_source = true;
      if (wanted.is_object() || metadata.at("source") == wanted) {
        matches.push_back({{"id", point.at("id")}, {"metadata", metadata}});
      }
    }
    if (!any_source && !wanted.is_object()) {
      return Error{ErrorCode::InvalidArgument, "filter field \"source\" unknown"};
    }
    if (arguments.value("count_only", false)) return Json{{"count", matches.size()}};
    const std::size_t limit = arguments.at("limit");
    const std::size_t start =
        arguments.contains("cursor") ? std::stoul(arguments.at("cursor").get<std::string>()) : 0;
    Json page{{"items", Json::array()}};
    for (std::size_t i = start; i < std::min(start + limit, matches.size()); ++i) {
      page["items"].push_back(matches[i]);
    }
    if (start + limit < matches.size()) page["next_cursor"] = std::to_string(start + limit);
    return page;
  }

  Result<Json> get(const Collection& collection, const Json& arguments) const {
    Json out{{"points", Json::array()}};
    for (const auto& id : arguments.at("ids")) {
      const auto found = collection.points.find(id.dump());
      if (found == collection.points.end()) continue;
      if (out["points"].size() == page) {
        out["not_returned"].push_back(id);
      } else {
        Json item = found->second;
        if (!arguments.value("vectors", false)) item.erase("vector");
        out["points"].push_back(item);
      }
    }
    return out;
  }

  static Result<Json> erase(Collection& collection, const Json& ids) {
    std::uint64_t deleted = 0;
    for (const auto& id : ids) deleted += collection.points.erase(id.dump());
    return Json{{"deleted", deleted}};
  }

  Result<Json> export_page(const Collection& collection, const Json& arguments) const {
    Json out{{"points", Json::array()}};
    auto next = collection.points.begin();
    if (arguments.contains("after"))
      next = collection.points.upper_bound(arguments["after"].dump());
    for (; next != collection.points.end() && out["points"].size() < page; ++next) {
      Json point = next->second;
      if (!arguments.value("vectors", false)) point.erase("vector");
      out["points"].push_back(point);
    }
    if (next != collection.points.end()) out["next"] = out["points"].back().at("id");
    return out;
  }
};

}  // namespace quiver::app
