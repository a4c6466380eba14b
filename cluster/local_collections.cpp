#include "cluster/local_collections.h"

#include <set>
#include <utility>

#include "cluster/catalogue.h"
#include "cluster/coordination/embedded_store.h"
#include "cluster/local_copies.h"
#include "cluster/membership_file.h"
#include "cluster/node_identity.h"
#include "cluster/placement/slots.h"
#include "cluster/shard_host.h"
#include "cluster/view/keys.h"

namespace quiver::cluster {
namespace {

// Threads for the shards of one call: this node's processors bound what more could bring.
constexpr std::size_t kFanOutThreads = 4;

/// A server that is alone is always there.
Status register_alone(CoordinationStore& store, const NodeId& self, std::int64_t now_ms) {
  const CallContext call;
  NodeRecord record;
  record.id = self;
  record.label = "local";
  record.version = QV_VERSION;
  record.state = NodeState::Active;
  record.joined_at_ms = now_ms;
  QV_TRY(const auto slots, with_slot({}, self));
  const std::string key = keys::node(self);
  QV_TRY(const auto result,
         decided(store.txn(call, {{key, Revision{0}}, {std::string(keys::kSlots), Revision{0}}},
                           {{key, record.to_json().dump()},
                            {std::string(keys::kSlots), slots.to_json().dump()}})));
  if (result == TxnOutcome::Done) return Done{};
  QV_TRY(const auto nodes, store.list(call, keys::kNodes));
  std::string owner = "another server";
  for (const auto& entry : nodes.entries) {
    if (entry.key == key) return Done{};
    owner = "the server " + entry.key.substr(keys::kNodes.size());
  }
  return Error{ErrorCode::FailedPrecondition,
               "the catalogue of the data directory belongs to " + owner +
                   ", but its file NODE names " + self.text +
                   ": if the file was lost or replaced, write the former id into it"};
}

}  // namespace

class LocalCollections::Opened {
 public:
  static Result<std::shared_ptr<Opened>> open(const LocalCollections& owner) {
    QV_CHECK(check_alone(owner.data_dir_));
    const auto meta = owner.data_dir_ / "meta";
    // Touched before all else: where the directory cannot be used, nothing is left behind.
    QV_TRY(auto store, EmbeddedStore::open(meta));
    QV_TRY(auto self, node_identity(owner.data_dir_));
    QV_CHECK(register_alone(*store, self, owner.clock_.wall_ms()));
    QV_TRY(auto views, ViewSource::open(*store, CallContext{}));
    auto out = std::make_shared<Opened>(owner, std::move(store), std::move(views), std::move(self));
    const auto everybody_is_up = [](const ClusterView& /*view*/) { return Liveness{}; };
    out->catalogue_ = std::make_unique<Catalogue>(
        Catalogue::Parts{*out->store_, *out->views_, out->copies_, out->fan_out_, owner.clock_,
                         everybody_is_up, out});
    QV_CHECK(out->catalogue_->abandon_creations(CallContext{}, out->self_));
    out->tidy(CallContext{});
    QV_CHECK(out->check_complete(owner.data_dir_));
    return out;
  }

  Opened(const LocalCollections& owner, std::unique_ptr<EmbeddedStore> store,
         std::unique_ptr<ViewSource> views, NodeId self)
      : self_(std::move(self)),
        store_(std::move(store)),
        views_(std::move(views)),
        shards_(owner.data_dir_ / "shards", owner.options_, owner.clock_),
        host_(shards_, owner.clock_, {owner.options_.open_shards}),
        copies_(host_, nullptr, self_),
        fan_out_(kFanOutThreads) {}

  Catalogue& catalogue() noexcept { return *catalogue_; }
  ShardHost& host() noexcept { return host_; }
  std::shared_ptr<const ClusterView> view() const { return views_->current(); }
  void tidy(const CallContext& call) {
    catalogue_->tidy(call, self_,
                     [this](const std::string& id) { return host_.drop_collection(id); });
  }

 private:
  /// Errors: Corruption if there are files of a collection that the catalogue does not name.
  Status check_complete(const std::filesystem::path& data_dir) const {
    // Files are made after the entry and removed before it. Without this check a damaged
    // catalogue, of which the database below may notice nothing, would pass for one without
    // collections.
    const auto view = views_->current();
    std::set<std::string> known;
    for (const auto& [unused, collection] : view->collections) known.insert(collection->spec.id);
    for (const auto& [id, unused] : view->dropping) known.insert(id);
    QV_TRY(const auto stored, shards_.collections());
    for (const auto& id : stored) {
      if (known.contains(id)) continue;
      return Error{ErrorCode::Corruption,
                   "the catalogue in " + (data_dir / "meta").string() +
                       " is damaged: it lacks the collection whose files are in " +
                       (data_dir / "shards" / id).string() +
                       ". Restore it from a backup, or move that directory away to go on without "
                       "the collection"};
    }
    return Done{};
  }

  const NodeId self_;
  const std::unique_ptr<EmbeddedStore> store_;
  const std::unique_ptr<ViewSource> views_;
  storage::ShardStore shards_;
  ShardHost host_;
  LocalCopies copies_;
  FanOut fan_out_;
  std::unique_ptr<Catalogue> catalogue_;
};

LocalCollections::LocalCollections(std::filesystem::path data_dir, const storage::Options& options,
                                   const Clock& clock)
    : data_dir_(std::move(data_dir)), options_(options), clock_(clock) {}

LocalCollections::~LocalCollections() {
  close();
}

Result<std::shared_ptr<LocalCollections::Opened>> LocalCollections::opened() {
  const std::lock_guard lock(mutex_);
  if (closed_) return Error{ErrorCode::Unavailable, "the server is stopping; try again later"};
  if (!opened_) {
    QV_TRY(opened_, Opened::open(*this));
  }
  return opened_;
}

std::shared_ptr<LocalCollections::Opened> LocalCollections::opened_before() const {
  const std::lock_guard lock(mutex_);
  return opened_;
}

Result<std::shared_ptr<Collection>> LocalCollections::find(std::string_view name) {
  QV_TRY(const auto parts, opened());
  return parts->catalogue().find(name);
}

Result<Collections::Created> LocalCollections::create(const CallContext& call,
                                                      CollectionSpec spec) {
  QV_TRY(const auto parts, opened());
  return parts->catalogue().create(call, std::move(spec));
}

Result<std::optional<std::uint64_t>> LocalCollections::drop(const CallContext& call,
                                                            std::string_view name) {
  QV_TRY(const auto parts, opened());
  QV_TRY(const auto points, parts->catalogue().drop(call, name));
  parts->tidy(CallContext{});
  return points;
}

Result<std::vector<CollectionSpec>> LocalCollections::list() {
  QV_TRY(const auto parts, opened());
  return parts->catalogue().list();
}

Result<std::shared_ptr<const ClusterView>> LocalCollections::view() {
  QV_TRY(const auto parts, opened());
  return parts->view();
}

bool LocalCollections::purge_expired() {
  const auto parts = opened_before();
  return parts && parts->host().purge_expired();
}

std::size_t LocalCollections::open_shards() const {
  const auto parts = opened_before();
  return parts ? parts->host().open_copies() : 0;
}

void LocalCollections::close() {
  std::shared_ptr<Opened> parts;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    parts = std::move(opened_);
  }
  if (parts) parts->host().close();
}

}  // namespace quiver::cluster
