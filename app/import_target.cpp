#include "app/import_target.h"

#include <algorithm>
#include <exception>
#include <string_view>
#include <utility>

#include "storage/vector_form.h"

namespace quiver::app {
namespace {

/// Comes into being at the first memory_store.
constexpr std::string_view kDefaultCollection = "memory";
constexpr std::size_t kScrollLimit = 200;
constexpr std::size_t kGetLimit = 100;
constexpr std::size_t kDeleteLimit = 1000;

std::vector<float> floats(const Json& vector) {
  std::vector<float> out;
  out.reserve(vector.size());
  for (const auto& component : vector) out.push_back(component.get<float>());
  return out;
}

bool is_same(const Json& stored, const Json& point) {
  return stored.value("text", Json()) == point.value("text", Json()) &&
         stored.value("metadata", Json::object()) == point.value("metadata", Json::object()) &&
         (!point.contains("vector") ||
          floats(stored.value("vector", Json::array())) == floats(point.at("vector")));
}

Error unexpected(const std::string& operation, const std::exception& problem) {
  return {ErrorCode::Internal, operation + " answered in an unexpected form: " + problem.what()};
}

}  // namespace

Result<Json> ImportTarget::invoke(const std::string& operation, Json arguments) const {
  QV_CHECK(call_.check());
  arguments["collection"] = collection_;
  // Each its own request: the id in call_ would make all but the first a repetition.
  CallContext one = call_;
  one.request_id = {};
  one.progress = nullptr;
  return executor_.invoke(one, operation, arguments);
}

Status ImportTarget::look() {
  const auto info = invoke("collection_info", Json::object());
  if (info.ok()) return read_info(*info);
  if (info.error().code != ErrorCode::NotFound) return info.error();
  missing_ = info.error();
  return Done{};
}

Status ImportTarget::read_info(const Json& info) {
  try {
    // That of a collection just made is what was asked for: the default.
    if (info.contains("metric")) {
      QV_TRY(metric_, metric_from_name(info.at("metric").get<std::string>()));
    }
    dimension_ = info.at("dimension").get<std::size_t>();
    embeds_ = info.contains("embedder") && !info.at("embedder").is_null();
  } catch (const Json::exception& problem) {
    return unexpected("collection_info", problem);
  }
  exists_ = true;
  return Done{};
}

Status ImportTarget::check_vector(const Json& vector, std::size_t dimension) const {
  const auto form = storage::index_form(metric_, dimension, floats(vector));
  if (form.ok()) return Done{};
  return form.error();
}

Status ImportTarget::prepare(const Needs& needs, const Creation& creation) {
  if (!exists_) {
    const bool comes_by_itself = collection_ == kDefaultCollection && needs.dimension == 0;
    if (comes_by_itself && !creation.embedder) return Done{};
    if (creation.is_wanted) return create_it(needs, creation);
    std::string message = missing_ ? missing_->message : "collection " + collection_ + " not found";
    while (message.ends_with('.')) message.pop_back();
    return Error{ErrorCode::NotFound, message + "; --create makes it"};
  }
  QV_CHECK(check_fit(needs));
  Json query{{"filter", {{"source", {{"$exists", true}}}}}, {"count_only", true}};
  QV_TRY(const Json counted, invoke("vector_scroll", std::move(query)));
  has_sources_ = counted.value("count", std::uint64_t{0}) > 0;
  return Done{};
}

Status ImportTarget::create_it(const Needs& needs, const Creation& creation) {
  Json arguments{{"name", collection_}};
  if (creation.embedder) {
    arguments["embedder"] = *creation.embedder;
  } else if (needs.dimension > 0 && !needs.texts) {
    arguments["dimension"] = needs.dimension;
  }
  CallContext one = call_;
  one.request_id = {};
  QV_TRY(const Json created, executor_.invoke(one, "collection_create", arguments));
  QV_CHECK(read_info(created));
  return check_fit(needs);
}

Status ImportTarget::check_fit(const Needs& needs) const {
  if (needs.texts && !embeds_) {
    return Error{ErrorCode::FailedPrecondition,
                 "collection " + collection_ +
                     " holds ready-made vectors only; import text into one with an embedder"};
  }
  if (needs.dimension != 0 && needs.dimension != dimension_) {
    return Error{ErrorCode::FailedPrecondition,
                 "the vectors have " + std::to_string(needs.dimension) + " numbers, collection " +
                     collection_ + " needs " + std::to_string(dimension_)};
  }
  return Done{};
}

Result<std::map<std::string, Json>> ImportTarget::points_of_source(
    const std::string& source) const {
  std::map<std::string, Json> found;
  if (!has_sources_) return found;
  Json query{{"filter", {{"source", source}}}, {"limit", kScrollLimit}};
  while (true) {
    QV_TRY(Json page, invoke("vector_scroll", query));
    try {
      for (auto& item : page.at("items")) {
        if (!item.at("id").is_string()) continue;
        found.emplace(item.at("id").get<std::string>(), item.value("metadata", Json::object()));
      }
      if (!page.contains("next_cursor") || page.at("next_cursor").is_null()) return found;
      query["cursor"] = page.at("next_cursor");
    } catch (const Json::exception& problem) {
      return unexpected("vector_scroll", problem);
    }
  }
}

Result<std::vector<ImportTarget::Stored>> ImportTarget::compare(
    const std::vector<Json>& points) const {
  std::vector<Stored> out(points.size(), Stored::Absent);
  if (!exists_) return out;
  std::map<std::string, std::size_t> wanted;
  for (std::size_t i = 0; i < points.size(); ++i) wanted.emplace(points[i].at("id").dump(), i);
  std::vector<Json> ids;
  ids.reserve(points.size());
  for (const auto& point : points) ids.push_back(point.at("id"));
  while (!ids.empty()) {
    const std::size_t count = std::min(ids.size(), kGetLimit);
    const Json asked(std::vector<Json>(ids.end() - static_cast<std::ptrdiff_t>(count), ids.end()));
    ids.resize(ids.size() - count);
    const bool vectors = points.front().contains("vector");
    QV_TRY(Json reply, invoke("export_page", {{"ids", asked}, {"vectors", vectors}}));
    try {
      for (const auto& item : reply.at("points")) {
        const std::size_t i = wanted.at(item.at("id").dump());
        out[i] = is_same(item, points[i]) ? Stored::Same : Stored::Other;
      }
      // They did not fit into this reply.
      const Json rest = reply.value("not_returned", Json::array());
      if (rest.size() >= count) {
        return Error{ErrorCode::Internal, "export_page returned none of the points asked for"};
      }
      ids.insert(ids.end(), rest.begin(), rest.end());
    } catch (const std::exception& problem) {
      return unexpected("export_page", problem);
    }
  }
  return out;
}

Result<ImportTarget::Written> ImportTarget::store_texts(const std::vector<Json>& items) {
  QV_TRY(const Json reply, invoke("memory_store", {{"items", items}}));
  exists_ = true;
  return Written{reply.value("stored", std::uint64_t{0}) + reply.value("updated", std::uint64_t{0}),
                 reply.value("duplicates", std::uint64_t{0})};
}

Result<ImportTarget::Written> ImportTarget::store_vectors(const std::vector<Json>& points) const {
  QV_TRY(const Json reply, invoke("vector_upsert", {{"points", points}}));
  const auto created = reply.value("created", std::uint64_t{0});
  return Written{created, reply.value("upserted", created) - created};
}

Result<std::uint64_t> ImportTarget::remove(const std::vector<std::string>& ids) const {
  std::uint64_t removed = 0;
  for (std::size_t start = 0; start < ids.size(); start += kDeleteLimit) {
    const auto first = ids.begin() + static_cast<std::ptrdiff_t>(start);
    const auto count = std::min(kDeleteLimit, ids.size() - start);
    const std::vector<std::string> some(first, first + static_cast<std::ptrdiff_t>(count));
    QV_TRY(const Json reply, invoke("memory_delete", {{"ids", some}}));
    removed += reply.value("deleted", std::uint64_t{0});
  }
  return removed;
}

}  // namespace quiver::app
