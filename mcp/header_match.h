#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/http.h"
#include "mcp/json_rpc.h"
#include "mcp/tool.h"

/// Whether the headers of a modern request say what its body says: between us and the client,
/// others may have acted on them.
///
/// Source: MCP 2026-07-28, basic/transports/streamable-http: standard headers, custom headers from
/// tool parameters.
namespace quiver::mcp {

/// An argument of a tool that clients repeat in a header.
struct ParamHeader {
  /// In lower case, as in "mcp-param-region".
  std::string name;
  /// Where the argument is: keys of nested objects.
  std::vector<std::string> path;
};

/// The arguments that a schema marks with x-mcp-header. A mark that clients must not follow, since
/// its name is no header's, is taken, or its value is not a plain one, marks nothing.
std::vector<ParamHeader> param_headers(const Json& input_schema);

/// What the headers of requests are compared with.
///
/// Threads: any; unchanged after construction.
class HeaderMatch {
 public:
  explicit HeaderMatch(const std::vector<Tool>& tools);

  /// What does not match, if anything. `version` is a string, the one that the request claims.
  std::optional<RpcError> fault(const HttpRequest& http, const Request& request,
                                const Json& version) const;

 private:
  std::optional<RpcError> param_fault(const HttpRequest& http, const Json& params) const;

  std::map<std::string, std::vector<ParamHeader>, std::less<>> tools_;
};

}  // namespace quiver::mcp
