#include "mcp/batch.h"

#include <utility>

#include "mcp/request_meta.h"

namespace quiver::mcp {

std::optional<Fault> batch_fault(const Json& messages, const Revision& revision) {
  if (!revision.batches) {
    return Fault{nullptr,
                 {rpc::kInvalidRequest, "batches are not part of " + std::string(revision.version) +
                                            ": send one message at a time"}};
  }
  if (messages.empty() || messages.size() > kBatchMessagesMax) {
    return Fault{nullptr,
                 {rpc::kInvalidRequest, "a batch has 1 to " + std::to_string(kBatchMessagesMax) +
                                            " messages, got " + std::to_string(messages.size())}};
  }
  return std::nullopt;
}

std::variant<Message, Fault> read_batched(Json json) {
  auto message = read_message(std::move(json));
  auto* known = std::get_if<Message>(&message);
  auto* request = known == nullptr ? nullptr : std::get_if<Request>(known);
  if (request == nullptr) return message;
  if (claimed_version(request->params) != nullptr) {
    // What its headers have to repeat, they can say of one request only.
    return Fault{std::move(request->id),
                 {rpc::kInvalidRequest,
                  "a request that names its protocolVersion in _meta cannot "
                  "be part of a batch: send it alone"}};
  }
  if (request->method != "initialize") return message;
  return Fault{std::move(request->id),
               {rpc::kInvalidRequest, "initialize cannot be part of a batch"}};
}

Batch::~Batch() {
  std::string text;
  for (const auto& reply : replies_) text += (text.empty() ? "[" : ",") + reply;
  if (!text.empty()) text += "]";
  out_->reply({std::move(text)});
}

void Batch::add(std::string reply) {
  const MutexLock lock(mutex_);
  replies_.push_back(std::move(reply));
}

bool Batch::tell(const std::string& message) {
  const MutexLock lock(mutex_);
  return out_->tell(message);
}

bool Batch::send(const std::string& message) {
  const MutexLock lock(mutex_);
  return out_->send(message);
}

}  // namespace quiver::mcp
