#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"

namespace quiver::app {

enum class ImportFormat { Auto, Jsonl, Text };

/// A file to import.
struct ImportSource {
  std::filesystem::path file;
  /// What chunks of it carry as metadata "source".
  std::string name;
  /// Tells it from every other file of that name; see find_sources().
  std::string identity;
  std::uint64_t bytes = 0;
  bool is_jsonl = false;
  bool is_markdown = false;
};

/// The files that `paths` name, in the order given, those of a folder sorted by path.
///
/// Of a folder: *.txt, *.md and *.markdown at any depth, with Auto *.jsonl and *.ndjson too, but
/// nothing hidden and no symbolic links. Auto takes *.jsonl and *.ndjson as JSONL, all other files
/// as text. A file of a folder is named by the folder's name and the path in it (notes/a.md). Its
/// identity is its absolute path, or, with `source_name`, that name in place of the folder's: then
/// the folder may move.
///
/// Errors: NotFound for a path that is not there; InvalidArgument for a folder with nothing in it,
/// for JSONL asked of a folder, and for a file named twice.
Result<std::vector<ImportSource>> find_sources(const std::vector<std::filesystem::path>& paths,
                                               ImportFormat format,
                                               const std::optional<std::string>& source_name);

/// A whole text file. Errors: InvalidArgument naming file and line if it is not UTF-8, holds NUL
/// bytes or is larger than 64 MiB; NotFound, PermissionDenied.
Result<std::string> read_document(const std::filesystem::path& file);

}  // namespace quiver::app
