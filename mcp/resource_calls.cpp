// resources/list, resources/templates/list and resources/read.

#include <utility>

#include "mcp/conclude.h"
#include "mcp/fields.h"
#include "mcp/params.h"
#include "mcp/request_meta.h"
#include "mcp/server.h"

namespace quiver::mcp {
namespace {

/// Ours are short, but ids may be part of one, percent-encoded.
constexpr std::size_t kCursorBytesMax = 4096;

const Json& no_arguments() {
  static const Json none = Json::object();
  return none;
}

Result<std::optional<std::string>> cursor_of(const Json& params) {
  if (!params.contains("cursor")) return std::optional<std::string>();
  QV_TRY(std::string cursor, string_param(params, "cursor", kCursorBytesMax));
  return std::optional(std::move(cursor));
}

Outcome<ResourceContents> read_from(Resources& resources, Call& call, const std::string& uri,
                                    const RpcError& not_found) {
  auto outcome = resources.read(call, uri);
  if (!outcome) return not_found;
  const auto* result = std::get_if<ResourceContents>(&*outcome);
  // Clients would take nothing for an empty resource.
  if (result != nullptr && result->contents.empty()) return not_found;
  return *std::move(outcome);
}

}  // namespace

RpcError resource_not_found(const std::string& uri, const Revision& revision) {
  return {revision.era == Era::Modern ? rpc::kInvalidParams : rpc::kResourceNotFound,
          "resource not found: " + display(uri) +
              "; resources/list and resources/templates/list name what there is",
          {{"uri", uri}}};
}

void Server::list_resources(const TurnPtr& turn) const {
  auto cursor = cursor_of(turn->request.params);
  auto token = progress_token(turn->request.params);
  if (!cursor.ok()) return fail(turn, rpc_error(cursor.error()));
  if (!token.ok()) return fail(turn, rpc_error(token.error()));
  Call call = call_of(turn, no_arguments(), *token);
  const auto page = offer_.resources->list(call, *cursor);
  if (!page.ok()) return fail(turn, rpc_error(page.error()));
  std::string members = "\"resources\":" + to_text(fit_list(page->resources, *turn->revision));
  if (!page->next_cursor.empty()) {
    members += ",\"nextCursor\":" + to_text(Json(page->next_cursor));
  }
  turn->finish(complete(*turn, members.append(data_hints(*turn->revision))));
}

void Server::list_templates(const TurnPtr& turn) const {
  if (const Status fault = one_page(turn->request.params); !fault.ok()) {
    return fail(turn, rpc_error(fault.error()));
  }
  const std::string list = to_text(fit_list(offer_.resources->templates(), *turn->revision));
  turn->finish(
      complete(*turn, ("\"resourceTemplates\":" + list).append(static_hints(*turn->revision))));
}

void Server::read_resource(const TurnPtr& turn) const {
  const auto uri = string_param(turn->request.params, "uri", kUriBytesMax);
  auto token = progress_token(turn->request.params);
  if (!uri.ok()) return fail(turn, rpc_error(uri.error()));
  if (!token.ok()) return fail(turn, rpc_error(token.error()));
  if (!read_turn_inputs(turn)) return;
  conclude<ResourceContents>(
      turn, Json::object(), *std::move(token),
      [this, uri = *uri, missing = resource_not_found(*uri, *turn->revision)](Call& call) {
        return read_from(*offer_.resources, call, uri, missing);
      },
      [this, turn](const ResourceContents& result) {
        std::string members =
            "\"contents\":" + to_text(fit_contents(result.contents, *turn->revision));
        return members.append(data_hints(*turn->revision));
      });
}

}  // namespace quiver::mcp
