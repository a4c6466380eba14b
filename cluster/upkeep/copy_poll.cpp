#include "cluster/upkeep/copy_poll.h"

#include <algorithm>
#include <utility>

namespace quiver::cluster {

thrift::NodeCall short_call(const CallContext& call, const ClusterView& view,
                            std::chrono::milliseconds patience) {
  thrift::NodeCall out;
  out.context.cancel = call.cancel;
  const auto until = std::chrono::steady_clock::now() + patience;
  out.context.deadline = call.deadline ? std::min(*call.deadline, until) : until;
  out.epoch = view.epoch;
  return out;
}

CopyReports poll_copies(const CallContext& call, const ClusterView& view,
                        const std::map<NodeId, std::vector<thrift::CopyName>>& wanted,
                        const ReachNode& reach, FanOut& fan_out,
                        std::chrono::milliseconds patience) {
  const std::vector<std::pair<NodeId, std::vector<thrift::CopyName>>> asked(wanted.begin(),
                                                                            wanted.end());
  std::vector<std::vector<thrift::CopyPosition>> answers(asked.size());
  fan_out.run(asked.size(), [&](std::size_t i) {
    const auto& [node, copies] = asked[i];
    const auto peer = reach(view, node);
    if (!peer.ok()) return;
    auto positions = (*peer)->copy_positions(short_call(call, view, patience), copies);
    if (positions.ok() && positions->size() == copies.size()) answers[i] = std::move(*positions);
  });
  CopyReports out;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    for (std::size_t j = 0; j < answers[i].size(); ++j) {
      out.emplace(asked[i].second[j].copy, answers[i][j]);
    }
  }
  return out;
}

}  // namespace quiver::cluster
