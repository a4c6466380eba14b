#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/mutex.h"
#include "mcp/json_rpc.h"
#include "mcp/outlet.h"
#include "mcp/revision.h"

/// Batches of messages, which revision 2025-03-26 alone has.
namespace quiver::mcp {

/// Each message costs a reply that is held until the last is there.
inline constexpr std::size_t kBatchMessagesMax = 100;

/// What is wrong with a JSON array as a batch under `revision`, if anything.
std::optional<Fault> batch_fault(const Json& messages, const Revision& revision);

/// read_message() for one of a batch: a handshake cannot be part of one.
std::variant<Message, Fault> read_batched(Json json);

/// Gathers the replies to the messages of one batch, and sends them together once the last owner
/// has let go of it.
///
/// Threads: any.
class Batch {
 public:
  /// `out` sends what belongs to the batch; its reply, one JSON array, is empty if nothing in the
  /// batch was to be answered.
  explicit Batch(std::shared_ptr<Outlet> out) : out_(std::move(out)) {}
  ~Batch();
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  void add(std::string reply) QV_EXCLUDES(mutex_);
  bool tell(const std::string& message) QV_EXCLUDES(mutex_);
  bool send(const std::string& message) QV_EXCLUDES(mutex_);

 private:
  const std::shared_ptr<Outlet> out_;
  Mutex mutex_;
  std::vector<std::string> replies_ QV_GUARDED_BY(mutex_);
};

/// The way back for one request of a batch.
class BatchOutlet final : public Outlet {
 public:
  explicit BatchOutlet(std::shared_ptr<Batch> batch) : batch_(std::move(batch)) {}

  bool tell(const std::string& message) override { return batch_->tell(message); }
  bool send(const std::string& message) override { return batch_->send(message); }
  void reply(Reply reply) override { batch_->add(std::move(reply.text)); }

 private:
  const std::shared_ptr<Batch> batch_;
};

}  // namespace quiver::mcp
