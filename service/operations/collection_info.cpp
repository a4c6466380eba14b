#include "service/operations/collection_info.h"

#include <utility>

#include "core/text.h"
#include "service/items.h"
#include "service/steer.h"
#include "service/time_text.h"

namespace quiver::service {
namespace {

constexpr std::size_t kFieldsShown = 50;
constexpr std::size_t kExamplesShown = 3;
constexpr std::size_t kExampleBytes = 80;

CollectionField shown_field(cluster::Field field) {
  CollectionField out{std::move(field.name), std::move(field.types), field.points, std::nullopt};
  std::vector<Json> examples;
  for (auto& example : field.examples) {
    if (examples.size() == kExamplesShown) break;
    if (example.is_string()) {
      const auto& text = example.get_ref<const std::string&>();
      if (text.size() > kExampleBytes) {
        example = std::string(utf8_prefix(text, kExampleBytes)) + "...";
      }
    }
    examples.push_back(std::move(example));
  }
  if (!examples.empty()) out.examples = std::move(examples);
  return out;
}

/// As many fields as fit; more names than that are for a schema, not for a model.
void show_fields(std::vector<cluster::Field> fields, const Engine& engine,
                 CollectionInfoResponse& out) {
  TokenBudget budget(reply_tokens(engine) / 2);
  std::vector<CollectionField> shown;
  for (auto& field : fields) {
    const bool is_usable = field.name.size() <= limits::kFilterPathBytesMax;
    CollectionField next = shown_field(std::move(field));
    const bool fits =
        shown.size() < kFieldsShown && is_usable && budget.admit(compact(encode(next)).size());
    if (fits) {
      shown.push_back(std::move(next));
    } else {
      out.fields_truncated = true;
    }
  }
  if (!shown.empty()) out.metadata_fields = std::move(shown);
}

}  // namespace

Result<CollectionInfoResponse> collection_info(const CallContext& call, Engine& engine,
                                               const CollectionInfoRequest& request) {
  QV_TRY(const auto collection, engine.collections.find(request.collection));
  QV_TRY(const auto stats, collection->stats(call));
  QV_TRY(auto fields, collection->fields(call, kFieldsShown + 1));
  const auto& spec = collection->spec();
  CollectionInfoResponse out;
  out.name = spec.name;
  out.id = spec.id;
  if (!spec.description.empty()) out.description = spec.description;
  out.count = stats.points;
  out.dimension = spec.dimension;
  out.metric = spec.metric;
  if (!spec.embedder.empty()) out.embedder = spec.embedder;
  out.shards = spec.shard_count;
  out.replicas = spec.replication_factor;
  out.consistency = spec.read_level;
  out.m = spec.hnsw.m;
  out.ef_construction = spec.hnsw.ef_construction;
  out.unindexed = stats.unindexed;
  out.disk_bytes = stats.disk_bytes;
  out.created_at = rfc3339(spec.created_at_ms);
  show_fields(std::move(fields), engine, out);
  return out;
}

Operation collection_info_operation() {
  return operation(About{"collection_info", "Describe a collection",
                         "Count, dimension, metric, embedder, shards and the metadata fields that "
                         "filter can use, with example values.",
                         Toolset::Collection, Access::Read, Effects{false, true},
                         Route{"GET", "/v1/collections/{collection}"}},
                   &collection_info);
}

}  // namespace quiver::service
