#include "cluster/view/cluster_view.h"

namespace quiver::cluster {

const NodeView* ClusterView::find_node(const NodeId& id) const noexcept {
  const auto found = nodes.find(id);
  return found == nodes.end() ? nullptr : &found->second;
}

const CollectionView* ClusterView::find_collection(std::string_view name) const noexcept {
  const auto found = collections.find(name);
  return found == collections.end() ? nullptr : found->second.get();
}

const CollectionView* ClusterView::collection_of(std::string_view id) const noexcept {
  const auto found = collections_by_id.find(id);
  return found == collections_by_id.end() ? nullptr : found->second.get();
}

}  // namespace quiver::cluster
