#include "cluster/seeds.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "thrift/address.h"

namespace quiver::cluster {
namespace {

// The one that is asked greets this server, too.
constexpr std::chrono::milliseconds kAskTime{5'000};

bool is_refusal(const Error& error) {
  return error.code == ErrorCode::PermissionDenied || error.code == ErrorCode::FailedPrecondition ||
         error.code == ErrorCode::InvalidArgument;
}

std::chrono::steady_clock::time_point soon(const CallContext& call) {
  const auto until = std::chrono::steady_clock::now() + kAskTime;
  return call.deadline ? std::min(*call.deadline, until) : until;
}

}  // namespace

Result<std::vector<std::string>> seeds_of(const CallContext& call, const ClusterOptions& options) {
  std::vector<std::string> out = options.nodes;
  if (options.discovery == "dns") {
    QV_TRY(const auto name, parse_address(options.dns_name));
    const thrift::Resolver resolver(name.host, name.port);
    auto found = resolver.resolve(soon(call), call.cancel);
    if (!found.ok()) {
      return Error{ErrorCode::Unavailable,
                   "cluster.dns_name " + options.dns_name + ": " + found.error().message};
    }
    for (const auto& address : *found) out.push_back(address.display());
  }
  std::erase(out, options.rpc_address());
  return out;
}

Result<thrift::Welcome> ask_seeds(const CallContext& call, Peers& peers,
                                  const std::vector<std::string>& seeds,
                                  const thrift::JoinCall& request) {
  std::string why;
  for (const auto& seed : seeds) {
    QV_CHECK(call.check());
    QV_TRY(const auto client, peers.client_at(seed));
    thrift::NodeCall ask;
    ask.context = call;
    ask.context.deadline = soon(call);
    ask.caller = request.node.id;
    auto reply = client->join(ask, request);
    if (reply.ok()) return std::move(reply.result);
    const auto& error = reply.error();
    const std::string who = "the server at " + seed;
    if (is_refusal(error)) {
      return Error{error.code, who + " does not take this one: " + error.message};
    }
    why += (why.empty() ? "" : "; ") + who + ": " + error.message;
  }
  if (why.empty()) why = "there is no other server to ask";
  return Error{ErrorCode::Unavailable, std::move(why)};
}

}  // namespace quiver::cluster
