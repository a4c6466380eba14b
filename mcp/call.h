#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/call_context.h"
#include "core/json.h"
#include "mcp/json_rpc.h"
#include "mcp/log_level.h"

namespace quiver::mcp {

/// Something that only the client can say.
struct InputRequest {
  /// Names it among the others of the call.
  std::string key;
  /// elicitation/create, sampling/createMessage or roots/list.
  std::string method;
  Json params = Json::object();
};

/// A handler cannot go on without answers: it is run again, from its beginning, with them.
///
/// One way to ask serves every revision: legacy clients are sent requests and the call waits, the
/// modern call ends with resultType input_required and is repeated by the client.
struct InputRequired {
  /// May be empty if `state` is not null: then the client just repeats the call.
  std::vector<InputRequest> requests;
  /// Found again in Inputs::state. The client can read it but not change it; null: none.
  Json state = nullptr;
};

/// What a client has answered so far.
struct Inputs {
  /// By key: the result of the request, as the client sent it.
  std::map<std::string, Json> responses;
  Json state = nullptr;
};

/// One call of a tool, a prompt or a resource, as its handler sees it.
struct Call {
  /// An object.
  const Json& arguments;
  CallContext context;
  const Inputs& inputs;
  /// ClientCapabilities, as the client declared them.
  const Json& capabilities;
  /// Sends notifications/message if the client wants that level; else does nothing.
  std::function<void(LogLevel level, std::string_view logger, const Json& data)> log;
  /// Spares the client of a long call the open connection; see Outlet::detach(). May be null.
  std::function<bool()> detach = {};

  /// Whether the client can put a form before its user. One that names no mode has that one.
  bool can_elicit() const {
    const auto found = capabilities.find("elicitation");
    return found != capabilities.end() && found->is_object() &&
           (found->empty() || found->contains("form"));
  }
};

/// How a call ended: with what it is for, with a question, or with a protocol error.
template <typename T>
using Outcome = std::variant<T, InputRequired, RpcError>;

}  // namespace quiver::mcp
