#include "storage/graph_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "storage/hnsw_core.h"

namespace quiver::storage {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is the memory's layout");
static_assert(sizeof(hnswlib::labeltype) == 8 && sizeof(hnswlib::tableint) == 4);

constexpr std::array<char, 8> kMagic{'Q', 'V', 'G', 'R', 'A', 'P', 'H', '\0'};
constexpr std::uint32_t kVersion = 1;
/// Bytes read, written and summed at a time: they stay in the processor's cache between the steps.
constexpr std::size_t kSliceBytes = std::size_t{1} << 20;

Error io_error(const std::filesystem::path& path, std::string_view what, int number) {
  const auto code = number == ENOSPC || number == EDQUOT || number == ENOMEM
                        ? ErrorCode::ResourceExhausted
                        : ErrorCode::Unavailable;
  return Error{code, path.string() + ": " + std::string(what) + ": " +
                         std::generic_category().message(number)};
}

class File {
 public:
  File(const std::filesystem::path& path, int flags)
      : path_(path), descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool is_open() const noexcept { return descriptor_ >= 0; }

  /// Errors: Corruption at the end of the file.
  Status read(void* memory, std::size_t bytes) {
    auto* to = static_cast<char*>(memory);
    while (bytes > 0) {
      const ssize_t got = ::read(descriptor_, to, bytes);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return io_error(path_, "read", errno);
      if (got == 0) return Error{ErrorCode::Corruption, path_.string() + ": ends too early"};
      to += got;
      bytes -= static_cast<std::size_t>(got);
    }
    return Done{};
  }
  Status write(const void* memory, std::size_t bytes) {
    const auto* from = static_cast<const char*>(memory);
    while (bytes > 0) {
      const ssize_t put = ::write(descriptor_, from, bytes);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return io_error(path_, "write", errno);
      from += put;
      bytes -= static_cast<std::size_t>(put);
    }
    return Done{};
  }
  Status seek_to_start() {
    if (::lseek(descriptor_, 0, SEEK_SET) != 0) return io_error(path_, "seek", errno);
    return Done{};
  }
  Status sync() {
    if (::fsync(descriptor_) != 0) return io_error(path_, "sync", errno);
    return Done{};
  }
  Result<std::uint64_t> size() {
    struct stat status {};
    if (::fstat(descriptor_, &status) != 0) return io_error(path_, "stat", errno);
    return static_cast<std::uint64_t>(status.st_size);
  }

 private:
  const std::filesystem::path path_;
  const int descriptor_;
};

/// xxh3-128 over everything that it is fed.
class Checksum {
 public:
  Checksum() : state_(XXH3_createState(), &XXH3_freeState) {
    if (!state_) throw std::bad_alloc();
    XXH3_128bits_reset(state_.get());
  }
  void add(const void* memory, std::size_t bytes) {
    XXH3_128bits_update(state_.get(), memory, bytes);
  }
  std::array<unsigned char, 16> digest() const {
    std::array<unsigned char, 16> out{};
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state_.get()));
    std::copy_n(canonical.digest, out.size(), out.begin());
    return out;
  }

 private:
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state_;
};

}  // namespace

struct GraphFile::Header {
  std::array<char, 8> magic = kMagic;
  std::uint32_t version = kVersion;
  std::uint32_t dim = 0;
  std::uint32_t metric = 0;
  std::uint32_t m = 0;
  std::uint32_t ef_construction = 0;
  std::uint32_t entry = 0;
  std::int32_t top = -1;
  std::uint32_t unused = 0;
  std::uint64_t count = 0;
  std::uint64_t body_bytes = 0;
  std::array<unsigned char, 16> body_hash{};
  std::uint64_t header_hash = 0;

  std::uint64_t hash() const { return XXH3_64bits(this, offsetof(Header, header_hash)); }
};

/// Sums and writes in one pass. Threads: one.
class GraphFile::BodyWriter {
 public:
  explicit BodyWriter(File& file) : file_(file) {}
  Status put(const void* memory, std::size_t bytes) {
    sum_.add(memory, bytes);
    bytes_ += bytes;
    return file_.write(memory, bytes);
  }
  std::uint64_t bytes() const noexcept { return bytes_; }
  std::array<unsigned char, 16> digest() const { return sum_.digest(); }

 private:
  File& file_;
  Checksum sum_;
  std::uint64_t bytes_ = 0;
};

Status GraphFile::write_body(const HnswGraph& graph, BodyWriter& body, Header& header) {
  std::vector<char> slice;
  std::size_t row = 0;
  {
    const FairReadLock lock(graph.gate_);
    const auto& core = graph.core_->graph;
    row = core.size_data_per_element_;
    header.count = core.cur_element_count;
    header.entry = core.enterpoint_node_;
    header.top = core.maxlevel_;
  }
  const std::size_t per_slice = std::max<std::size_t>(kSliceBytes / row, 1);
  for (std::size_t i = 0; i < header.count; i += per_slice) {
    const std::size_t bytes = std::min<std::size_t>(per_slice, header.count - i) * row;
    slice.resize(bytes);
    {
      const FairReadLock lock(graph.gate_);
      std::memcpy(slice.data(), graph.core_->graph.data_level0_memory_ + i * row, bytes);
    }
    QV_CHECK(body.put(slice.data(), bytes));
  }

  std::vector<std::uint8_t> levels(header.count);
  std::vector<std::uint64_t> published(words_for(header.count));
  std::vector<char> links;
  {
    const FairReadLock lock(graph.gate_);
    const auto& core = graph.core_->graph;
    for (std::size_t i = 0; i < header.count; ++i) {
      levels[i] = static_cast<std::uint8_t>(core.element_levels_[i]);
      const std::size_t bytes = levels[i] * core.size_links_per_element_;
      if (bytes > 0) links.insert(links.end(), core.linkLists_[i], core.linkLists_[i] + bytes);
    }
    for (std::size_t i = 0; i < published.size(); ++i) published[i] = graph.published_[i].load();
  }
  QV_CHECK(body.put(levels.data(), levels.size()));
  QV_CHECK(body.put(published.data(), published.size() * sizeof(std::uint64_t)));
  return body.put(links.data(), links.size());
}

Status GraphFile::write(const HnswGraph& graph, const std::filesystem::path& path) {
  File file(path, O_WRONLY | O_CREAT | O_TRUNC);
  if (!file.is_open()) return io_error(path, "open", errno);
  Header header;
  header.dim = graph.shape().dim;
  header.metric = static_cast<std::uint32_t>(graph.shape().metric);
  header.m = graph.shape().hnsw.m;
  header.ef_construction = graph.shape().hnsw.ef_construction;
  QV_CHECK(file.write(&header, sizeof(header)));
  BodyWriter body(file);
  QV_CHECK(write_body(graph, body, header));
  header.body_bytes = body.bytes();
  header.body_hash = body.digest();
  header.header_hash = header.hash();
  QV_CHECK(file.seek_to_start());
  QV_CHECK(file.write(&header, sizeof(header)));
  return file.sync();
}

Status GraphFile::save(const HnswGraph& graph, const std::filesystem::path& path) {
  auto temporary = path;
  temporary += ".tmp";
  std::error_code ignored;
  try {
    if (auto written = write(graph, temporary); !written.ok()) {
      std::filesystem::remove(temporary, ignored);
      return written;
    }
  } catch (const std::bad_alloc&) {
    std::filesystem::remove(temporary, ignored);
    return Error{ErrorCode::ResourceExhausted, path.string() + ": no memory to write it"};
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0) {
    auto error = io_error(path, "rename", errno);
    std::filesystem::remove(temporary, ignored);
    return error;
  }
  const auto parent = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  File directory(parent, O_RDONLY | O_DIRECTORY);
  if (!directory.is_open()) return io_error(parent, "open", errno);
  return directory.sync();
}

/// Reads one snapshot and believes none of it before it is checked.
class GraphFile::Reader {
 public:
  Reader(const std::filesystem::path& path, File& file, const GraphShape& shape)
      : path_(path), file_(file), shape_(shape) {}

  Result<std::unique_ptr<HnswGraph>> read() {
    QV_TRY(const std::uint64_t file_bytes, file_.size());
    QV_CHECK(file_.read(&header_, sizeof(header_)));
    QV_CHECK(check_header(file_bytes));
    QV_TRY(auto graph, HnswGraph::create(shape_, header_.count));
    const FairWriteLock lock(graph->gate_);
    auto& core = graph->core_->graph;
    QV_CHECK(read_body(core));
    QV_CHECK(check_nodes(*graph->core_));
    QV_CHECK(check_upper_links());
    install(core);
    for (NodeId node = 0; node < header_.count; ++node) {
      graph->slots_[node] = graph->core_->slot(node);
    }
    std::size_t live = 0;
    for (std::size_t i = 0; i < published_.size(); ++i) {
      graph->published_[i].store(published_[i]);
      live += static_cast<std::size_t>(std::popcount(published_[i]));
    }
    graph->live_.store(live);
    graph->reserved_.store(header_.count);
    return graph;
  }

 private:
  using Hnsw = hnswlib::HierarchicalNSW<float>;

  Error corrupt(const std::string& reason) const {
    return Error{ErrorCode::Corruption, path_.string() + ": " + reason};
  }
  std::size_t layer_bytes() const { return (shape_.hnsw.m + 1) * sizeof(hnswlib::tableint); }
  std::size_t row_bytes() const {
    return (2 * shape_.hnsw.m + 1) * sizeof(hnswlib::tableint) + shape_.dim * sizeof(float) +
           sizeof(hnswlib::labeltype);
  }

  Status check_header(std::uint64_t file_bytes) const;
  Status read_body(Hnsw& core);
  Status check_nodes(HnswGraph::Core& core);
  Status check_list(const std::uint32_t* list, std::size_t links_max, std::size_t level,
                    std::size_t node) const;
  Status check_upper_links() const;
  void install(Hnsw& core) const;

  const std::filesystem::path& path_;
  File& file_;
  const GraphShape& shape_;
  Header header_;
  std::vector<std::uint8_t> levels_;
  std::vector<std::uint64_t> published_;
  std::vector<std::uint32_t> links_;
};

Status GraphFile::Reader::check_header(std::uint64_t file_bytes) const {
  if (header_.magic != kMagic) return corrupt("is not a graph snapshot");
  if (header_.header_hash != header_.hash()) return corrupt("checksum of the header differs");
  if (header_.version != kVersion) {
    return corrupt("format version " + std::to_string(header_.version) + ", known is " +
                   std::to_string(kVersion));
  }
  if (header_.dim != shape_.dim || header_.metric != static_cast<std::uint32_t>(shape_.metric) ||
      header_.m != shape_.hnsw.m || header_.ef_construction != shape_.hnsw.ef_construction) {
    return corrupt("made for another dimension, metric, m or ef_construction");
  }
  if (header_.unused != 0) return corrupt("header has an unknown field");
  if (header_.body_bytes != file_bytes - sizeof(Header)) {
    return corrupt("body of " + std::to_string(file_bytes - sizeof(Header)) + " bytes, should be " +
                   std::to_string(header_.body_bytes));
  }
  // Bounds every allocation below by the size of the file.
  if (header_.count == 0 || header_.count > header_.body_bytes / row_bytes() ||
      header_.count > kNodesMax) {
    return corrupt("count of " + std::to_string(header_.count) + " does not fit the body");
  }
  if (header_.entry >= header_.count) return corrupt("entry point out of bounds");
  return Done{};
}

Status GraphFile::Reader::read_body(Hnsw& core) {
  Checksum sum;
  const std::size_t rows = header_.count * row_bytes();
  for (std::size_t done = 0; done < rows;) {
    const std::size_t bytes = std::min(kSliceBytes, rows - done);
    QV_CHECK(file_.read(core.data_level0_memory_ + done, bytes));
    sum.add(core.data_level0_memory_ + done, bytes);
    done += bytes;
  }
  levels_.resize(header_.count);
  published_.resize(words_for(header_.count));
  const std::size_t fixed = rows + levels_.size() + published_.size() * sizeof(std::uint64_t);
  if (fixed > header_.body_bytes || (header_.body_bytes - fixed) % layer_bytes() != 0) {
    return corrupt("body has no whole number of links");
  }
  links_.resize((header_.body_bytes - fixed) / sizeof(std::uint32_t));
  const auto read_into = [&](void* memory, std::size_t bytes) -> Status {
    QV_CHECK(file_.read(memory, bytes));
    sum.add(memory, bytes);
    return Done{};
  };
  QV_CHECK(read_into(levels_.data(), levels_.size()));
  QV_CHECK(read_into(published_.data(), published_.size() * sizeof(std::uint64_t)));
  QV_CHECK(read_into(links_.data(), links_.size() * sizeof(std::uint32_t)));
  if (sum.digest() != header_.body_hash) return corrupt("checksum of the body differs");
  return Done{};
}

Status GraphFile::Reader::check_list(const std::uint32_t* list, std::size_t links_max,
                                     std::size_t level, std::size_t node) const {
  // The upper half of the word is where hnswlib marks deleted nodes; we never do.
  const std::uint32_t count = *list;
  if (count > links_max) return corrupt("node " + std::to_string(node) + " has too many links");
  for (std::uint32_t i = 1; i <= count; ++i) {
    if (list[i] >= header_.count || list[i] == node || levels_[list[i]] < level) {
      return corrupt("node " + std::to_string(node) + " has a link out of bounds");
    }
  }
  return Done{};
}

Status GraphFile::Reader::check_nodes(HnswGraph::Core& core) {
  auto& labels = core.graph.label_lookup_;
  labels.reserve(header_.count);
  int top = -1;
  for (std::size_t node = 0; node < header_.count; ++node) {
    const auto id = static_cast<NodeId>(node);
    QV_CHECK(check_list(core.graph.get_linklist0(id), std::size_t{2} * shape_.hnsw.m, 0, node));
    const auto label = core.graph.getExternalLabel(id);
    if (label > std::numeric_limits<std::uint32_t>::max() || !labels.emplace(label, id).second) {
      return corrupt("node " + std::to_string(node) + " has an impossible slot");
    }
    if (levels_[node] != graph_level(core.slot(id), shape_.hnsw.m)) {
      return corrupt("node " + std::to_string(node) + " has the wrong level");
    }
    top = std::max<int>(top, levels_[node]);
    // Exponent bits all set: infinite or not a number.
    constexpr std::uint32_t kExponent = 0x7F800000U;
    std::uint32_t bad = 0;
    const auto* bits = reinterpret_cast<const char*>(core.vector(id));
    for (std::size_t i = 0; i < shape_.dim; ++i) {
      std::uint32_t component = 0;
      std::memcpy(&component, bits + i * sizeof(float), sizeof(component));
      bad |= (component & kExponent) == kExponent ? 1U : 0U;
    }
    if (bad != 0) return corrupt("node " + std::to_string(node) + " has a vector with no value");
  }
  if (header_.top != top || levels_[header_.entry] != top) {
    return corrupt("entry point is not on the top layer");
  }
  if (header_.count % 64 != 0 && published_.back() >> (header_.count % 64) != 0) {
    return corrupt("more nodes are published than there are");
  }
  return Done{};
}

Status GraphFile::Reader::check_upper_links() const {
  const std::size_t stride = shape_.hnsw.m + 1;
  std::size_t layers = 0;
  for (const auto level : levels_) layers += level;
  if (layers * stride != links_.size()) return corrupt("links do not fit the levels");
  const std::uint32_t* list = links_.data();
  for (std::size_t node = 0; node < header_.count; ++node) {
    for (std::size_t level = 1; level <= levels_[node]; ++level, list += stride) {
      QV_CHECK(check_list(list, shape_.hnsw.m, level, node));
    }
  }
  return Done{};
}

// hnswlib frees with free() what it finds here.
void GraphFile::Reader::install(Hnsw& core) const {
  const std::uint32_t* list = links_.data();
  for (std::size_t node = 0; node < header_.count; ++node) {
    char* memory = nullptr;
    if (levels_[node] > 0) {
      const std::size_t bytes = levels_[node] * layer_bytes();
      memory = static_cast<char*>(std::malloc(bytes));
      if (memory == nullptr) throw std::bad_alloc();
      std::memcpy(memory, list, bytes);
      list += bytes / sizeof(std::uint32_t);
    }
    core.linkLists_[node] = memory;
    core.element_levels_[node] = levels_[node];
    core.cur_element_count = node + 1;
  }
  core.enterpoint_node_ = header_.entry;
  core.maxlevel_ = header_.top;
}

Result<std::unique_ptr<HnswGraph>> GraphFile::load(const std::filesystem::path& path,
                                                   const GraphShape& shape) {
  File file(path, O_RDONLY);
  if (!file.is_open()) {
    if (errno == ENOENT) return Error{ErrorCode::NotFound, path.string() + ": no such file"};
    return io_error(path, "open", errno);
  }
  try {
    return Reader(path, file, shape).read();
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::ResourceExhausted, path.string() + ": no memory to read it"};
  }
}

}  // namespace quiver::storage
