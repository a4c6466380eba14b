#include "cluster/upkeep/force_promotion.h"

#include <algorithm>
#include <utility>

#include "cluster/pause.h"
#include "cluster/replication/promotion.h"
#include "cluster/view/keys.h"
#include "core/log.h"

namespace quiver::cluster {
namespace {

constexpr int kAttempts = 10;
constexpr std::chrono::milliseconds kPauseMax{1'000};
constexpr std::size_t kFields = 12;

Error malformed(const std::string& why) {
  return {ErrorCode::Corruption, "a stored record of a forced promotion is malformed: " + why};
}

std::string label_of(const ForcePromotionRequest& request) {
  return "shard " + std::to_string(raw(request.shard)) + " of collection \"" + request.collection +
         '"';
}

std::string node_label(const ClusterView& view, const NodeId& node) {
  const auto* const known = view.find_node(node);
  return known == nullptr || known->record.label.empty() ? node.text : known->record.label;
}

}  // namespace

Json ForcePromotionRecord::to_json() const {
  Json lost = Json::array();
  for (const auto& one : given_up) lost.push_back(one.text);
  return {{"id", id},
          {"collection", collection},
          {"collection_id", collection_id},
          {"shard", raw(shard)},
          {"copy", copy.text},
          {"node", node.text},
          {"last_term", raw(last.term)},
          {"last_seq", raw(last.seq)},
          {"term", raw(term)},
          {"given_up", std::move(lost)},
          {"reason", reason},
          {"at_ms", at_ms}};
}

Result<ForcePromotionRecord> ForcePromotionRecord::from_json(const Json& json) {
  if (!json.is_object() || json.size() != kFields) return malformed("it has other fields");
  try {
    ForcePromotionRecord out;
    json.at("id").get_to(out.id);
    json.at("collection").get_to(out.collection);
    json.at("collection_id").get_to(out.collection_id);
    out.shard = ShardId{json.at("shard").get<std::uint32_t>()};
    json.at("copy").get_to(out.copy.text);
    json.at("node").get_to(out.node.text);
    out.last = {Term{json.at("last_term").get<std::uint64_t>()},
                Seq{json.at("last_seq").get<std::uint64_t>()}};
    out.term = Term{json.at("term").get<std::uint64_t>()};
    for (const auto& one : json.at("given_up")) out.given_up.push_back({one.get<std::string>()});
    json.at("reason").get_to(out.reason);
    json.at("at_ms").get_to(out.at_ms);
    for (const auto* const text : {&out.id, &out.collection_id, &out.copy.text, &out.node.text}) {
      if (!RequestId::from_hex(*text).ok()) return malformed('"' + *text + "\" is no id");
    }
    return out;
  } catch (const Json::exception& problem) {
    return malformed(problem.what());
  }
}

/// The shard as the store has it, and what its copies said.
struct ForcePromotion::Target {
  std::shared_ptr<const ClusterView> view;
  std::string collection_id;
  std::string key;
  ShardState state;
  Revision revision{0};
  CopyReports reports;
};

Result<ForcePromotion::Target> ForcePromotion::find(const CallContext& call,
                                                    const ForcePromotionRequest& request) {
  QV_CHECK(parts_.views.refresh(call));
  Target out;
  out.view = parts_.views.current();
  const auto* const collection = out.view->find_collection(request.collection);
  if (collection == nullptr || raw(request.shard) >= collection->shards.size()) {
    return Error{ErrorCode::NotFound, "there is no " + label_of(request)};
  }
  if (!has_several_copies(*collection)) {
    return Error{ErrorCode::FailedPrecondition,
                 "collection \"" + request.collection +
                     "\" keeps one copy of each shard: there is no other to promote"};
  }
  out.collection_id = collection->spec.id;
  out.key = keys::shard(out.collection_id, request.shard);
  QV_TRY(const auto entry, parts_.store.get(call, out.key));
  if (!entry) return Error{ErrorCode::NotFound, "there is no " + label_of(request)};
  QV_TRY(out.state, ShardState::from_json(Json::parse(entry->value, nullptr, false)));
  out.revision = entry->revision;
  // Also of servers that seem down: who is asked may be there.
  std::map<NodeId, std::vector<thrift::CopyName>> wanted;
  for (const auto& [copy, place] : out.state.copies) {
    wanted[place.node].push_back({out.collection_id, request.shard, copy});
  }
  out.reports = poll_copies(call, *out.view, wanted, parts_.reach, parts_.fan_out, parts_.patience);
  return out;
}

Result<CopyId> ForcePromotion::choose(const CallContext& call, const ForcePromotionRequest& request,
                                      Target& target) {
  QV_CHECK(call.check());
  const auto& state = target.state;
  const CopyId* best = nullptr;
  bool others = false;
  bool named = false;
  for (const auto& [copy, place] : state.copies) {
    const auto said = target.reports.find(copy);
    const bool works =
        said != target.reports.end() && said->second.condition == thrift::CopyCondition::Works;
    if (std::binary_search(state.in_sync.begin(), state.in_sync.end(), copy)) {
      if (!works) continue;
      return Error{ErrorCode::FailedPrecondition,
                   "the copy on node \"" + node_label(*target.view, place.node) +
                       "\" answers, and it has all acknowledged writes of " + label_of(request) +
                       ": it becomes primary by itself if the primary is gone"};
    }
    others = true;
    named = named || request.node == place.node;
    const bool eligible =
        request.node ? *request.node == place.node : place.state == CopyState::Active;
    if (!works || !eligible) continue;
    if (best == nullptr || target.reports.at(*best).last < said->second.last) best = &copy;
  }
  if (best != nullptr) return *best;
  if (request.node && !named) {
    return Error{ErrorCode::NotFound, "node \"" + node_label(*target.view, *request.node) +
                                          "\" has no copy of " + label_of(request) +
                                          " that could be promoted"};
  }
  if (!others) {
    return Error{ErrorCode::FailedPrecondition,
                 label_of(request) +
                     " has no copy but those that had all acknowledged writes, and "
                     "these do not answer"};
  }
  return Error{ErrorCode::Unavailable,
               "no copy of " + label_of(request) +
                   " that could be promoted answers; start the node that has it"};
}

Result<std::optional<ForcePromotionRecord>> ForcePromotion::find_record(const CallContext& call,
                                                                        const std::string& id) {
  QV_TRY(const auto entry, parts_.store.get(call, keys::force_promotion(id)));
  if (!entry) return std::optional<ForcePromotionRecord>{};
  QV_TRY(auto record, ForcePromotionRecord::from_json(Json::parse(entry->value, nullptr, false)));
  return std::optional<ForcePromotionRecord>(std::move(record));
}

Result<ForcePromotionRecord> ForcePromotion::run(const CallContext& call,
                                                 const ForcePromotionRequest& request) {
  if (!request.accept_data_loss) {
    return Error{ErrorCode::InvalidArgument,
                 "accept_data_loss: must be true: acknowledged writes that only the copies have "
                 "that do not answer are lost for good"};
  }
  if (request.reason.size() > kReasonBytesMax) {
    return Error{ErrorCode::InvalidArgument, "reason: at most " + std::to_string(kReasonBytesMax) +
                                                 " bytes, got " +
                                                 std::to_string(request.reason.size())};
  }
  ForcePromotionRecord record;
  record.id = (call.request_id.empty() ? RequestId::random() : call.request_id).hex();
  QV_TRY(auto before, find_record(call, record.id));
  if (before && before->collection == request.collection && before->shard == request.shard) {
    return std::move(*before);
  }
  if (before) {
    return Error{ErrorCode::InvalidArgument,
                 "request id: it promoted a copy of another shard; use a new one"};
  }
  QV_TRY(auto target, find(call, request));
  QV_TRY(record.copy, choose(call, request, target));
  record.collection = request.collection;
  record.collection_id = target.collection_id;
  record.shard = request.shard;
  record.node = target.state.copies.at(record.copy).node;
  record.last = target.reports.at(record.copy).last;
  record.given_up = target.state.in_sync;
  record.reason = request.reason;
  record.at_ms = parts_.clock.wall_ms();
  record.term = Term{raw(target.state.term) + 1};
  return write(call, target, record);
}

Result<ForcePromotionRecord> ForcePromotion::write(const CallContext& call, const Target& target,
                                                   const ForcePromotionRecord& record) {
  const auto desired = replication::force_promote(target.state, record.copy);
  if (!desired || desired->term != record.term) {
    return Error{ErrorCode::Internal, "a promotion begins the next term"};
  }
  const auto audit = keys::force_promotion(record.id);
  auto wait = parts_.pause;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    QV_TRY(const auto written, parts_.store.txn(call, {{target.key, target.revision}, {audit, {}}},
                                                {{target.key, desired->to_json().dump()},
                                                 {audit, record.to_json().dump()}}));
    if (written == TxnOutcome::Done) {
      QV_LOG_WARN("force_promoted collection={} shard={} copy={} node={} term={} reason=\"{}\"",
                  record.collection, raw(record.shard), record.copy.text, record.node.text,
                  raw(record.term), record.reason);
      QV_CHECK(parts_.views.await(call, written.revision));
      return record;
    }
    // Whether it was this that was written, only its own compares can tell.
    if (written == TxnOutcome::Unknown) {
      // A store that is choosing a leader needs a moment; who gives up meanwhile is told the same.
      if (!pause(call, wait).ok()) break;
      wait = std::min(2 * wait, kPauseMax);
      continue;
    }
    QV_TRY(auto mine, find_record(call, record.id));
    if (mine) return std::move(*mine);
    return Error{ErrorCode::Unavailable,
                 "the record of the shard has changed meanwhile: look at it again"};
  }
  return Error{ErrorCode::Unavailable,
               "it could not be found out whether the copy was promoted; ask again with the same "
               "request id"};
}

Result<std::vector<ForcePromotionRecord>> ForcePromotion::list(const CallContext& call) {
  QV_TRY(const auto entries, parts_.store.list(call, keys::kForcePromotions));
  std::vector<ForcePromotionRecord> out;
  for (const auto& entry : entries.entries) {
    QV_TRY(auto record, ForcePromotionRecord::from_json(Json::parse(entry.value, nullptr, false)));
    out.push_back(std::move(record));
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.at_ms < b.at_ms; });
  return out;
}

}  // namespace quiver::cluster
