#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/coordination/store.h"
#include "cluster/upkeep/copy_poll.h"
#include "cluster/view/view_source.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/mutation.h"

namespace quiver::cluster {

/// That somebody accepted the loss of writes, key audit/force_promote/<id>. Written with the
/// promotion, in one transaction, and never changed.
struct ForcePromotionRecord {
  /// Of the request, or drawn: 32 hexadecimal digits.
  std::string id;
  std::string collection;
  std::string collection_id;
  ShardId shard{0};
  /// That became primary, where it is, and what its log ended with.
  CopyId copy;
  NodeId node;
  LogPosition last;
  /// That began with it.
  Term term{0};
  /// Sorted; that had all acknowledged writes before, the primary among them, and did not answer.
  std::vector<CopyId> given_up;
  /// In the words of who asked for it.
  std::string reason;
  std::int64_t at_ms = 0;

  bool operator==(const ForcePromotionRecord&) const = default;
  Json to_json() const;
  /// Errors: Corruption if to_json() does not make this.
  static Result<ForcePromotionRecord> from_json(const Json& json);
};

struct ForcePromotionRequest {
  std::string collection;
  ShardId shard{0};
  /// Whose copy it shall be; absent: the one with the longest log among those that answer, but none
  /// that was never filled.
  std::optional<NodeId> node;
  /// Must be true.
  bool accept_data_loss = false;
  std::string reason;
};

/// Makes a copy primary that is not in sync, when none that is will come back: acknowledged writes
/// may be lost. For people to decide, never for a machine.
///
/// Threads: any.
class ForcePromotion {
 public:
  /// All must outlive it.
  struct Parts {
    CoordinationStore& store;
    ViewSource& views;
    const Clock& clock;
    FanOut& fan_out;
    ReachNode reach;
    /// How long a server may take to say whether its copy is there.
    std::chrono::milliseconds patience{3'000};
    /// Behind an answer of the store that leaves open what was written; doubled for each further
    /// one, up to a second.
    std::chrono::milliseconds pause{50};
  };
  static constexpr std::size_t kReasonBytesMax = 1000;

  explicit ForcePromotion(Parts parts) : parts_(std::move(parts)) {}

  /// A repetition under the same request id of `call` changes nothing and answers what the first
  /// did.
  ///
  /// Errors: InvalidArgument without accept_data_loss, for a reason that is too long, or a request
  /// id that was used for another shard; NotFound if there is no such collection, shard, or copy on
  /// the node; FailedPrecondition if a copy that has all acknowledged writes answers, there is no
  /// other copy, or the collection wants but one; Unavailable if the copy, or any, does not answer,
  /// or the record changed meanwhile.
  Result<ForcePromotionRecord> run(const CallContext& call, const ForcePromotionRequest& request);
  /// All there ever were, the oldest first.
  Result<std::vector<ForcePromotionRecord>> list(const CallContext& call);

 private:
  struct Target;
  Result<Target> find(const CallContext& call, const ForcePromotionRequest& request);
  Result<CopyId> choose(const CallContext& call, const ForcePromotionRequest& request,
                        Target& target);
  Result<std::optional<ForcePromotionRecord>> find_record(const CallContext& call,
                                                          const std::string& id);
  Result<ForcePromotionRecord> write(const CallContext& call, const Target& target,
                                     const ForcePromotionRecord& record);

  const Parts parts_;
};

}  // namespace quiver::cluster
