#include "app/importer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>
#include <utility>

#include "app/chunker.h"
#include "app/import_target.h"
#include "app/jsonl.h"
#include "core/text.h"

namespace quiver::app {
namespace {

/// A few seconds of embedding: progress is seen, and an interruption loses little.
constexpr std::size_t kTextsAtOnce = 64;
constexpr std::size_t kVectorsAtOnce = 1000;
constexpr std::size_t kBatchBytesMax = std::size_t{8} << 20;
constexpr std::size_t kProblemsShown = 10;
constexpr std::size_t kSkippedKept = 1000;

std::string hex(std::uint64_t value, std::size_t digits) {
  std::array<char, 16> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, 16).ptr;
  std::string out(buffer.data(), end);
  out.insert(0, buffer.size() - out.size(), '0');
  return out.substr(0, digits);
}

/// What ids of chunks of one file begin with.
std::string id_prefix(const std::string& identity) {
  return hex(stable_hash(identity), 8) + "-";
}

/// Chunks of documents are known to be new or other; texts and vectors are lines of JSONL.
enum class Kind { Chunks, Texts, Vectors };

/// Points of one kind that are written together, and where they came from.
struct Batch {
  Kind kind = Kind::Chunks;
  std::vector<Json> points;
  std::set<std::string> ids;
  std::size_t bytes = 0;
  /// Of chunks: those that are stored with other metadata.
  std::uint64_t replaced = 0;
  std::string first_place;
  std::string last_place;
};

class Import {
 public:
  Import(service::Executor& executor, const CallContext& call, const ImportOptions& options,
         const ImportProgress& progress)
      : options_(options), progress_(progress), target_(executor, call, options.collection) {}

  Result<ImportCounts> run(const std::vector<std::filesystem::path>& paths) {
    QV_TRY(sources_, find_sources(paths, options_.format, options_.source_name));
    QV_CHECK(target_.look());
    QV_CHECK(check_sources());
    QV_CHECK(target_.prepare(needs_, {options_.create, options_.embedder}));
    for (const auto& source : sources_) {
      const Status status = source.is_jsonl ? import_jsonl(source) : import_document(source);
      if (!status.ok()) return with_counts(status.error());
      ++counts_.sources;
    }
    if (const Status status = flush(); !status.ok()) return with_counts(status.error());
    report(total_bytes_);
    return counts_;
  }

 private:
  // Before the first write.
  Status check_sources();
  Status check_document(const ImportSource& source);
  Status check_jsonl(const ImportSource& source);
  Status note_bad(const Error& problem);
  Status check_vector(const ImportSource& source, const JsonlRecord& record);
  bool fits(const JsonlRecord& record) const;

  Status import_document(const ImportSource& source);
  Status import_jsonl(const ImportSource& source);
  Status add_record(const ImportSource& source, JsonlRecord record);
  Status add(Kind kind, Json point, std::size_t bytes, const std::string& place);
  Status flush();
  Status write_batch();
  Status write_chunks();
  Status write_texts();
  Status write_vectors();
  Error with_counts(Error error) const;
  void report(std::uint64_t done_bytes) const;

  const ImportOptions& options_;
  const ImportProgress& progress_;
  ImportTarget target_;
  std::vector<ImportSource> sources_;
  ImportTarget::Needs needs_;
  std::uint64_t total_bytes_ = 0;
  std::uint64_t done_bytes_ = 0;
  ImportCounts counts_;
  std::vector<std::string> problems_;
  std::set<std::string> bad_places_;
  Batch batch_;
  /// Removed once what replaces them is written.
  std::vector<std::string> stale_;
};

Status Import::check_sources() {
  for (const auto& source : sources_) {
    QV_CHECK(target_.check());
    total_bytes_ += source.bytes;
    QV_CHECK(source.is_jsonl ? check_jsonl(source) : check_document(source));
  }
  if (problems_.empty()) return Done{};
  std::string message;
  for (std::size_t i = 0; i < std::min(problems_.size(), kProblemsShown); ++i) {
    message += problems_[i] + "\n";
  }
  if (problems_.size() > kProblemsShown) {
    message += "and " + std::to_string(problems_.size() - kProblemsShown) + " more\n";
  }
  return Error{ErrorCode::InvalidArgument,
               message + "nothing was imported; --skip-bad imports the rest"};
}

Status Import::note_bad(const Error& problem) {
  if (problem.code != ErrorCode::InvalidArgument) return problem;
  if (!options_.skip_bad) {
    problems_.push_back(problem.message);
    return Done{};
  }
  ++counts_.skipped_count;
  if (counts_.skipped.size() < kSkippedKept) counts_.skipped.push_back(problem.message);
  return Done{};
}

Status Import::check_document(const ImportSource& source) {
  const auto text = read_document(source.file);
  if (!text.ok()) {
    bad_places_.insert(source.identity);
    return note_bad(text.error());
  }
  needs_.texts = true;
  return Done{};
}

Status Import::check_jsonl(const ImportSource& source) {
  JsonlReader reader(source.file);
  if (!reader.is_open()) {
    return Error{ErrorCode::PermissionDenied, source.file.string() + ": cannot be read"};
  }
  while (true) {
    auto record = reader.next();
    if (!record.ok()) {
      QV_CHECK(note_bad(record.error()));
    } else if (!*record) {
      return Done{};
    } else if ((*record)->has_vector()) {
      QV_CHECK(check_vector(source, **record));
    } else {
      needs_.texts = true;
    }
  }
}

Status Import::check_vector(const ImportSource& source, const JsonlRecord& record) {
  const auto& vector = record.point.at("vector");
  const bool exists = target_.dimension() != 0;
  if (needs_.dimension == 0) needs_.dimension = exists ? target_.dimension() : vector.size();
  const std::string place = source.file.string() + ':' + std::to_string(record.line) + ": ";
  if (needs_.dimension != vector.size()) {
    return note_bad({ErrorCode::InvalidArgument,
                     place + "the vector has " + std::to_string(vector.size()) + " numbers, " +
                         (exists ? "the collection needs " : "the first one ") +
                         std::to_string(needs_.dimension)});
  }
  const auto usable = target_.check_vector(vector, needs_.dimension);
  if (usable.ok()) return Done{};
  return note_bad({usable.error().code, place + usable.error().message});
}

bool Import::fits(const JsonlRecord& record) const {
  if (!record.has_vector()) return true;
  const auto& vector = record.point.at("vector");
  return vector.size() == needs_.dimension && target_.check_vector(vector, needs_.dimension).ok();
}

Status Import::import_document(const ImportSource& source) {
  if (bad_places_.count(source.identity) > 0) return Done{};
  QV_TRY(const std::string text, read_document(source.file));
  QV_TRY(auto existing, target_.points_of_source(source.name));
  const std::string prefix = id_prefix(source.identity);
  std::erase_if(existing, [&](const auto& item) { return item.first.rfind(prefix, 0) != 0; });
  std::map<std::string, std::size_t> repetitions;
  std::size_t index = 0;
  for (auto& chunk : chunk_document(text, {options_.chunk_bytes, source.is_markdown})) {
    const std::string id = chunk_id(source.identity, chunk.text, repetitions[chunk.text]++);
    Json metadata{{"source", source.name}, {"chunk", index++}, {"line", chunk.line}};
    if (!chunk.heading.empty()) metadata["heading"] = chunk.heading;
    const auto stored = existing.find(id);
    const bool is_stored = stored != existing.end();
    const bool is_same = is_stored && stored->second == metadata;
    if (is_stored) existing.erase(stored);
    if (is_same) {
      ++counts_.unchanged;
      continue;
    }
    const std::string place = source.file.string() + ":" + std::to_string(chunk.line);
    const std::size_t bytes = chunk.text.size();
    Json point{{"id", id}, {"text", std::move(chunk.text)}, {"metadata", std::move(metadata)}};
    QV_CHECK(add(Kind::Chunks, std::move(point), bytes, place));
    if (is_stored) ++batch_.replaced;
  }
  for (const auto& [id, metadata] : existing) stale_.push_back(id);
  done_bytes_ += source.bytes;
  // Few sources change on a second run: what is stale should not wait for a full batch for long.
  if (!stale_.empty()) QV_CHECK(flush());
  report(done_bytes_);
  return Done{};
}

Status Import::import_jsonl(const ImportSource& source) {
  JsonlReader reader(source.file);
  while (true) {
    auto record = reader.next();
    if (!record.ok()) {
      if (options_.skip_bad) continue;
      return record.error();  // It has changed since it was checked.
    }
    if (!*record) break;
    done_bytes_ += (*record)->bytes + 1;
    if (fits(**record)) QV_CHECK(add_record(source, std::move(**record)));
  }
  return flush();
}

Status Import::add_record(const ImportSource& source, JsonlRecord record) {
  const Kind kind = record.has_vector() ? Kind::Vectors : Kind::Texts;
  const std::string place = source.file.string() + ":" + std::to_string(record.line);
  return add(kind, std::move(record.point), record.bytes, place);
}

Status Import::add(Kind kind, Json point, std::size_t bytes, const std::string& place) {
  const bool is_named = point.contains("id");
  // Not the JSON text of any id.
  const std::string id = is_named ? point.at("id").dump() : "text " + point.value("text", "");
  const std::string whole = is_named ? "" : "item " + point.dump();
  // One call takes an id once, and a text without id with one metadata.
  const bool clashes = batch_.ids.count(id) > 0 && (is_named || batch_.ids.count(whole) == 0);
  const std::size_t most = kind == Kind::Vectors ? kVectorsAtOnce : kTextsAtOnce;
  const bool must_flush =
      !batch_.points.empty() && (batch_.kind != kind || batch_.points.size() >= most ||
                                 batch_.bytes + bytes > kBatchBytesMax || clashes);
  if (must_flush) {
    QV_CHECK(flush());
    report(done_bytes_);
  }
  if (batch_.points.empty()) batch_.first_place = place;
  batch_.last_place = place;
  batch_.kind = kind;
  batch_.bytes += bytes;
  batch_.ids.insert(id);
  if (!is_named) batch_.ids.insert(whole);
  batch_.points.push_back(std::move(point));
  return Done{};
}

Status Import::flush() {
  if (!batch_.points.empty()) {
    if (const Status status = write_batch(); !status.ok()) {
      return Error{status.error().code,
                   batch_.first_place + " to " + batch_.last_place + ": " + status.error().message};
    }
    batch_ = {};
  }
  if (stale_.empty()) return Done{};
  QV_TRY(const auto removed, target_.remove(std::exchange(stale_, {})));
  counts_.removed += removed;
  return Done{};
}

Status Import::write_batch() {
  switch (batch_.kind) {
    case Kind::Chunks: return write_chunks();
    case Kind::Texts: return write_texts();
    case Kind::Vectors: break;
  }
  return write_vectors();
}

Status Import::write_chunks() {
  QV_TRY(const auto written, target_.store_texts(batch_.points));
  static_cast<void>(written);
  counts_.replaced += batch_.replaced;
  counts_.added += batch_.points.size() - batch_.replaced;
  return Done{};
}

Status Import::write_texts() {
  std::vector<Json> named;
  std::vector<Json> items;
  for (auto& point : batch_.points) (point.contains("id") ? named : items).push_back(point);
  const std::size_t unnamed = items.size();
  QV_TRY(const auto stored, target_.compare(named));
  std::uint64_t replaced = 0;
  for (std::size_t i = 0; i < named.size(); ++i) {
    if (stored[i] == ImportTarget::Stored::Same) continue;
    if (stored[i] == ImportTarget::Stored::Other) ++replaced;
    items.push_back(std::move(named[i]));
  }
  counts_.unchanged += batch_.points.size() - items.size();
  if (items.empty()) return Done{};
  QV_TRY(const auto written, target_.store_texts(items));
  // Those without an id are the ones that may have been there.
  const std::uint64_t existed = std::min<std::uint64_t>(written.existed, unnamed);
  counts_.unchanged += existed;
  counts_.replaced += replaced;
  counts_.added += items.size() - existed - replaced;
  return Done{};
}

Status Import::write_vectors() {
  QV_TRY(const auto stored, target_.compare(batch_.points));
  std::vector<Json> points;
  for (std::size_t i = 0; i < batch_.points.size(); ++i) {
    if (stored[i] != ImportTarget::Stored::Same) points.push_back(std::move(batch_.points[i]));
  }
  counts_.unchanged += batch_.points.size() - points.size();
  if (points.empty()) return Done{};
  QV_TRY(const auto written, target_.store_vectors(points));
  counts_.added += written.created;
  counts_.replaced += written.existed;
  return Done{};
}

Error Import::with_counts(Error error) const {
  const auto written = counts_.added + counts_.replaced;
  error.message += "\nbefore that " + std::to_string(written) +
                   " points were written; run the import again to complete it";
  return error;
}

void Import::report(std::uint64_t done_bytes) const {
  if (progress_) progress_(std::min(done_bytes, total_bytes_), total_bytes_, counts_);
}

}  // namespace

Json ImportCounts::to_json() const {
  return {{"sources", sources},   {"added", added},     {"unchanged", unchanged},
          {"replaced", replaced}, {"removed", removed}, {"skipped", skipped_count},
          {"problems", skipped}};
}

std::string chunk_id(const std::string& identity, const std::string& text, std::size_t repetition) {
  const std::string hashed = repetition == 0 ? text : text + '\0' + std::to_string(repetition);
  return id_prefix(identity) + hex(stable_hash(hashed), 16);
}

Result<ImportCounts> import_files(service::Executor& executor, const CallContext& call,
                                  const std::vector<std::filesystem::path>& paths,
                                  const ImportOptions& options, const ImportProgress& progress) {
  return Import(executor, call, options, progress).run(paths);
}

}  // namespace quiver::app
