#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "cluster/view/records.h"
#include "core/call_context.h"
#include "core/mutex.h"

namespace quiver::cluster {

/// The calls that wait for other servers: those to a server that is found to be down end then, not
/// at their deadlines, and no new ones begin until it is up again.
///
/// Threads: any. Must outlive what begin() gave out.
class CallsUnderWay {
 public:
  /// One call, until it is destroyed. Not for two threads.
  class Call {
   public:
    ~Call();
    Call(Call&& other) noexcept;
    Call& operator=(Call&&) = delete;

    /// As the caller's, but its token also fires once the server is down.
    const CallContext& context() const noexcept { return context_; }
    /// Why the call was ended; nothing if it was not, or by somebody else.
    std::optional<std::string> ended() const;

   private:
    friend class CallsUnderWay;
    struct Entry;
    Call(CallsUnderWay* owner, std::shared_ptr<Entry> entry, CallContext context,
         CancelWatch watch);

    CallsUnderWay* owner_;
    std::shared_ptr<Entry> entry_;
    CallContext context_;
    CancelWatch watch_;
  };

  /// Errors: Unavailable, with the reason, while the server is down.
  Result<Call> begin(const NodeId& node, const CallContext& call);
  /// Ends all calls to the server. `why` is for people.
  void down(const NodeId& node, std::string why);
  /// Also for a server that has left.
  void up(const NodeId& node);

 private:
  Mutex mutex_;
  std::map<NodeId, std::string> down_ QV_GUARDED_BY(mutex_);
  std::map<NodeId, std::set<std::shared_ptr<Call::Entry>>> calls_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::cluster
