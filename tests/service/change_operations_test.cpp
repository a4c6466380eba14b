// What each operation tells of, beside what it did: compared with what a reader of the collection
// would find different.

#include <string>
#include <vector>

#include "world.h"

namespace quiver::service {
namespace {

class Watched : public World {
 public:
  /// What was told since the last time: "+name" of a collection, "name" of its points.
  std::vector<std::string> told() { return std::exchange(told_, {}); }

 private:
  std::vector<std::string> told_;
  ChangeSubscription subscription_ = executor.subscribe([this](const Change& change) {
    told_.push_back((change.kind == Change::Kind::CollectionsChanged ? "+" : "") +
                    change.collection);
  });
};

using Told = std::vector<std::string>;

Json upsert(const std::string& collection, const Json& vector) {
  return {{"collection", collection}, {"points", Json::array({{{"id", 1}, {"vector", vector}}})}};
}

TEST_CASE("operations tell what they changed, and only that", "[service][changes]") {
  Watched w;
  w.ok("memory_store", {{"items", {{{"text", "a cat"}}}}});
  CHECK(w.told() == Told{"+memory", "memory"});
  w.ok("memory_store", {{"items", {{{"text", "a cat"}}}}});
  CHECK(w.told().empty());
  w.ok("memory_store", {{"items", {{{"text", "a dog"}, {"id", "d"}}}}});
  CHECK(w.told() == Told{"memory"});

  w.ok("collection_create", {{"name", "raw"}, {"dimension", 2}});
  CHECK(w.told() == Told{"+raw"});
  w.ok("collection_create", {{"name", "raw"}, {"dimension", 2}});
  CHECK(w.told().empty());
  w.ok("vector_upsert", upsert("raw", {1, 0}));
  CHECK(w.told() == Told{"raw"});

  w.ok("memory_delete", {{"ids", {"absent"}}});
  w.ok("memory_delete", {{"filter", {{"a", {{"$exists", false}}}}}});
  CHECK(w.told().empty());
  w.ok("memory_delete", {{"ids", {"d"}}});
  CHECK(w.told() == Told{"memory"});
  w.ok("memory_delete", {{"filter", {{"a", {{"$exists", false}}}}}, {"dry_run", false}});
  CHECK(w.told() == Told{"memory"});

  w.ok("collection_delete", {{"collection", "raw"}, {"confirm", "raw"}});
  CHECK(w.told() == Told{"+raw"});
}

TEST_CASE("reading and refused writes tell nothing", "[service][changes]") {
  Watched w;
  w.ok("memory_store", {{"items", {{{"text", "a cat"}}}}});
  w.told();
  w.ok("memory_search", {{"query", "cat"}});
  w.ok("memory_get", {{"ids", {"x"}}});
  w.ok("collection_list", Json::object());
  w.ok("collection_info", {{"collection", "memory"}});
  w.ok("vector_scroll", {{"collection", "memory"}});
  w.refused("vector_upsert", upsert("none", {1, 0}));
  w.refused("vector_upsert", upsert("memory", {1, 0}));
  w.refused("collection_delete", {{"collection", "none"}, {"confirm", "none"}});
  CHECK(w.told().empty());
}

TEST_CASE("a write that failed half way is told, one that was refused is not",
          "[service][changes]") {
  Watched w;
  w.ok("collection_create", {{"name", "raw"}, {"dimension", 2}});
  w.told();
  const auto fails_with = [&](ErrorCode code) {
    w.collections.at("raw").fail = Error{code, "shard 1 of 2"};
    w.refused("vector_upsert", upsert("raw", {1, 0}));
    return w.told();
  };
  for (const auto code : {ErrorCode::Unavailable, ErrorCode::DeadlineExceeded, ErrorCode::Internal,
                          ErrorCode::ResourceExhausted}) {
    CHECK(fails_with(code) == Told{"raw"});
  }
  for (const auto code : {ErrorCode::InvalidArgument, ErrorCode::FailedPrecondition,
                          ErrorCode::PermissionDenied, ErrorCode::NotFound}) {
    CHECK(fails_with(code).empty());
  }
}

}  // namespace
}  // namespace quiver::service
