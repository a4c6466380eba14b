#pragma once

#include <filesystem>
#include <memory>

#include "core/result.h"
#include "storage/hnsw_graph.h"

namespace quiver::storage {

/// A graph's snapshot on disk: derived state, so that a restart need not build the graph again.
///
/// Little-endian. A header of 80 bytes {magic "QVGRAPH", format version, dim, metric, m,
/// ef_construction, entry point, top layer, count, bytes of the body, xxh3-128 of the body, xxh3-64
/// of the header before it}, then the body:
///
///     rows       count * row   hnswlib's layer 0: links, vector, slot
///     levels     count * 1     top layer of each node
///     published  a bit for each node, in words of 64
///     links      for each node above layer 0: its links on layers 1 to its level
class GraphFile {
 public:
  /// Writes beside `path`, syncs and renames: afterwards `path` holds either the old snapshot or
  /// the whole new one. No insert may run meanwhile; everything else may. Errors: ResourceExhausted
  /// for a full disk; Unavailable for any other I/O error.
  static Status save(const HnswGraph& graph, const std::filesystem::path& path);

  /// Errors: Corruption for a file that save() did not write, or wrote for another shape;
  /// NotFound; ResourceExhausted without memory; Unavailable for I/O errors.
  static Result<std::unique_ptr<HnswGraph>> load(const std::filesystem::path& path,
                                                 const GraphShape& shape);

 private:
  struct Header;
  class BodyWriter;
  class Reader;

  static Status write(const HnswGraph& graph, const std::filesystem::path& path);
  static Status write_body(const HnswGraph& graph, BodyWriter& body, Header& header);
};

}  // namespace quiver::storage
