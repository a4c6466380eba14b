#include "cluster/known_map.h"

#include "cluster/version_gate.h"
#include "cluster/view/view_builder.h"

namespace quiver::cluster {
namespace {

Error unusable(const std::string& why) {
  return {ErrorCode::FailedPrecondition, "the map of the cluster on the disk " + why};
}

}  // namespace

Result<ViewFile> known_map(const std::filesystem::path& data_dir, const std::string& cluster_id,
                           const NodeRecord& self) {
  QV_TRY(auto file, ViewFile::read(data_dir));
  if (file.cluster_id != cluster_id) {
    return unusable("is of another cluster (" + file.cluster_id + ')');
  }
  if (file.node != self.id) return unusable("is of another server (" + file.node.text + ')');
  ViewBuilder builder;
  QV_CHECK(builder.take(file.map));
  const auto view = builder.build();
  const auto* const own = view->find_node(self.id);
  if (own == nullptr) return unusable("does not have this server");
  const auto state = own->record.state;
  if (state != NodeState::Active && state != NodeState::Draining) {
    return unusable("has this server as " + std::string(name(state)));
  }
  if (own->record.rpc_address != self.rpc_address) {
    return unusable("has this server at " + own->record.rpc_address + ", not at " +
                    self.rpc_address + ": the others would not find it");
  }
  for (const auto& [unused, node] : view->nodes) {
    if (node.record.state == NodeState::Removed) continue;
    QV_CHECK(check_versions(self.version, node.record.version));
  }
  return file;
}

}  // namespace quiver::cluster
