#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <list>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/mutex.h"
#include "core/result.h"

namespace quiver::embedding {

/// Remembers the vectors of the texts seen last, within a bound of bytes.
///
/// Texts themselves are not kept: a key is 128 bits of a cryptographic hash, so that nobody can
/// craft a text that answers with another text's vector.
///
/// Threads: any.
class VectorCache {
 public:
  using Key = std::array<std::uint8_t, 16>;

  /// `bytes_max`: memory of all entries with their bookkeeping; 0 keeps nothing.
  explicit VectorCache(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// Errors: Internal if the hash function is not available.
  static Result<Key> key(std::string_view model, std::string_view text);

  /// The vector that put() was given, bit for bit; it now counts as the one used last.
  std::optional<std::vector<float>> find(const Key& key) QV_EXCLUDES(mutex_);

  /// Remembers `vector`, in place of those unused for longest. One larger than the whole bound is
  /// not kept.
  void put(const Key& key, const std::vector<float>& vector) QV_EXCLUDES(mutex_);

  /// Memory in use, at most bytes_max.
  std::size_t bytes() const QV_EXCLUDES(mutex_);

  /// Memory of one entry whose vector has `dimension` elements.
  static constexpr std::size_t entry_bytes(std::size_t dimension) {
    return dimension * sizeof(float) + kBookkeepingBytes;
  }

 private:
  struct Entry {
    Key key;
    std::vector<float> vector;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept {
      std::size_t hash = 0;
      std::memcpy(&hash, key.data(), sizeof hash);
      return hash;
    }
  };

  /// A list node, a map node, a bucket and three allocation headers, rounded up.
  static constexpr std::size_t kBookkeepingBytes = 176;

  const std::size_t bytes_max_;
  mutable SharedMutex mutex_;
  /// Used last, first.
  std::list<Entry> entries_ QV_GUARDED_BY(mutex_);
  std::unordered_map<Key, std::list<Entry>::iterator, KeyHash> by_key_ QV_GUARDED_BY(mutex_);
  std::size_t bytes_ QV_GUARDED_BY(mutex_) = 0;
};

}  // namespace quiver::embedding
