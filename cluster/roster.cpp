#include "cluster/roster.h"

#include <algorithm>
#include <utility>

#include "cluster/placement/slots.h"
#include "cluster/view/keys.h"

namespace quiver::cluster {
namespace {

template <typename Record>
Result<Record> record_of(const Entry& entry) {
  auto record = Record::from_json(Json::parse(entry.value, nullptr, false));
  if (record.ok()) return record;
  return Error{record.error().code, "key " + entry.key + ": " + record.error().message};
}

Error refused(std::string why) {
  return {ErrorCode::FailedPrecondition, std::move(why)};
}

}  // namespace

Result<Roster> Roster::read(const CallContext& call, CoordinationStore& store) {
  // One listing, so that all of it is of one revision.
  QV_TRY(const auto listing, store.list(call, ""));
  Roster out;
  for (const auto& entry : listing.entries) {
    if (entry.key.starts_with(keys::kNodes)) {
      QV_TRY(auto record, record_of<NodeRecord>(entry));
      auto id = record.id;
      out.nodes.emplace(std::move(id), Seat{std::move(record), entry.revision});
    } else if (entry.key == keys::kSlots) {
      QV_TRY(out.slots, record_of<SlotList>(entry));
      out.slots_revision = entry.revision;
    } else if (entry.key == keys::kCluster) {
      QV_TRY(out.cluster, record_of<ClusterRecord>(entry));
    }
  }
  return out;
}

Error address_taken(const NodeRecord& other) {
  return refused(
      "the address " + other.rpc_address + " is that of server " + other.label + " (" +
      other.id.text +
      "), whose data is not in this directory: if its disk was wiped or replaced, remove "
      "that server from the cluster first; else start it with its own data directory, "
      "or correct cluster.advertise_host");
}

Status may_enter(const Roster& roster, const NodeRecord& self) {
  for (const auto& [id, seat] : roster.nodes) {
    const auto& other = seat.record;
    const bool removed = other.state == NodeState::Removed;
    if (id == self.id && removed) {
      return refused("this server (" + id.text +
                     ") was removed from the cluster and may not come back under its id; to add it "
                     "as a new one, start it with an empty data directory");
    }
    if (id == self.id || removed) continue;
    if (other.rpc_address == self.rpc_address) {
      return address_taken(other);
    }
    if (other.label == self.label) {
      return refused("the label \"" + self.label + "\" is that of the server at " +
                     other.rpc_address + ": choose another by cluster.label");
    }
  }
  return Done{};
}

Result<Registration> registration(const Roster& roster, NodeRecord self) {
  Registration out;
  const auto seat = roster.nodes.find(self.id);
  const bool is_new = seat == roster.nodes.end();
  if (!is_new) {
    self.state = seat->second.record.state;
    self.joined_at_ms = seat->second.record.joined_at_ms;
  }
  const auto& slots = roster.slots.slots;
  const bool has_slot = std::find(slots.begin(), slots.end(), self.id) != slots.end();
  if (!is_new && has_slot && self == seat->second.record) return out;
  SlotList places = roster.slots;
  if (!has_slot) {
    QV_TRY(places, with_slot(std::move(places), self.id));
  }
  const std::string key = keys::node(self.id);
  out.compares = {{key, is_new ? Revision{0} : seat->second.revision},
                  {std::string(keys::kSlots), roster.slots_revision}};
  out.puts = {{key, self.to_json().dump()}, {std::string(keys::kSlots), places.to_json().dump()}};
  return out;
}

}  // namespace quiver::cluster
