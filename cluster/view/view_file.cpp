#include "cluster/view/view_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <system_error>
#include <utility>

#include <unistd.h>

#include "core/json.h"
#include "core/text.h"
#include "storage/files.h"

namespace quiver::cluster {
namespace {

constexpr const char* kFile = "VIEW";
constexpr const char* kRole = "the map of the cluster";
constexpr std::string_view kMagic = "quiver-view ";
constexpr std::string_view kVersion = "1";
/// Longest first line, its end included.
constexpr std::size_t kHeaderBytesMax = 64;

Error damaged(const std::string& how) {
  return {ErrorCode::Corruption, std::string(kRole) + " on the disk is damaged: " + how};
}

/// The first line: what the file is, its version, and the length and xxHash64 of what follows.
std::string header_of(std::string_view body) {
  std::array<char, kHeaderBytesMax> out{};
  (void)std::snprintf(out.data(), out.size(), "%zu %016llx\n", body.size(),
                      static_cast<unsigned long long>(stable_hash(body)));
  return std::string(kMagic).append(kVersion) + ' ' + out.data();
}

/// What follows the first line, once it is certain that it is what was written.
Result<std::string_view> body_of(std::string_view content) {
  if (!content.starts_with(kMagic)) return damaged("it does not begin as one");
  const auto end = content.substr(0, kHeaderBytesMax).find('\n');
  if (end == std::string_view::npos) return damaged("its first line does not end");
  const auto version = content.substr(kMagic.size(), end - kMagic.size());
  if (!version.starts_with(std::string(kVersion) + ' ')) {
    return Error{ErrorCode::FailedPrecondition,
                 std::string(kRole) + " on the disk has format " +
                     std::string(version.substr(0, version.find(' '))) +
                     "; this program reads format " + std::string(kVersion)};
  }
  const auto body = content.substr(end + 1);
  if (header_of(body) != content.substr(0, end + 1)) {
    return damaged("its length or its checksum differs");
  }
  return body;
}

Json to_json(const ViewFile& file) {
  Json entries = Json::array();
  for (const auto& entry : file.map.entries) {
    entries.push_back({entry.key, entry.value, static_cast<std::uint64_t>(entry.revision)});
  }
  return {{"cluster_id", file.cluster_id},
          {"node", file.node.text},
          {"coordination", file.coordination},
          {"revision", static_cast<std::uint64_t>(file.map.revision)},
          {"entries", std::move(entries)}};
}

ViewFile from_json(const Json& json) {
  ViewFile out;
  out.cluster_id = json.at("cluster_id").get<std::string>();
  out.node = {json.at("node").get<std::string>()};
  out.coordination = json.at("coordination").get<std::vector<std::string>>();
  out.map.revision = Revision{json.at("revision").get<std::uint64_t>()};
  for (const Json& entry : json.at("entries")) {
    out.map.entries.push_back({entry.at(0).get<std::string>(), entry.at(1).get<std::string>(),
                               Revision{entry.at(2).get<std::uint64_t>()}, LeaseId{0}});
  }
  return out;
}

}  // namespace

Result<ViewFile> ViewFile::read(const std::filesystem::path& data_dir) {
  const auto file = data_dir / kFile;
  // The buffer is made as large as what may be read.
  std::error_code unknown;
  const auto size = std::filesystem::file_size(file, unknown);
  const auto bytes_max = unknown ? 0 : std::min<std::uintmax_t>(size, kBytesMax);
  QV_TRY(const auto content, storage::read_file(file, bytes_max, kRole));
  QV_TRY(const auto body, body_of(content));
  try {
    return from_json(Json::parse(body));
  } catch (const Json::exception& problem) {
    return damaged(problem.what());
  }
}

Status ViewFile::write(const std::filesystem::path& data_dir) const {
  std::string body;
  try {
    body = to_json(*this).dump();
  } catch (const Json::exception& problem) {
    return Error{ErrorCode::Corruption,
                 std::string(kRole) + " cannot be kept on the disk: " + problem.what()};
  }
  auto content = header_of(body);
  if (content.size() + body.size() > kBytesMax) {
    return Error{ErrorCode::ResourceExhausted,
                 std::string(kRole) + " is too large to be kept on the disk: " +
                     std::to_string(body.size()) + " bytes, at most " + std::to_string(kBytesMax)};
  }
  content += body;
  return storage::write_file_atomically(data_dir / kFile, content, kRole);
}

Status ViewFile::remove(const std::filesystem::path& data_dir) {
  const auto file = data_dir / kFile;
  if (::unlink(file.c_str()) == 0) return storage::sync_directory(data_dir);
  if (errno == ENOENT) return Done{};
  return storage::file_error(errno, "remove " + std::string(kRole) + ' ' + file.string());
}

}  // namespace quiver::cluster
