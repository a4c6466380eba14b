#include "cluster/membership_file.h"

#include <utility>

#include "core/ids.h"
#include "core/json.h"
#include "storage/files.h"

namespace quiver::cluster {
namespace {

constexpr const char* kFile = "CLUSTER";
constexpr const char* kRole = "the cluster that the data directory belongs to";
constexpr std::size_t kBytesMax = 1024;

}  // namespace

Result<std::optional<MembershipFile>> MembershipFile::read(const std::filesystem::path& data_dir) {
  const auto file = data_dir / kFile;
  const auto content = storage::read_file(file, kBytesMax, kRole);
  if (!content.ok()) {
    if (content.error().code == ErrorCode::NotFound) return std::optional<MembershipFile>();
    return content.error();
  }
  const Json json = Json::parse(*content, nullptr, false);
  const auto text = [&](const char* field) -> const std::string* {
    const auto found = json.find(field);
    return found == json.end() ? nullptr : found->get_ptr<const std::string*>();
  };
  if (json.is_object() && json.size() == 3 && text("cluster") != nullptr &&
      text("cluster_id") != nullptr && json.contains("moving_in") &&
      json["moving_in"].is_boolean() && RequestId::from_hex(*text("cluster_id")).ok()) {
    return std::optional(MembershipFile{*text("cluster"), *text("cluster_id"), json["moving_in"]});
  }
  return Error{ErrorCode::Corruption, file.string() + " names no cluster"};
}

Status MembershipFile::write(const std::filesystem::path& data_dir) const {
  const Json json{{"cluster", cluster}, {"cluster_id", cluster_id}, {"moving_in", is_moving_in}};
  QV_CHECK(storage::make_directories(data_dir, "the data directory"));
  return storage::write_file_atomically(data_dir / kFile, json.dump() + '\n', kRole);
}

Status check_alone(const std::filesystem::path& data_dir) {
  QV_TRY(const auto file, MembershipFile::read(data_dir));
  if (!file) return Done{};
  // Its catalogue is no longer the one in the directory.
  return Error{ErrorCode::FailedPrecondition,
               "the data directory belongs to the cluster " + file->cluster +
                   ": start it with that cluster's configuration (cluster.coordination)"};
}

}  // namespace quiver::cluster
