#include "cluster/replication/log_cache.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace quiver::cluster::replication {

void LogCache::append(SharedEntry entry) {
  assert(entries_.empty() || entry->seq == next(entries_.back()->seq));
  bytes_ += entry->bytes.size();
  entries_.push_back(std::move(entry));
  shrink();
}

void LogCache::truncate_after(Seq last) {
  while (!entries_.empty() && entries_.back()->seq > last) {
    bytes_ -= entries_.back()->bytes.size();
    entries_.pop_back();
  }
  durable_ = std::min(durable_, last);
}

void LogCache::clear() {
  entries_.clear();
  bytes_ = 0;
  durable_ = Seq{0};
}

void LogCache::durable(Seq through) {
  durable_ = through;
  shrink();
}

void LogCache::shrink() {
  while (bytes_ > bytes_max_ && !entries_.empty() && entries_.front()->seq <= durable_) {
    bytes_ -= entries_.front()->bytes.size();
    entries_.pop_front();
  }
}

bool LogCache::has(Seq from, Seq through) const {
  return !entries_.empty() && entries_.front()->seq <= from && through <= entries_.back()->seq;
}

std::vector<SharedEntry> LogCache::range(Seq from, Seq through) const {
  assert(has(from, through));
  const auto begin =
      entries_.begin() + static_cast<std::ptrdiff_t>(raw(from) - raw(entries_.front()->seq));
  return {begin, begin + static_cast<std::ptrdiff_t>(raw(through) + 1 - raw(from))};
}

std::vector<std::vector<SharedEntry>> split_by_bytes(std::vector<SharedEntry> entries,
                                                     std::size_t bytes_max) {
  std::vector<std::vector<SharedEntry>> parts;
  std::size_t bytes = 0;
  for (auto& entry : entries) {
    if (parts.empty() || bytes + entry->bytes.size() > bytes_max) {
      parts.emplace_back();
      bytes = 0;
    }
    bytes += entry->bytes.size();
    parts.back().push_back(std::move(entry));
  }
  return parts;
}

}  // namespace quiver::cluster::replication
