#include "fake_store.h"

#include <utility>

namespace quiver::mcp::test {

Result<Json> FakeStore::invoke(const CallContext&, std::string_view operation,
                               const Json& arguments) {
  asked.emplace_back(operation, arguments);
  if (fault) return *fault;
  if (operation == "collection_list") return list(arguments);
  if (operation == "collection_info") return info(arguments.at("collection"));
  if (operation == "memory_get") return get(arguments);
  if (operation == "memory_search") return search(arguments);
  if (operation == "vector_scroll") return scroll(arguments);
  if (operation == "complete") return complete(arguments);
  if (const auto answer = answers.find(operation); answer != answers.end()) return answer->second;
  return Error{ErrorCode::NotFound, "no such operation"};
}

Result<Json> FakeStore::list(const Json& arguments) {
  const std::size_t limit = arguments.at("limit");
  std::string after = arguments.value("cursor", "");
  if (!after.empty() && !after.starts_with("after:")) {
    return Error{ErrorCode::InvalidArgument, "cursor: not one of ours"};
  }
  if (!after.empty()) after = after.substr(6);
  Json page{{"collections", Json::array()}};
  std::string last;
  for (const auto& [name, collection] : collections) {
    if (name <= after) continue;
    if (page["collections"].size() == limit) {
      page["next_cursor"] = "after:" + last;
      break;
    }
    Json summary{{"name", name}, {"count", collection.points.size()}, {"dimension", 384}};
    if (!collection.description.empty()) summary["description"] = collection.description;
    page["collections"].push_back(std::move(summary));
    last = name;
  }
  return page;
}

Result<FakeStore::Collection*> FakeStore::find(const Json& arguments) {
  const std::string name = arguments.value("collection", "memory");
  const auto found = collections.find(name);
  if (found != collections.end()) return &found->second;
  return Error{ErrorCode::NotFound, "collection \"" + name + "\" not found"};
}

Result<Json> FakeStore::info(const std::string& name) {
  QV_TRY(const Collection* collection, find({{"collection", name}}));
  return Json{{"name", name},
              {"count", collection->points.size()},
              {"unindexed", 3},
              {"fields", collection->fields}};
}

Result<Json> FakeStore::get(const Json& arguments) {
  QV_TRY(const Collection* collection, find(arguments));
  const Json& id = arguments.at("ids").at(0);
  const auto found = collection->points.find(id.dump());
  if (found == collection->points.end()) return Json{{"items", Json::array()}, {"missing", {id}}};
  Json item = found->second;
  item["id"] = id;
  const std::string text = item.value("text", "");
  const std::size_t offset = arguments.value("text_offset", std::size_t{0});
  if (offset > 0) item.erase("metadata");
  if (offset >= text.size() && offset > 0) {
    return Error{ErrorCode::InvalidArgument, "text_offset: the text ends before"};
  }
  if (item.contains("text")) item["text"] = text.substr(offset, piece);
  if (text.size() > offset + piece) {
    item["text_truncated"] = true;
    item["next_offset"] = offset + piece;
    item["text_bytes"] = text.size();
  }
  if (after_first_piece) std::exchange(after_first_piece, nullptr)();
  return Json{{"items", {item}}};
}

Result<Json> FakeStore::search(const Json& arguments) {
  QV_TRY(const Collection* collection, find(arguments));
  Json hits = Json::array();
  for (const auto& [id, point] : collection->points) {
    const std::string text = point.value("text", "");
    if (text.find(arguments.at("query")) == std::string::npos) continue;
    hits.push_back({{"id", Json::parse(id)}, {"score", 0.5}, {"text", text}});
  }
  return Json{{"hits", std::move(hits)}};
}

Result<Json> FakeStore::scroll(const Json& arguments) {
  QV_TRY(const Collection* collection, find(arguments));
  Json items = Json::array();
  for (const auto& [id, point] : collection->points) {
    if (items.size() == arguments.at("limit")) break;
    items.push_back(point);
  }
  return Json{{"items", std::move(items)}};
}

Result<Json> FakeStore::complete(const Json& arguments) {
  const std::string prefix = arguments.at("prefix");
  Json values = Json::array();
  const auto add = [&](const std::string& name) {
    if (name.starts_with(prefix)) values.push_back(name);
  };
  if (arguments.at("kind") == "collection") {
    for (const auto& [name, unused] : collections) add(name);
  } else {
    QV_TRY(const Collection* collection, find(arguments));
    if (arguments["kind"] == "field") {
      for (const Json& field : collection->fields) add(field.at("name"));
    } else {
      for (const auto& [id, unused] : collection->points) {
        const Json json = Json::parse(id);
        add(json.is_string() ? json.get<std::string>() : id);
      }
    }
  }
  const std::size_t total = values.size();
  return Json{{"values", std::move(values)}, {"total", total}, {"has_more", false}};
}

}  // namespace quiver::mcp::test
