#include "cluster/coordination/embedded_store.h"

#include <utility>

namespace quiver::cluster {
namespace {

constexpr std::string_view kRevisionKey = "revision";
// Keeps the counter apart from the keys of callers.
constexpr std::string_view kEntryPrefix = "e/";
constexpr std::size_t kRevisionBytes = 8;

std::string encode(std::uint64_t revision) {
  std::string out(kRevisionBytes, '\0');
  for (unsigned i = 0; i < kRevisionBytes; ++i) {
    out[i] = static_cast<char>(revision >> (56 - 8 * i));
  }
  return out;
}

Result<std::uint64_t> decode(std::string_view bytes) {
  if (bytes.size() < kRevisionBytes) {
    return Error{ErrorCode::Corruption, "the coordination store holds a malformed entry"};
  }
  std::uint64_t revision = 0;
  for (const char byte : bytes.substr(0, kRevisionBytes)) {
    revision = revision << 8U | static_cast<unsigned char>(byte);
  }
  return revision;
}

std::string stored_key(std::string_view key) {
  return std::string(kEntryPrefix).append(key);
}

Result<Entry> to_entry(std::string_view key, std::string_view stored) {
  QV_TRY(const auto revision, decode(stored));
  return Entry{std::string(key), std::string(stored.substr(kRevisionBytes)), Revision{revision}};
}

}  // namespace

EmbeddedStore::EmbeddedStore(std::unique_ptr<storage::KvStore> kv, std::uint64_t revision)
    : kv_(std::move(kv)), revision_(revision) {}

Result<std::unique_ptr<EmbeddedStore>> EmbeddedStore::open(const std::filesystem::path& directory) {
  QV_TRY(auto kv, storage::KvStore::open(directory));
  QV_TRY(const auto stored, kv->get(kRevisionKey));
  std::uint64_t revision = 0;
  if (stored) {
    QV_TRY(revision, decode(*stored));
  }
  return std::unique_ptr<EmbeddedStore>(new EmbeddedStore(std::move(kv), revision));
}

Result<std::optional<Entry>> EmbeddedStore::get(std::string_view key) {
  QV_TRY(const auto stored, kv_->get(stored_key(key)));
  if (!stored) return std::optional<Entry>{};
  QV_TRY(auto entry, to_entry(key, *stored));
  return std::optional<Entry>(std::move(entry));
}

Result<std::vector<Entry>> EmbeddedStore::list(std::string_view prefix) {
  QV_TRY(const auto stored, kv_->list(stored_key(prefix)));
  std::vector<Entry> entries;
  entries.reserve(stored.size());
  for (const auto& [key, value] : stored) {
    QV_TRY(auto entry, to_entry(std::string_view(key).substr(kEntryPrefix.size()), value));
    entries.push_back(std::move(entry));
  }
  return entries;
}

Result<TxnOutcome> EmbeddedStore::txn(const std::vector<Compare>& compares,
                                      const std::vector<Put>& puts) {
  const WriteLock lock(mutex_);
  for (const auto& compare : compares) {
    QV_TRY(const auto entry, get(compare.key));
    const Revision current = entry ? entry->revision : Revision{0};
    if (current != compare.revision) return TxnOutcome::Conflict;
  }
  const std::string revision = encode(revision_ + 1);
  std::vector<storage::KvStore::Write> writes{{std::string(kRevisionKey), revision}};
  for (const auto& put : puts) {
    auto& write = writes.emplace_back();
    write.key = stored_key(put.key);
    if (put.value) write.value = revision + *put.value;
  }
  QV_CHECK(kv_->write(writes));
  ++revision_;
  return TxnOutcome::Done;
}

}  // namespace quiver::cluster
