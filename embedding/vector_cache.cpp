#include "embedding/vector_cache.h"

#include <algorithm>
#include <string>

#include "embedding/sha256.h"

namespace quiver::embedding {

Result<VectorCache::Key> VectorCache::key(std::string_view model, std::string_view text) {
  std::string named;
  named.reserve(model.size() + 1 + text.size());
  // A zero byte ends the name: no model and text run into another pair.
  named.append(model).append(1, '\0').append(text);
  QV_TRY(const Sha256 digest, sha256(named));
  Key key{};
  std::copy_n(digest.begin(), key.size(), key.begin());
  return key;
}

std::optional<std::vector<float>> VectorCache::find(const Key& key) {
  const WriteLock lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return std::nullopt;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->vector;
}

void VectorCache::put(const Key& key, const std::vector<float>& vector) {
  const std::size_t bytes = entry_bytes(vector.size());
  if (bytes > bytes_max_) return;
  const WriteLock lock(mutex_);
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    bytes_ -= entry_bytes(found->second->vector.size());
    entries_.erase(found->second);
    by_key_.erase(found);
  }
  while (bytes_ + bytes > bytes_max_) {
    bytes_ -= entry_bytes(entries_.back().vector.size());
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
  entries_.push_front({key, vector});
  by_key_.emplace(key, entries_.begin());
  bytes_ += bytes;
}

std::size_t VectorCache::bytes() const {
  const ReadLock lock(mutex_);
  return bytes_;
}

}  // namespace quiver::embedding
