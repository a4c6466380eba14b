#pragma once

#include <cstddef>
#include <map>
#include <string_view>
#include <vector>

#include "cluster/collection.h"
#include "service/operations/memory_store.h"

namespace quiver::service {

/// What a call of memory_store writes: gives every item its id and finds those for which there is
/// nothing to write.
///
/// Threads: one.
class StorePlan {
 public:
  /// `request` must outlive it.
  explicit StorePlan(const MemoryStoreRequest& request);

  /// Looks up what is stored already in `collection`; null: it has not been made yet.
  ///
  /// Errors: InvalidArgument for an id or a text that is given twice, and for metadata that would
  /// be too large once it is merged; FailedPrecondition if no id can be made of a text; those of
  /// Collection::get.
  Status make(const CallContext& call, cluster::Collection* collection);
  /// The same again for the items without id whose points are among `changed`, since others wrote
  /// there. What is planned then is these, and the items that came with one of those ids.
  Status again(const CallContext& call, cluster::Collection& collection,
               const std::vector<PointId>& changed);

  const std::vector<PointId>& ids() const noexcept { return ids_; }
  /// Indexes of the items to write; each id once.
  const std::vector<std::size_t>& writes() const noexcept { return writes_; }
  /// What is stored already of an item that came without id; null: nothing.
  const Point* stored(const MemoryStoreItem& item) const;
  /// The points of writes(), without vectors, on condition that what they are made from is still
  /// stored. The result is in that order.
  UpsertIf points(std::int64_t now_ms) const;

 private:
  using Texts = std::vector<std::string_view>;

  Status take_given_ids();
  Texts texts_without_id() const;
  Status place_all(const CallContext& call, cluster::Collection* collection, Texts texts);
  Result<Texts> place(const CallContext& call, cluster::Collection* collection, const Texts& texts,
                      unsigned attempt);
  Status choose_writes();
  bool is_news(const MemoryStoreItem& item) const;
  Status check_merged() const;

  const MemoryStoreRequest& request_;
  std::vector<PointId> ids_;
  /// Ids that items of this call have, with the text they were made from.
  std::map<PointId, std::string_view> taken_;
  std::map<std::string_view, PointId> id_of_;
  /// What is stored already, by text.
  std::map<std::string_view, Point> existing_;
  std::vector<std::size_t> writes_;
};

}  // namespace quiver::service
