#include "service/problems.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/text.h"

namespace quiver::service {
namespace {

/// Names that other products use for what we have, and models therefore try.
constexpr std::array<std::pair<std::string_view, std::string_view>, 29> kSynonyms{{
    {"collection_name", "collection"},
    {"collection_name", "name"},
    {"content", "text"},
    {"document", "text"},
    {"documents", "items"},
    {"embedding", "vector"},
    {"embedding_model", "embedder"},
    {"ef_search", "ef"},
    {"expires_in", "ttl_seconds"},
    {"id", "ids"},
    {"index", "collection"},
    {"k", "limit"},
    {"max_results", "limit"},
    {"memories", "items"},
    {"model", "embedder"},
    {"n_results", "limit"},
    {"name", "collection"},
    {"num_results", "limit"},
    {"offset", "cursor"},
    {"page", "cursor"},
    {"payload", "metadata"},
    {"q", "query"},
    {"score_threshold", "min_score"},
    {"text", "query"},
    {"top_k", "limit"},
    {"topk", "limit"},
    {"ttl", "ttl_seconds"},
    {"vectors", "points"},
    {"where", "filter"},
}};

std::string meant(std::string_view name, const std::vector<std::string>& known) {
  for (const auto& [other, ours] : kSynonyms) {
    if (other == name && std::find(known.begin(), known.end(), ours) != known.end()) {
      return std::string(ours);
    }
  }
  return nearest_word(name, known);
}

}  // namespace

std::string Path::str() const {
  if (parent_ == nullptr) return std::string(key_);
  std::string out = parent_->str();
  if (is_index_) return out + "[" + std::to_string(index_) + "]";
  if (!out.empty()) out += '.';
  return out += key_;
}

void Problems::add(const Path& path, std::string_view problem) {
  if (full()) return;
  std::string where = path.str();
  if (where.empty()) where = "arguments";
  add(where + ": " + std::string(problem));
}

void Problems::add(std::string message) {
  if (!full()) messages_.push_back(std::move(message));
}

void Problems::take(Problems&& others) {
  for (auto& message : others.messages_) add(std::move(message));
}

Error Problems::error() const {
  std::string text;
  for (const auto& message : messages_) {
    if (!text.empty()) text += "; ";
    text += message;
  }
  if (full()) text += "; there may be more";
  return {ErrorCode::InvalidArgument, text};
}

Status Problems::status() const {
  if (empty()) return Done{};
  return error();
}

void Problems::expected(const Path& path, std::string_view want, const Json& got) {
  std::string text = "expected " + std::string(want) + ", got " + got.type_name();
  if (got.is_null()) text += "; leave the field out if there is no value";
  add(path, text);
}

void Problems::unknown_field(const Path& path, std::string_view name,
                             const std::vector<std::string>& known) {
  const std::string cut(is_utf8(name) ? utf8_prefix(name, 80) : "(a name that is not UTF-8)");
  std::string text = "unknown field";
  if (const auto near = meant(name, known); !near.empty()) text += "; did you mean " + near + "?";
  std::string list;
  for (const auto& field : known) list += (list.empty() ? "" : ", ") + field;
  text += list.empty() ? " (there are none)" : " (fields: " + list + ")";
  add(Path(path, cut), text);
}

std::string compact(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string shown(const Json& value) {
  constexpr std::size_t kBytesMax = 80;
  auto text = compact(value);
  if (text.size() <= kBytesMax) return text;
  return std::string(utf8_prefix(text, kBytesMax)) + "...";
}

}  // namespace quiver::service
