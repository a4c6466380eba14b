#include "storage/shard_writer.h"

#include <algorithm>
#include <map>
#include <utility>
#include <variant>

#include "core/payload.h"
#include "storage/vector_form.h"

namespace quiver::storage {
namespace {

/// Each id once, in the order of first mention.
std::vector<PointId> distinct(const std::vector<PointId>& ids) {
  std::map<PointId, bool> seen;
  std::vector<PointId> out;
  out.reserve(ids.size());
  for (const auto& id : ids) {
    if (seen.emplace(id, true).second) out.push_back(id);
  }
  return out;
}

/// The points that count: of those with the same id the last.
std::vector<const Point*> winners(const UpsertPoints& upsert) {
  std::map<PointId, const Point*> last;
  for (const auto& point : upsert.points) last[point.id] = &point;
  std::vector<const Point*> out;
  out.reserve(last.size());
  for (const auto& point : upsert.points) {
    if (last.at(point.id) == &point) out.push_back(&point);
  }
  return out;
}

/// The window in entries, and a margin so that trimming comes in batches.
std::uint64_t with_margin(std::uint64_t kept) {
  return kept + kept / 8;
}

}  // namespace

/// One entry on its way: what it reads, what it writes, what it changes besides.
struct ShardWriter::Step {
  PointStore::View view;
  StateBatch batch;
  LogPosition position;
  /// Whether the payload index wants to know the payloads that go.
  bool payloads_before;
  Change change;
};

Result<MutationResult> ShardWriter::apply(const ShardLog::Stored& stored) {
  const LogEntry& entry = stored.entry;
  const MutexLock applying(state_.payloads.applying);
  Step step{PointStore::View(state_.points),
            StateBatch(state_.points.rocks()),
            {entry.term, entry.seq},
            state_.payloads.ready(),
            {}};
  QV_TRY(const auto earlier, state_.requests.find(entry.request_id));
  const bool repeated =
      earlier && raw(entry.seq) - raw(earlier->position.seq) <= state_.options.log_entries_kept;
  if (repeated) {
    step.change.result = earlier->result;
  } else {
    QV_CHECK(
        std::visit([&](const auto& mutation) { return resolve(step, mutation); }, entry.mutation));
  }
  mark_.applied = step.position;
  next_slot_.store(mark_.next_slot, std::memory_order_relaxed);
  mark_.log_bytes += stored.bytes;
  RequestTable::put(step.batch, repeated ? RequestId{} : entry.request_id,
                    {step.position, step.change.result}, mark_.log_bytes);
  step.batch.put_mark(mark_);
  QV_CHECK(state_.points.write(step.batch));
  QV_CHECK(publish(step.change));
  return step.change.result;
}

Status ShardWriter::resolve(Step& step, const UpsertPoints& upsert) {
  const auto points = winners(upsert);
  std::vector<PointId> ids;
  ids.reserve(points.size());
  for (const auto* point : points) ids.push_back(point->id);
  QV_TRY(const auto found, step.view.find(ids));
  QV_CHECK(erase_found(step, ids, found));
  step.change.result.created = ids.size() - step.change.result.affected;
  step.change.result.affected = ids.size();
  for (const auto* point : points) {
    const Slot slot{mark_.next_slot++};
    QV_TRY(auto form, index_form(state_.spec.metric, state_.spec.dimension, point->vector));
    step.batch.put_point(*point, slot, step.position);
    step.change.vectors.push_back({slot, std::move(form)});
    step.change.added.push_back({slot, point->expires_at_ms});
    step.change.payloads.push_back({slot, std::nullopt, point->payload});
  }
  return Done{};
}

Status ShardWriter::resolve(Step& step, const ErasePoints& erase) {
  const auto ids = distinct(erase.ids);
  QV_TRY(const auto found, step.view.find(ids));
  QV_CHECK(erase_found(step, ids, found));
  step.change.result.affected += erase.erased_before;
  return Done{};
}

Status ShardWriter::resolve(Step& step, const EraseExpired& erase) {
  const auto ids = distinct(erase.ids);
  QV_TRY(auto found, step.view.find(ids));
  for (auto& record : found) {
    const bool expired =
        record && record->expires_at_ms != 0 && record->expires_at_ms <= erase.before_ms;
    if (!expired) record.reset();
  }
  return erase_found(step, ids, found);
}

Status ShardWriter::erase_found(Step& step, const std::vector<PointId>& ids,
                                const std::vector<std::optional<PointRecord>>& found) {
  std::vector<Slot> slots;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!found[i]) continue;
    step.batch.erase_point(ids[i], found[i]->slot);
    step.change.removed.push_back({found[i]->slot, found[i]->expires_at_ms});
    slots.push_back(found[i]->slot);
  }
  step.change.result.affected = slots.size();
  if (!step.payloads_before) {
    for (const Slot slot : slots)
      step.change.payloads.push_back({slot, std::nullopt, std::nullopt});
    return Done{};
  }
  QV_TRY(auto payloads, step.view.payloads(slots));
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (!payloads[i]) return Error{ErrorCode::Corruption, "a stored point has no payload"};
    step.change.payloads.push_back({slots[i], std::move(payloads[i]->payload), std::nullopt});
  }
  return Done{};
}

Status ShardWriter::resolve(Step& step, const UpdatePayload& update) {
  const auto ids = distinct(update.ids);
  QV_TRY(const auto found, step.view.find(ids));
  std::vector<Slot> slots;
  for (const auto& record : found) {
    if (record) slots.push_back(record->slot);
  }
  QV_TRY(auto payloads, step.view.payloads(slots));
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (!payloads[i]) return Error{ErrorCode::Corruption, "a stored point has no payload"};
    auto after = updated_payload(payloads[i]->payload, update);
    step.batch.put_payload(slots[i], {after, payloads[i]->text});
    step.change.payloads.push_back({slots[i], std::move(payloads[i]->payload), std::move(after)});
  }
  step.change.result.affected = slots.size();
  return Done{};
}

Status ShardWriter::publish(const Change& change) {
  for (const auto& vector : change.vectors) {
    QV_CHECK(state_.index->insert(vector.slot, vector.form));
  }
  state_.payloads.follow(change.payloads);
  state_.live.change(change.removed, change.added);
  for (const auto& entry : change.removed) QV_CHECK(state_.index->remove(entry.slot));
  vectors_changed_ += change.vectors.size() + change.removed.size();
  return Done{};
}

Status ShardWriter::retain(ShardLog& log) {
  StateBatch batch(state_.points.rocks());
  const StateMark before = mark_;
  QV_CHECK(trim_log());
  QV_CHECK(trim_requests(batch));
  if (mark_ != before) {
    batch.put_mark(mark_);
    QV_CHECK(state_.points.write(batch));
  }
  if (log.first() == mark_.log_first) return Done{};
  QV_TRY(const auto durable, state_.points.flushed_mark());
  return log.trim_before(durable.log_first);
}

Status ShardWriter::trim_log() {
  const std::uint64_t applied = raw(mark_.applied.seq);
  const std::uint64_t first = raw(mark_.log_first);
  const auto& options = state_.options;
  if (applied < first + 1) return Done{};
  RequestTable::Cut cut{mark_.log_first, mark_.log_bytes_trimmed};
  if (applied - first + 1 > with_margin(options.log_entries_kept)) {
    const std::uint64_t kept = std::max<std::uint64_t>(options.log_entries_kept, 1);
    QV_TRY(cut, state_.requests.cut_at(Seq{applied - kept + 1}));
  }
  if (mark_.log_bytes - cut.bytes_before > with_margin(options.log_bytes_kept) &&
      cut.first < mark_.applied.seq) {
    QV_TRY(cut, state_.requests.cut_to_bytes(cut.first, mark_.applied.seq, options.log_bytes_kept));
  }
  const Seq needed = needed_from_.load(std::memory_order_relaxed);
  if (needed < cut.first) {
    cut = {mark_.log_first, mark_.log_bytes_trimmed};
    if (needed > cut.first) {
      QV_TRY(cut, state_.requests.cut_at(needed));
    }
    if (mark_.log_bytes - cut.bytes_before > options.log_bytes_pinned &&
        cut.first < mark_.applied.seq) {
      QV_TRY(cut,
             state_.requests.cut_to_bytes(cut.first, mark_.applied.seq, options.log_bytes_pinned));
    }
  }
  mark_.log_first = cut.first;
  mark_.log_bytes_trimmed = cut.bytes_before;
  return Done{};
}

Status ShardWriter::trim_requests(StateBatch& batch) {
  const std::uint64_t applied = raw(mark_.applied.seq);
  const std::uint64_t first = raw(mark_.requests_first);
  const std::uint64_t kept = std::max<std::uint64_t>(state_.options.log_entries_kept, 1);
  if (applied < first || applied - first + 1 <= with_margin(kept)) return Done{};
  // An entry of the log keeps its record here: trimming the log needs its size.
  const Seq keep_from = std::min(Seq{applied - kept + 1}, mark_.log_first);
  if (keep_from <= mark_.requests_first) return Done{};
  QV_CHECK(state_.requests.erase(batch, mark_.requests_first, Seq{raw(keep_from) - 1}));
  mark_.requests_first = keep_from;
  return Done{};
}

}  // namespace quiver::storage
