#include "cluster/peers.h"

#include <charconv>
#include <system_error>
#include <utility>

#include "core/text.h"

namespace quiver::cluster {
namespace {

Error bad_address(std::string_view address) {
  return {ErrorCode::InvalidArgument,
          "address: host:port such as 10.0.0.1:7700 or [::1]:7700, got \"" +
              std::string(utf8_prefix(address, 80)) + '"'};
}

}  // namespace

Result<thrift::PeerAddress> parse_address(std::string_view address) {
  const auto colon = address.rfind(':');
  if (colon == std::string_view::npos) return bad_address(address);
  auto host = address.substr(0, colon);
  const auto digits = address.substr(colon + 1);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host.empty() || (!bracketed && host.find_first_of(":[]") != std::string_view::npos)) {
    return bad_address(address);
  }
  std::uint16_t port = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (read.ec != std::errc() || read.ptr != digits.data() + digits.size() || port == 0) {
    return bad_address(address);
  }
  return thrift::PeerAddress{std::string(host), port, {}};
}

Peers::Peers(thrift::LocalNode self, thrift::Security security,
             const thrift::ClientOptions& options)
    : pool_(std::move(self), std::move(security), options) {}

Result<std::shared_ptr<thrift::NodeClient>> Peers::client(const ClusterView& view,
                                                          const NodeId& node) {
  const auto* const known = view.find_node(node);
  if (known == nullptr) {
    return Error{ErrorCode::Unavailable, "server " + node.text + " is not known here"};
  }
  if (known->record.state == NodeState::Removed) {
    return Error{ErrorCode::Unavailable,
                 "server " + known->record.label + " was removed from the cluster"};
  }
  auto address = parse_address(known->record.rpc_address);
  if (!address.ok()) {
    return Error{ErrorCode::Unavailable,
                 "server " + known->record.label + ": " + address.error().message};
  }
  address->node_id = node.text;
  return pool_.client(*address);
}

Result<std::shared_ptr<thrift::NodeClient>> Peers::client_at(std::string_view address) {
  QV_TRY(const auto parsed, parse_address(address));
  return pool_.client(parsed);
}

}  // namespace quiver::cluster
