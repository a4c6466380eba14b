#include "service/operations/cluster_add_node.h"
#include "service/operations/cluster_cancel_operation.h"
#include "service/operations/cluster_force_promote.h"
#include "service/operations/cluster_get_operation.h"
#include "service/operations/cluster_get_shard_distribution.h"
#include "service/operations/cluster_list_nodes.h"
#include "service/operations/cluster_move_shard.h"
#include "service/operations/cluster_rebalance.h"
#include "service/operations/cluster_remove_node.h"
#include "service/operations/collection_create.h"
#include "service/operations/collection_delete.h"
#include "service/operations/collection_info.h"
#include "service/operations/collection_list.h"
#include "service/operations/complete.h"
#include "service/operations/memory_delete.h"
#include "service/operations/memory_get.h"
#include "service/operations/memory_search.h"
#include "service/operations/memory_store.h"
#include "service/operations/node_status.h"
#include "service/operations/vector_scroll.h"
#include "service/operations/vector_search.h"
#include "service/operations/vector_upsert.h"
#include "service/registry.h"

namespace quiver::service {

Registry catalogue() {
  return Registry({
      cluster_add_node_operation(),
      cluster_cancel_operation_operation(),
      cluster_force_promote_operation(),
      cluster_get_operation_operation(),
      cluster_get_shard_distribution_operation(),
      cluster_list_force_promotions_operation(),
      cluster_list_nodes_operation(),
      cluster_move_shard_operation(),
      cluster_rebalance_operation(),
      cluster_remove_node_operation(),
      collection_create_operation(),
      collection_delete_operation(),
      collection_info_operation(),
      collection_list_operation(),
      complete_operation(),
      memory_delete_operation(),
      memory_get_operation(),
      memory_search_operation(),
      memory_store_operation(),
      node_status_operation(),
      vector_scroll_operation(),
      vector_search_operation(),
      vector_upsert_operation(),
  });
}

}  // namespace quiver::service
