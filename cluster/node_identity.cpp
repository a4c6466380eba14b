#include "cluster/node_identity.h"

#include <string>

#include "storage/files.h"

namespace quiver::cluster {
namespace {

constexpr const char* kFile = "NODE";
constexpr const char* kRole = "the server's id";
constexpr std::size_t kBytesMax = 64;

}  // namespace

Result<NodeId> node_identity(const std::filesystem::path& directory) {
  const auto file = directory / kFile;
  auto content = storage::read_file(file, kBytesMax, kRole);
  if (content.ok()) {
    std::string text = std::move(content).value();
    if (!text.empty() && text.back() == '\n') text.pop_back();
    if (RequestId::from_hex(text).ok()) return NodeId{std::move(text)};
    return Error{ErrorCode::Corruption, file.string() + " holds no id of 32 hexadecimal digits"};
  }
  if (content.error().code != ErrorCode::NotFound) return std::move(content).error();
  QV_CHECK(storage::make_directories(directory, "the data directory"));
  NodeId id{RequestId::random().hex()};
  QV_CHECK(storage::write_file_atomically(file, id.text + '\n', kRole));
  return id;
}

}  // namespace quiver::cluster
