#include "service/steer.h"

#include <algorithm>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "core/text.h"
#include "service/items.h"

namespace quiver::service {
namespace {

/// A collection with more fields than this is not checked: the list would be incomplete.
constexpr std::size_t kFieldsMax = 256;
/// Fields named in a message.
constexpr std::size_t kFieldsShown = 20;

/// Paths of the conditions that a point without the field cannot satisfy.
void required_paths(const Filter::Node& node, std::vector<std::string>& out) {
  std::visit(
      [&](const auto& value) {
        using Kind = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<Kind, Filter::And>) {
          for (const auto& child : value.nodes) required_paths(child, out);
        } else if constexpr (std::is_same_v<Kind, Filter::Or>) {
          // {"field": null} reads "missing, or null".
          const bool takes_missing =
              std::any_of(value.nodes.begin(), value.nodes.end(), [](const Filter::Node& child) {
                return std::holds_alternative<Filter::Not>(child.value);
              });
          if (takes_missing) return;
          for (const auto& child : value.nodes) required_paths(child, out);
        } else if constexpr (std::is_same_v<Kind, Filter::Condition> ||
                             std::is_same_v<Kind, Filter::AnyOf>) {
          auto path = dotted(value.path);
          if (std::find(out.begin(), out.end(), path) == out.end()) out.push_back(std::move(path));
        }
      },
      node.value);
}

bool is_known(const std::string& path, const std::vector<cluster::Field>& fields) {
  return std::any_of(fields.begin(), fields.end(), [&](const cluster::Field& field) {
    const auto under = [](const std::string& child, const std::string& parent) {
      return child.size() > parent.size() && child.compare(0, parent.size(), parent) == 0 &&
             child[parent.size()] == '.';
    };
    return field.name == path || under(field.name, path) || under(path, field.name);
  });
}

/// Names come from payloads and may be long.
std::string cut(const std::string& name) {
  return std::string(utf8_prefix(name, 80));
}

std::string listed(const std::vector<cluster::Field>& fields) {
  std::string out;
  for (std::size_t i = 0; i < std::min(fields.size(), kFieldsShown); ++i) {
    std::string types;
    for (const auto& type : fields[i].types) types += (types.empty() ? "" : " or ") + type;
    out += (i == 0 ? "" : ", ") + cut(fields[i].name) + " (" + types + ")";
  }
  if (fields.size() > kFieldsShown) {
    out += " and " + std::to_string(fields.size() - kFieldsShown) + " more, see collection_info";
  }
  return out;
}

Error unknown_fields(const std::vector<std::string>& unknown,
                     const std::vector<cluster::Field>& fields, const std::string& collection) {
  if (fields.empty()) {
    return {ErrorCode::InvalidArgument, "filter field \"" + cut(unknown.front()) +
                                            "\" unknown; no point of collection \"" + collection +
                                            "\" has metadata; leave out filter"};
  }
  std::vector<std::string> names;
  for (const auto& field : fields) names.push_back(cut(field.name));
  std::string text;
  for (const auto& path : unknown) {
    text += "filter field \"" + cut(path) + "\" unknown; ";
    const auto near = nearest_word(cut(path), names);
    if (!near.empty()) text += "did you mean \"" + near + "\"? ";
  }
  return {ErrorCode::InvalidArgument, text + "fields: " + listed(fields)};
}

/// Whether a write that ended so changed nothing for certain.
bool is_without_effect(ErrorCode code) {
  switch (code) {
    case ErrorCode::InvalidArgument:
    case ErrorCode::NotFound:
    case ErrorCode::AlreadyExists:
    case ErrorCode::FailedPrecondition:
    case ErrorCode::PermissionDenied: return true;
    case ErrorCode::ResourceExhausted:
    case ErrorCode::WrongOwner:
    case ErrorCode::Unavailable:
    case ErrorCode::DeadlineExceeded:
    case ErrorCode::Corruption:
    case ErrorCode::Internal: break;
  }
  return false;
}

}  // namespace

Result<std::shared_ptr<cluster::Collection>> find_memories(Engine& engine, std::string_view name) {
  auto found = engine.collections.find(name);
  if (!found.ok() && found.error().code == ErrorCode::NotFound && name == kDefaultCollection) {
    return std::shared_ptr<cluster::Collection>();
  }
  return found;
}

std::size_t reply_tokens(const Engine& engine) noexcept {
  return estimated_tokens(engine.reply_bytes);
}

Result<embedding::Provider*> embedder_of(const Engine& engine,
                                         const cluster::Collection& collection) {
  const auto& spec = collection.spec();
  if (spec.embedder.empty()) {
    std::string text = "collection \"" + spec.name +
                       "\" holds ready-made vectors (no embedder): use vector_search and "
                       "vector_upsert, or make one with collection_create";
    if (!engine.default_embedder.empty()) text += " and embedder " + engine.default_embedder;
    return Error{ErrorCode::FailedPrecondition, text};
  }
  auto found = engine.find_embedder(spec.embedder);
  if (!found.ok()) {
    return Error{ErrorCode::FailedPrecondition,
                 "collection \"" + spec.name + "\" was made with embedder \"" + spec.embedder +
                     "\", which this server lacks: " + found.error().message};
  }
  if ((*found)->dimension() != spec.dimension) {
    return Error{ErrorCode::FailedPrecondition, "embedder " + spec.embedder + " gives " +
                                                    std::to_string((*found)->dimension()) +
                                                    " dimensions, but " + needed_dimension(spec)};
  }
  return found;
}

std::string needed_dimension(const CollectionSpec& spec) {
  std::string text = "collection \"" + spec.name + "\" needs " + std::to_string(spec.dimension);
  if (!spec.embedder.empty()) text += " (embedder " + spec.embedder + ")";
  return text;
}

Status check_filter_fields(const CallContext& call, cluster::Collection& collection,
                           const std::optional<Filter>& filter) {
  if (!filter) return Done{};
  std::vector<std::string> paths;
  required_paths(filter->root(), paths);
  if (paths.empty()) return Done{};
  QV_TRY(const auto fields, collection.fields(call, kFieldsMax));
  if (fields.size() >= kFieldsMax) return Done{};
  std::vector<std::string> unknown;
  for (auto& path : paths) {
    if (!is_known(path, fields)) unknown.push_back(std::move(path));
  }
  if (unknown.empty()) return Done{};
  if (fields.empty()) {
    QV_TRY(const auto stats, collection.stats(call));
    if (stats.points == 0) return Done{};
  }
  constexpr std::size_t kUnknownShown = 5;
  if (unknown.size() > kUnknownShown) unknown.resize(kUnknownShown);
  return unknown_fields(unknown, fields, collection.spec().name);
}

void tell_of_write(const Engine& engine, const std::string& collection,
                   const Result<MutationResult>& outcome) {
  if (outcome.ok() ? outcome->affected == 0 : is_without_effect(outcome.error().code)) return;
  engine.changes.publish({Change::Kind::PointsChanged, collection});
}

}  // namespace quiver::service
