#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "mcp/json_rpc.h"
#include "mcp/revision.h"

/// Batches of messages, which revision 2025-03-26 alone has.
namespace quiver::mcp {

/// Each message costs a reply that is held until the last is there.
inline constexpr std::size_t kBatchMessagesMax = 100;

/// What is wrong with a JSON array as a batch under `revision`, if anything.
std::optional<Fault> batch_fault(const Json& messages, const Revision& revision);

/// read_message() for one of a batch: a handshake cannot be part of one.
std::variant<Message, Fault> read_batched(Json json);

/// The replies to one batch as one message.
std::string batch_reply(const std::vector<std::string>& replies);

}  // namespace quiver::mcp
