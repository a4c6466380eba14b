#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/call_context.h"
#include "core/collection_spec.h"
#include "core/json.h"
#include "service/executor.h"

namespace quiver::app {

/// A collection as an import sees it: the operations that it needs, typed.
///
/// Borrows the executor.
class ImportTarget {
 public:
  ImportTarget(service::Executor& executor, const CallContext& call, std::string collection)
      : executor_(executor), call_(call), collection_(std::move(collection)) {}

  /// Learns what is there now. Before all else.
  Status look();
  /// Of the collection; 0: there is none yet.
  std::size_t dimension() const noexcept { return dimension_; }
  /// Whether a collection of `dimension` can take the vector. Errors: InvalidArgument.
  Status check_vector(const Json& vector, std::size_t dimension) const;

  /// What is to be imported.
  struct Needs {
    bool texts = false;
    /// 0: no vectors.
    std::size_t dimension = 0;
  };
  /// How to make the collection if it is not there.
  struct Creation {
    bool is_wanted = false;
    std::optional<std::string> embedder;
  };
  /// Makes the collection, if there is none.
  ///
  /// Errors: NotFound; FailedPrecondition if it cannot take what is to be imported.
  Status prepare(const Needs& needs, const Creation& creation);

  /// Metadata of the points with that metadata "source", by id.
  Result<std::map<std::string, Json>> points_of_source(const std::string& source) const;

  /// Which of `points` (with ids, and texts or vectors) are stored already: absent, other, or the
  /// same.
  enum class Stored { Absent, Other, Same };
  Result<std::vector<Stored>> compare(const std::vector<Json>& points) const;

  struct Written {
    std::uint64_t created = 0;
    std::uint64_t existed = 0;
  };
  /// One write. `texts` are items of memory_store: created counts those stored, existed those that
  /// were there already.
  Result<Written> store_texts(const std::vector<Json>& items);
  Result<Written> store_vectors(const std::vector<Json>& points) const;
  Result<std::uint64_t> remove(const std::vector<std::string>& ids) const;

  /// Errors: DeadlineExceeded once the caller has cancelled.
  Status check() const { return call_.check(); }

 private:
  Result<Json> invoke(const std::string& operation, Json arguments) const;
  Status read_info(const Json& info);
  Status create_it(const Needs& needs, const Creation& creation);
  Status check_fit(const Needs& needs) const;

  service::Executor& executor_;
  const CallContext& call_;
  const std::string collection_;
  /// The default collection exists from its first memory_store on.
  bool exists_ = false;
  /// Why there is none.
  std::optional<Error> missing_;
  /// Of a collection that is made here if there is none.
  Metric metric_ = CollectionSpec{}.metric;
  std::size_t dimension_ = 0;
  bool embeds_ = false;
  /// Some point has metadata "source"; else there is nothing to compare with.
  bool has_sources_ = false;
};

}  // namespace quiver::app
