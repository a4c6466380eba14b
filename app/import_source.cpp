#include "app/import_source.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>
#include <string_view>
#include <system_error>

#include "core/text.h"

namespace quiver::app {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kDocumentBytesMax = std::uintmax_t{64} << 20;
constexpr std::array<std::string_view, 2> kJsonlExtensions{".jsonl", ".ndjson"};
constexpr std::array<std::string_view, 2> kMarkdownExtensions{".md", ".markdown"};

std::string lower_extension(const fs::path& file) {
  std::string out = file.extension().string();
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

template <std::size_t N>
bool has_one_of(const fs::path& file, const std::array<std::string_view, N>& extensions) {
  return std::count(extensions.begin(), extensions.end(), lower_extension(file)) > 0;
}

Error unreadable(const fs::path& path, const std::error_code& problem) {
  const bool denied = problem == std::errc::permission_denied;
  return {denied ? ErrorCode::PermissionDenied : ErrorCode::NotFound,
          path.string() + ": " + problem.message()};
}

class Finder {
 public:
  Finder(ImportFormat format, const std::optional<std::string>& source_name)
      : format_(format), source_name_(source_name) {}

  Status add(const fs::path& path) {
    std::error_code problem;
    const auto status = fs::status(path, problem);
    if (!fs::exists(status)) {
      return unreadable(
          path, problem ? problem : std::make_error_code(std::errc::no_such_file_or_directory));
    }
    if (fs::is_directory(status)) return add_folder(path);
    if (!fs::is_regular_file(status)) {
      return Error{ErrorCode::InvalidArgument, path.string() + ": not a file and not a folder"};
    }
    const std::string name = path.filename().string();
    return add_file(path, source_name_ ? *source_name_ + "/" + name : name);
  }

  std::vector<ImportSource> take() { return std::move(sources_); }

 private:
  Status add_folder(const fs::path& folder) {
    if (format_ == ImportFormat::Jsonl) {
      return Error{ErrorCode::InvalidArgument,
                   folder.string() + ": is a folder; name the JSONL files in it"};
    }
    QV_TRY(std::vector<fs::path> files, files_in(folder));
    if (files.empty()) {
      return Error{ErrorCode::InvalidArgument,
                   folder.string() + ": holds no .txt, .md, .markdown" +
                       (format_ == ImportFormat::Auto ? ", .jsonl or .ndjson files" : " files")};
    }
    std::error_code problem;
    const fs::path whole = fs::canonical(folder, problem);
    if (problem) return unreadable(folder, problem);
    const std::string root = source_name_.value_or(whole.filename().string());
    for (const auto& file : files) {
      const std::string inside = file.lexically_relative(folder).generic_string();
      QV_CHECK(add_file(file, root.empty() ? inside : root + "/" + inside));
    }
    return Done{};
  }

  Result<std::vector<fs::path>> files_in(const fs::path& folder) const {
    std::vector<fs::path> files;
    std::error_code problem;
    fs::recursive_directory_iterator entry(folder, problem);
    for (; !problem && entry != fs::recursive_directory_iterator(); entry.increment(problem)) {
      const bool is_hidden = entry->path().filename().string().front() == '.';
      if (is_hidden && entry->is_directory()) entry.disable_recursion_pending();
      if (is_hidden || entry->is_symlink() || !entry->is_regular_file()) continue;
      if (is_wanted(entry->path())) files.push_back(entry->path());
    }
    if (problem) return unreadable(folder, problem);
    std::sort(files.begin(), files.end());
    return files;
  }

  /// Of a folder, in which much else may lie.
  bool is_wanted(const fs::path& file) const {
    if (has_one_of(file, kJsonlExtensions)) return format_ == ImportFormat::Auto;
    return lower_extension(file) == ".txt" || has_one_of(file, kMarkdownExtensions);
  }

  Status add_file(const fs::path& file, std::string name) {
    std::error_code problem;
    const fs::path whole = fs::canonical(file, problem);
    if (problem) return unreadable(file, problem);
    if (!seen_.insert(whole).second) {
      return Error{ErrorCode::InvalidArgument, file.string() + ": is named twice"};
    }
    if (!is_utf8(name) || !is_utf8(whole.string())) {
      return Error{ErrorCode::InvalidArgument, "a file name in " + file.parent_path().string() +
                                                   " is not UTF-8; rename the file"};
    }
    ImportSource source;
    source.file = file;
    source.identity = source_name_ ? name : whole.string();
    source.name = std::move(name);
    source.bytes = fs::file_size(whole, problem);
    if (problem) return unreadable(file, problem);
    source.is_jsonl = format_ == ImportFormat::Jsonl ||
                      (format_ == ImportFormat::Auto && has_one_of(file, kJsonlExtensions));
    source.is_markdown = has_one_of(file, kMarkdownExtensions);
    sources_.push_back(std::move(source));
    return Done{};
  }

  const ImportFormat format_;
  const std::optional<std::string> source_name_;
  std::set<fs::path> seen_;
  std::vector<ImportSource> sources_;
};

/// Length of the longest prefix that is UTF-8, given that the whole is not.
std::size_t valid_prefix(std::string_view text) {
  std::size_t low = 0;
  std::size_t high = text.size();
  while (low + 1 < high) {
    const std::size_t middle = low + (high - low) / 2;
    (is_utf8(utf8_prefix(text, middle)) ? low : high) = middle;
  }
  return low;
}

}  // namespace

Result<std::vector<ImportSource>> find_sources(const std::vector<fs::path>& paths,
                                               ImportFormat format,
                                               const std::optional<std::string>& source_name) {
  Finder finder(format, source_name);
  try {
    for (const auto& path : paths) QV_CHECK(finder.add(path));
  } catch (const fs::filesystem_error& problem) {
    return Error{ErrorCode::NotFound, problem.what()};
  }
  return finder.take();
}

Result<std::string> read_document(const fs::path& file) {
  std::error_code problem;
  const auto bytes = fs::file_size(file, problem);
  if (problem) return unreadable(file, problem);
  if (bytes > kDocumentBytesMax) {
    return Error{ErrorCode::InvalidArgument,
                 file.string() + ": is larger than 64 MiB; split it, or import it as JSONL"};
  }
  std::ifstream stream(file, std::ios::binary);
  std::string text(bytes, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(bytes));
  if (!stream) return unreadable(file, {errno, std::generic_category()});
  const auto line_of = [&](std::size_t position) {
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(position);
    return std::to_string(1 + std::count(text.begin(), end, '\n'));
  };
  if (const auto nul = text.find('\0'); nul != std::string::npos) {
    return Error{ErrorCode::InvalidArgument,
                 file.string() + ":" + line_of(nul) + ": holds a NUL byte; not a text file"};
  }
  if (!is_utf8(text)) {
    return Error{ErrorCode::InvalidArgument,
                 file.string() + ":" + line_of(valid_prefix(text)) + ": is not UTF-8"};
  }
  return text;
}

}  // namespace quiver::app
