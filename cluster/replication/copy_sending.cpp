// How the entries of a copy's log reach others: from memory, or read from the log.

#include <utility>

#include "cluster/replication/replicated_copy.h"
#include "core/log.h"

namespace quiver::cluster::replication {

void ReplicatedCopy::send_entries(const Send& action, const Append& append) {
  const Seq first = next(append.prev.seq);
  const Parcel envelope = parcel_to(action.to, Append{});
  auto& waiting = being_read_[action.to];
  if (waiting == 0 && cache_.has(first, append.through)) {
    for (auto& parcel : parcels(envelope, append, cache_.range(first, append.through))) {
      later([this, parcel = std::move(parcel)] { parts_.outbox.send(parcel); });
    }
    return;
  }
  ++waiting;
  reader_.post([this, envelope, append, terms = fsm_.log().history()] {
    read_and_send(envelope, append, terms);
    const MutexLock lock(mutex_);
    --being_read_[envelope.to];
  });
}

std::vector<Parcel> ReplicatedCopy::parcels(const Parcel& envelope, const Append& append,
                                            std::vector<SharedEntry> entries) const {
  std::vector<Parcel> out;
  Append part = append;
  for (auto& some : split_by_bytes(std::move(entries), options_.message_bytes)) {
    part.through = some.back()->seq;
    Parcel parcel = envelope;
    parcel.message = part;
    part.prev = {some.back()->term, some.back()->seq};
    parcel.entries = std::move(some);
    out.push_back(std::move(parcel));
  }
  return out;
}

void ReplicatedCopy::read_and_send(const Parcel& envelope, const Append& append,
                                   const History& terms) {
  Append rest = append;
  while (rest.prev.seq < append.through) {
    const Seq first = next(rest.prev.seq);
    std::vector<SharedEntry> entries;
    {
      const MutexLock lock(mutex_);
      if (closed_) return;
      // What is on its way to disk is in memory.
      if (cache_.has(first, append.through)) entries = cache_.range(first, append.through);
    }
    if (entries.empty()) {
      const auto shard = disk_->shard();
      if (shard == nullptr) return;
      auto read = shard->read_encoded(first, options_.message_bytes);
      if (!read.ok()) {
        // Trimmed or replaced meanwhile: the rules hear of it, and find another way.
        QV_LOG_WARN("entries_not_read copy={} from={} error=\"{}\"", place_.copy.text, raw(first),
                    read.error().message);
        return;
      }
      for (auto& entry : *read) {
        if (entry.seq > append.through) break;
        entries.push_back(std::make_shared<const storage::EncodedEntry>(std::move(entry)));
      }
    }
    if (entries.empty()) return;
    // Another primary may have put others in their place since they were promised.
    for (const auto& entry : entries) {
      if (terms.at(entry->seq).term != entry->term) return;
    }
    const LogPosition end{entries.back()->term, entries.back()->seq};
    for (auto& parcel : parcels(envelope, rest, std::move(entries))) {
      parts_.outbox.send(std::move(parcel));
    }
    rest.prev = end;
  }
}

}  // namespace quiver::cluster::replication
