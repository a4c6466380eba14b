#include "storage/manifest.h"

#include <array>
#include <cstdio>

#include "core/text.h"
#include "storage/files.h"

namespace quiver::storage {
namespace {

constexpr const char* kFileName = "MANIFEST";
constexpr const char* kRole = "the shard's manifest";
constexpr std::size_t kBytesMax = std::size_t{64} << 10;

Error damaged(const std::string& how) {
  return {ErrorCode::Corruption, std::string(kRole) + " is damaged: " + how};
}

/// 16 hexadecimal digits over the members but for "checksum".
std::string checksum(Json json) {
  json.erase("checksum");
  std::array<char, 17> out{};
  (void)std::snprintf(out.data(), out.size(), "%016llx",
                      static_cast<unsigned long long>(stable_hash(json.dump())));
  return out.data();
}

/// The format is checked first: whatever a newer program writes besides is its own affair.
Status check_format(const Json& json) {
  const auto format = json.find("format");
  if (format == json.end() || !format->is_number_unsigned()) return damaged("it has no format");
  if (*format == Manifest::kFormat) return Done{};
  return Error{ErrorCode::FailedPrecondition,
               "the shard is stored in format " + format->dump() + "; this program reads format " +
                   std::to_string(Manifest::kFormat) +
                   ": run the version that wrote it, or restore a backup"};
}

}  // namespace

Status write_manifest(const std::filesystem::path& directory, const Manifest& manifest) {
  Json json{{"format", Manifest::kFormat},
            {"shard", raw(manifest.shard)},
            {"spec", manifest.spec.to_json()}};
  json["checksum"] = checksum(json);
  return write_file_atomically(directory / kFileName, json.dump(2) + "\n", kRole);
}

Result<Manifest> read_manifest(const std::filesystem::path& directory) {
  QV_TRY(const auto content, read_file(directory / kFileName, kBytesMax, kRole));
  const auto json = Json::parse(content, nullptr, false);
  if (!json.is_object()) return damaged("it is not a JSON object");
  QV_CHECK(check_format(json));
  if (json.value("checksum", Json()) != checksum(json)) return damaged("the checksum differs");
  try {
    Manifest manifest;
    manifest.shard = ShardId{json.at("shard").get<std::uint32_t>()};
    QV_TRY(manifest.spec, CollectionSpec::from_json(json.at("spec")));
    return manifest;
  } catch (const Json::exception& problem) {
    return damaged(problem.what());
  }
}

}  // namespace quiver::storage
