#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "app/import_source.h"
#include "core/call_context.h"
#include "core/json.h"
#include "service/executor.h"

namespace quiver::app {

struct ImportOptions {
  std::string collection = "memory";
  ImportFormat format = ImportFormat::Auto;
  /// See find_sources().
  std::optional<std::string> source_name;
  /// Leave out lines and files that cannot be imported instead of importing nothing.
  bool skip_bad = false;
  /// Make the collection if it is not there.
  bool create = false;
  /// What a collection that is made embeds texts with. Without it one that gets vectors only embeds
  /// nothing, and any other has the node's default.
  std::optional<std::string> embedder;
  /// Largest chunk of a text file.
  std::size_t chunk_bytes = 1200;
};

/// What an import did, in points (chunks of text files, lines of JSONL).
struct ImportCounts {
  std::uint64_t sources = 0;
  std::uint64_t added = 0;
  std::uint64_t unchanged = 0;
  std::uint64_t replaced = 0;
  std::uint64_t removed = 0;
  /// Each with its place and what is wrong with it; the first thousand.
  std::vector<std::string> skipped;
  std::uint64_t skipped_count = 0;

  Json to_json() const;
};

/// Called as the import goes on, in bytes of the sources.
using ImportProgress =
    std::function<void(std::uint64_t done_bytes, std::uint64_t total_bytes, const ImportCounts&)>;

/// Imports files and folders through the operations of an executor, so it makes no difference
/// which process owns the data.
///
/// All sources are read and checked before the first write. A chunk of a text file has an id made
/// from its file and its text and the metadata source, heading (if any), chunk and line; so a
/// second run writes nothing, and chunks that a changed file no longer has are removed. Only points
/// whose id shows that they came from that file are. JSONL lines with an id are compared with what
/// is stored under it; those without get the id that memory_store makes from their text.
///
/// Errors: InvalidArgument, one line for each bad line or file, unless they are skipped; NotFound
/// for a collection that is not there, FailedPrecondition for one that cannot take the points;
/// those of the operations, with the lines they are about and what had been written by then.
Result<ImportCounts> import_files(service::Executor& executor, const CallContext& call,
                                  const std::vector<std::filesystem::path>& paths,
                                  const ImportOptions& options, const ImportProgress& progress);

/// The id of a chunk; `repetition` counts earlier chunks of the file with the same text.
std::string chunk_id(const std::string& identity, const std::string& text, std::size_t repetition);

}  // namespace quiver::app
