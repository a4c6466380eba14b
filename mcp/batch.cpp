#include "mcp/batch.h"

#include <utility>

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
  if (request == nullptr || request->method != "initialize") return message;
  return Fault{std::move(request->id),
               {rpc::kInvalidRequest, "initialize cannot be part of a batch"}};
}

std::string batch_reply(const std::vector<std::string>& replies) {
  std::string text = "[";
  for (const auto& reply : replies) {
    if (text.size() > 1) text += ",";
    text += reply;
  }
  return text + "]";
}

}  // namespace quiver::mcp
