#include "service/operations/collection_create.h"
#include "service/operations/collection_delete.h"
#include "service/operations/collection_info.h"
#include "service/operations/collection_list.h"
#include "service/operations/complete.h"
#include "service/operations/memory_delete.h"
#include "service/operations/memory_get.h"
#include "service/operations/memory_search.h"
#include "service/operations/memory_store.h"
#include "service/operations/vector_scroll.h"
#include "service/operations/vector_search.h"
#include "service/operations/vector_upsert.h"
#include "service/registry.h"

namespace quiver::service {

Registry catalogue() {
  return Registry({
      collection_create_operation(),
      collection_delete_operation(),
      collection_info_operation(),
      collection_list_operation(),
      complete_operation(),
      memory_delete_operation(),
      memory_get_operation(),
      memory_search_operation(),
      memory_store_operation(),
      vector_scroll_operation(),
      vector_search_operation(),
      vector_upsert_operation(),
  });
}

}  // namespace quiver::service
