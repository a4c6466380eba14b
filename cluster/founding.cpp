#include "cluster/founding.h"

#include <utility>

#include "cluster/coordination/embedded_store.h"
#include "cluster/membership_file.h"
#include "cluster/view/keys.h"
#include "core/log.h"

namespace quiver::cluster {
namespace {

// Attempts at a change that others were quicker with each time.
constexpr int kAttempts = 20;

Error refused(std::string why) {
  return {ErrorCode::FailedPrecondition, std::move(why)};
}

/// Without who is in the cluster: that a server was alone is no news for one.
class Catalogued final : public CoordinationStore {
 public:
  explicit Catalogued(CoordinationStore& all) : all_(all) {}

  Result<std::optional<Entry>> get(const CallContext& call, std::string_view key) override {
    if (!is_of_catalogue(key)) return std::optional<Entry>();
    return all_.get(call, key);
  }
  Result<Listing> list(const CallContext& call, std::string_view prefix) override {
    QV_TRY(auto listing, all_.list(call, prefix));
    std::erase_if(listing.entries, [](const Entry& entry) { return !is_of_catalogue(entry.key); });
    return listing;
  }
  Result<TxnResult> txn(const CallContext& call, const std::vector<Compare>& compares,
                        const std::vector<Put>& puts) override {
    return all_.txn(call, compares, puts);
  }
  Result<std::unique_ptr<Lease>> grant(const CallContext& call, std::chrono::seconds ttl,
                                       LeaseLost on_lost) override {
    return all_.grant(call, ttl, std::move(on_lost));
  }
  Result<std::unique_ptr<Watch>> watch(std::string_view prefix, Revision after,
                                       WatchCallback callback) override {
    return all_.watch(prefix, after, std::move(callback));
  }

 private:
  static bool is_of_catalogue(std::string_view key) {
    return !key.starts_with("meta/") && !key.starts_with(keys::kNodes) &&
           !key.starts_with(keys::kAlive);
  }

  CoordinationStore& all_;
};

/// Their ids are drawn at random: one that `store` has is this one.
Status check_new(const CallContext& call, CoordinationStore& catalogue, CoordinationStore& store) {
  QV_TRY(const auto specs, catalogue.list(call, keys::kSpecs));
  for (const auto& entry : specs.entries) {
    QV_TRY(const auto there, store.get(call, entry.key));
    if (!there) continue;
    return refused(
        "the collections of this data directory are in the cluster already: it is a copy of the "
        "directory of a server that is its member. Nothing was changed; a further server begins "
        "with an empty directory");
  }
  return Done{};
}

}  // namespace

Result<ClusterRecord> found_cluster(const CallContext& call, CoordinationStore& store,
                                    const Clock& clock, const std::string& name,
                                    const std::string& expected_id) {
  const std::string key(keys::kCluster);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    QV_TRY(const auto there, store.get(call, key));
    if (there) {
      QV_TRY(auto cluster, ClusterRecord::from_json(Json::parse(there->value, nullptr, false)));
      if (cluster.layout != ClusterRecord::kLayout) {
        return refused("the coordination store has layout " + std::to_string(cluster.layout) +
                       ", this version knows layout " + std::to_string(ClusterRecord::kLayout));
      }
      if (expected_id.empty() || cluster.id == expected_id) return cluster;
      return refused("the data directory belongs to another cluster (" + expected_id +
                     ") than the coordination store (" + cluster.id +
                     "), though both have the name " + name);
    }
    if (!expected_id.empty()) {
      return refused("the data directory belongs to the cluster " + name + " (" + expected_id +
                     "), of which the coordination store knows nothing: look at its address, or "
                     "restore it from a snapshot");
    }
    const ClusterRecord founded{RequestId::random().hex(), name, ClusterRecord::kLayout,
                                clock.wall_ms()};
    QV_TRY(const auto result,
           store.txn(call, {{key, Revision{0}}}, {{key, founded.to_json().dump()}}));
    if (result == TxnOutcome::Done) {
      QV_LOG_INFO("cluster_founded name={} id={}", name, founded.id);
      return founded;
    }
  }
  return Error{ErrorCode::Unavailable, "the coordination store keeps changing; try again"};
}

Result<Migrated> move_in(const CallContext& call, const std::filesystem::path& data_dir,
                         CoordinationStore& store, const Clock& clock, const std::string& name) {
  QV_TRY(const auto before, MembershipFile::read(data_dir));
  if (before && before->cluster != name) {
    return refused("the data directory belongs to the cluster " + before->cluster + ", not to " +
                   name);
  }
  QV_TRY(const auto cluster,
         found_cluster(call, store, clock, name, before ? before->cluster_id : ""));
  if (before && !before->is_moving_in) return Migrated{};
  QV_TRY(const auto alone, EmbeddedStore::open(data_dir / "meta"));
  Catalogued catalogue(*alone);
  if (!before) QV_CHECK(check_new(call, catalogue, store));
  MembershipFile file{name, cluster.id, true};
  // From here on nobody changes the catalogue that is copied.
  QV_CHECK(file.write(data_dir));
  QV_TRY(const auto moved, migrate(call, catalogue, store));
  file.is_moving_in = false;
  QV_CHECK(file.write(data_dir));
  return moved;
}

}  // namespace quiver::cluster
