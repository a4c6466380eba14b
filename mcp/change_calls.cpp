// resources/subscribe and resources/unsubscribe, and subscriptions/listen in their place since
// 2026-07-28.

#include <utility>

#include "mcp/about.h"
#include "mcp/params.h"
#include "mcp/server.h"

namespace quiver::mcp {
namespace {

/// The kinds of list that an offer has.
std::set<Event::Kind> lists_of(const Offer& offer) {
  std::set<Event::Kind> lists;
  if (!offer.tools.empty()) lists.insert(Event::Kind::ToolsChanged);
  if (!offer.prompts.empty()) lists.insert(Event::Kind::PromptsChanged);
  if (offer.resources) lists.insert(Event::Kind::ResourcesChanged);
  return lists;
}

/// The part of `asked` that the offer can tell of.
ListenFilter honoured(const ListenFilter& asked, const Offer& offer) {
  ListenFilter filter;
  const auto lists = lists_of(offer);
  for (const Event::Kind kind : asked.lists) {
    if (lists.contains(kind)) filter.lists.insert(kind);
  }
  if (!asked.uris || !offer.resources) return filter;
  filter.uris.emplace();
  for (const std::string& uri : *asked.uris) {
    if (offer.resources->can_subscribe(uri)) filter.uris->push_back(uri);
  }
  return filter;
}

}  // namespace

Result<std::shared_ptr<Subscription>> Server::subscription_of(
    const std::shared_ptr<Session>& session) const {
  if (auto known = session->subscription()) return known;
  QV_TRY(auto made, offer_.hub->subscribe(
                        lists_of(offer_), [weak = std::weak_ptr(session)](const Event& event) {
                          const auto told = weak.lock();
                          return told == nullptr ? Told::Yes : told->push(notification_of(event));
                        }));
  session->subscribe(made);
  return made;
}

void Server::subscribe(const TurnPtr& turn) const {
  const auto uri = string_param(turn->request.params, "uri", kUriBytesMax);
  if (!uri.ok()) return fail(turn, rpc_error(uri.error()));
  if (!offer_.resources->can_subscribe(*uri)) {
    RpcError error = resource_not_found(*uri, *turn->revision);
    error.message = "cannot be subscribed to: " + display(*uri);
    return fail(turn, error);
  }
  if (turn->session) {
    const auto subscription = subscription_of(turn->session);
    const Status watched =
        subscription.ok() ? (*subscription)->watch(*uri) : Status(subscription.error());
    if (!watched.ok()) return fail(turn, rpc_error(watched.error()));
    offer_.resources->follow();
  }
  turn->finish(complete(*turn, ""));
}

void Server::unsubscribe(const TurnPtr& turn) const {
  const auto uri = string_param(turn->request.params, "uri", kUriBytesMax);
  if (!uri.ok()) return fail(turn, rpc_error(uri.error()));
  const auto subscription = turn->session ? turn->session->subscription() : nullptr;
  if (subscription) subscription->unwatch(*uri);
  turn->finish(complete(*turn, ""));
}

void Server::listen(const TurnPtr& turn) const {
  const auto asked = read_listen_filter(turn->request.params);
  if (!asked.ok()) return fail(turn, rpc_error(asked.error()));
  if (asked->task_ids && !knows_tasks(turn)) return;
  ListenFilter filter = honoured(*asked, offer_);
  if (asked->task_ids) {
    filter.task_ids.emplace();
    for (const std::string& id : *asked->task_ids) {
      if (tasks_.find(id)) filter.task_ids->push_back(id);
    }
  }
  if (!begin(*turn)) return;
  const Status opened = listens_->open(turn, filter);
  if (!opened.ok()) return fail(turn, rpc_error(opened.error()));
  const bool of_resources = filter.uris && !filter.uris->empty();
  if (of_resources || filter.lists.contains(Event::Kind::ResourcesChanged)) {
    offer_.resources->follow();
  }
  // What happened to them before this is not told again.
  for (const std::string& id : filter.task_ids.value_or(std::vector<std::string>())) {
    offer_.hub->publish({Event::Kind::TaskChanged, id});
  }
}

std::string Server::change_text(const Event& event, const Json& meta) const {
  if (event.kind != Event::Kind::TaskChanged) return notification_of(event, meta);
  const auto task = tasks_.find(event.subject);
  if (!task) return "";
  return R"({"jsonrpc":"2.0","method":"notifications/tasks","params":{)" +
         tasks_.detailed_members(*task) + ",\"_meta\":" + to_text(meta) + "}}";
}

void Server::close_listen(Turn& turn, const Json& meta) const {
  Json all = meta;
  all["io.modelcontextprotocol/serverInfo"] = server_info(offer_.about, *turn.revision);
  const Json result{{"resultType", "complete"}, {"_meta", std::move(all)}};
  turn.finish({result_reply(turn.request.id, to_text(result))});
}

void Server::end_listens(const Session& session) const {
  if (listens_) listens_->end_session(session);
}

}  // namespace quiver::mcp
