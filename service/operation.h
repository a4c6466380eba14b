#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/call_context.h"
#include "service/confirmation.h"
#include "service/engine.h"
#include "service/schema.h"

namespace quiver::service {

enum class Access { Read, Write, Admin };

/// Which group of tools an operation belongs to: what a client may switch on or off. Recovery has
/// what is for people in an emergency and no model needs to read all the time.
enum class Toolset { Memory, Collection, Vector, Cluster, Recovery };

/// What a call may do to what is stored; MCP's annotations follow from it.
struct Effects {
  bool destructive = false;
  /// Repeating the call changes nothing more.
  bool idempotent = false;
};

/// Where REST offers an operation. Names in braces are request fields taken from the path.
struct Route {
  std::string_view method;
  std::string_view path;
};

/// One thing the server can do, as every surface sees it: a name, two schemas and a function.
struct Operation {
  /// snake_case; also the name of the MCP tool.
  std::string name;
  /// A few words for people.
  std::string title;
  /// Addressed to the model that decides whether to call it; the first sentence must suffice.
  std::string description;
  Toolset toolset = Toolset::Memory;
  Access access = Access::Read;
  Effects effects;
  Route route;
  /// A second place, for one of what `route` gives all of. Without a path: there is none.
  Route one_route = {};
  /// Surfaces offer it; else they only use it themselves.
  bool shown = true;
  /// JSON Schema 2020-12 objects.
  Json request_schema;
  Json response_schema;
  std::function<Result<Json>(const CallContext&, Engine&, const Json& arguments)> invoke;
  /// What a surface that can ask a person has to ask before such a call; nothing if the call
  /// destroys nothing. Null: no call does. Errors: the arguments are wrong.
  std::function<Result<std::optional<Confirmation>>(const Json& arguments)> confirmation = nullptr;
  /// Properties of the request that listed_schema() leaves out.
  std::vector<std::string> unlisted = {};
};

/// The request's schema as a model is shown it.
Json listed_schema(const Operation& operation);

/// Names of the members of a request that are unlisted().
template <Described Request>
std::vector<std::string> unlisted_fields() {
  std::vector<std::string> out;
  std::apply(
      [&](const auto&... fields) {
        [[maybe_unused]] const auto add = [&](const auto& field) {
          if (!field.listed) out.emplace_back(field.name);
        };
        (add(fields), ...);
      },
      Request::fields());
  return out;
}

/// What an operation is, but for its types.
struct About {
  std::string_view name;
  std::string_view title;
  std::string_view description;
  Toolset toolset;
  Access access;
  Effects effects;
  Route route;
  bool shown = true;
  Route one_route = {};
};

/// Wraps a typed function; parsing and encoding follow from the descriptions of Request and
/// Response.
template <Described Request, Described Response>
Operation operation(const About& about,
                    Result<Response> (*run)(const CallContext&, Engine&, const Request&)) {
  return {std::string(about.name),
          std::string(about.title),
          std::string(about.description),
          about.toolset,
          about.access,
          about.effects,
          about.route,
          about.one_route,
          about.shown,
          schema_of<Request>(),
          schema_of<Response>(),
          [run](const CallContext& call, Engine& engine, const Json& arguments) -> Result<Json> {
            QV_TRY(const Request request, parse<Request>(arguments, ""));
            QV_TRY(const Response response, run(call, engine, request));
            return encode(response);
          },
          nullptr,
          unlisted_fields<Request>()};
}

/// The same for a function that destroys; `confirm` says of which calls a person is asked.
template <Described Request, Described Response>
Operation operation(const About& about,
                    Result<Response> (*run)(const CallContext&, Engine&, const Request&),
                    std::optional<Confirmation> (*confirm)(const Request&, const Json& arguments)) {
  Operation made = operation(about, run);
  made.confirmation = [confirm](const Json& arguments) -> Result<std::optional<Confirmation>> {
    QV_TRY(const Request request, parse<Request>(arguments, ""));
    return confirm(request, arguments);
  };
  return made;
}

}  // namespace quiver::service
