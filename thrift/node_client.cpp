#include "thrift/node_client.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <span>
#include <utility>

#include "thrift/codec.h"
#include "thrift/codec_calls.h"
#include "thrift/codec_node.h"
#include "thrift/connection_pool.h"
#include "thrift/talk.h"

namespace quiver::thrift {
Error NodeClient::malformed(const Error& problem) const {
  if (problem.code == ErrorCode::Corruption) return problem;
  return {ErrorCode::Internal, "the node at " + peer().host + ":" + std::to_string(peer().port) +
                                   " answered what cannot be understood: " + problem.message};
}

Reply<std::vector<ScoredPoint>> NodeClient::search(const ShardCall& call, const SearchCall& query) {
  QV_TRY(const auto request, encode_search(query));
  const Plan plan{Purpose::Search, Kind::Read, call, &call};
  wire::SearchReply answer;
  if (auto lost = carry(plan, Talk([&](Connection::Wire& peer, const wire::CallHeader& header) {
                          peer.search(answer, header, request);
                        }))) {
    return *std::move(lost);
  }
  auto found = decode_hits(answer);
  if (!found.ok()) return malformed(found.error());
  auto info = decode_info(answer.header);
  if (found->further.empty()) return {std::move(found->hits), std::move(info)};

  GetCall rest{{}, query.projection};
  for (const auto& hit : found->further) rest.ids.push_back(hit.point.id);
  auto points = get(call, rest);
  if (!points.ok()) return {points.error(), std::move(points.info)};
  std::map<PointId, Point> by_id;
  for (auto& point : *points) by_id.emplace(point.id, std::move(point));
  for (const auto& hit : found->further) {
    const auto at = by_id.find(hit.point.id);
    if (at != by_id.end()) found->hits.push_back({std::move(at->second), hit.score});
  }
  return {std::move(found->hits), std::move(info)};
}

Reply<std::vector<Point>> NodeClient::get(const ShardCall& call, const GetCall& wanted) {
  const Plan plan{Purpose::Search, Kind::Read, call, &call};
  std::vector<Point> found;
  ReplyInfo info;
  std::span<const PointId> rest(wanted.ids);
  do {
    const auto some = rest.first(std::min(rest.size(), kIdsMax));
    QV_TRY(const auto request, encode_get(some, wanted.projection));
    wire::GetReply answer;
    if (auto lost = carry(plan, Talk([&](Connection::Wire& peer, const wire::CallHeader& header) {
                            peer.get(answer, header, request);
                          }))) {
      return *std::move(lost);
    }
    auto points = decode_points(answer.points);
    if (!points.ok()) return malformed(points.error());
    const auto answered = static_cast<std::size_t>(std::max(answer.answered, 0));
    if (answered > some.size() || points->size() > answered || (answered == 0 && !some.empty())) {
      return malformed({ErrorCode::Internal, "it speaks of " + std::to_string(answer.answered) +
                                                 " of " + std::to_string(some.size()) + " ids"});
    }
    std::move(points->begin(), points->end(), std::back_inserter(found));
    info = decode_info(answer.header);
    rest = rest.subspan(answered);
  } while (!rest.empty());
  return {std::move(found), std::move(info)};
}

Reply<std::vector<Point>> NodeClient::scroll(const ShardCall& call, const ScrollCall& query) {
  const Plan plan{Purpose::Search, Kind::Read, call, &call};
  std::vector<Point> found;
  auto some = query;
  while (true) {
    some.limit = std::min(query.limit - found.size(), kListMax);
    QV_TRY(const auto request, encode_scroll(some));
    wire::ScrollReply answer;
    if (auto lost = carry(plan, Talk([&](Connection::Wire& peer, const wire::CallHeader& header) {
                            peer.scroll(answer, header, request);
                          }))) {
      return *std::move(lost);
    }
    auto points = decode_points(answer.points);
    if (!points.ok()) return malformed(points.error());
    if (points->size() > some.limit || (answer.cut && points->empty())) {
      return malformed({ErrorCode::Internal, "it has " + std::to_string(points->size()) +
                                                 " points of " + std::to_string(some.limit)});
    }
    const bool ended = !answer.cut && points->size() < some.limit;
    std::move(points->begin(), points->end(), std::back_inserter(found));
    if (ended || found.size() == query.limit) {
      return {std::move(found), decode_info(answer.header)};
    }
    some.after = found.back().id;
  }
}

Reply<std::uint64_t> NodeClient::count(const ShardCall& call, const std::optional<Filter>& filter) {
  wire::CountRequest request;
  if (filter) {
    QV_TRY(request.filter, encode_filter(*filter));
    request.__isset.filter = true;
  }
  const Plan plan{Purpose::Search, Kind::Read, call, &call};
  wire::CountReply answer;
  if (auto lost = carry(plan, Talk([&](Connection::Wire& peer, const wire::CallHeader& header) {
                          peer.count(answer, header, request);
                        }))) {
    return *std::move(lost);
  }
  return {static_cast<std::uint64_t>(answer.count), decode_info(answer.header)};
}

Reply<std::vector<FieldCount>> NodeClient::fields(const ShardCall& call, std::size_t limit) {
  const auto most = static_cast<std::int32_t>(std::min(limit, kFieldsMax));
  const Plan plan{Purpose::Search, Kind::Read, call, &call};
  wire::FieldsReply answer;
  if (auto lost = carry(plan, Talk([&](Connection::Wire& peer, const wire::CallHeader& header) {
                          peer.fields(answer, header, most);
                        }))) {
    return *std::move(lost);
  }
  auto fields = decode_fields(answer);
  if (!fields.ok()) return malformed(fields.error());
  return {std::move(fields).value(), decode_info(answer.header)};
}

Reply<ShardCounts> NodeClient::stats(const ShardCall& call) {
  const Plan plan{Purpose::Search, Kind::Read, call, &call};
  wire::StatsReply answer;
  if (auto lost = carry(plan, Talk([&](Connection::Wire& peer, const wire::CallHeader& header) {
                          peer.stats(answer, header);
                        }))) {
    return *std::move(lost);
  }
  return {ShardCounts{static_cast<std::uint64_t>(answer.points),
                      static_cast<std::uint64_t>(answer.unindexed),
                      static_cast<std::uint64_t>(answer.disk_bytes)},
          decode_info(answer.header)};
}

Reply<MutationResult> NodeClient::write(const ShardCall& call, const WriteRequest& request) {
  QV_TRY(const auto encoded, encode_write(request));
  const Plan plan{Purpose::Write, Kind::Write, call, &call};
  wire::WriteReply answer;
  if (auto lost = carry(plan, Talk([&](Connection::Wire& peer, const wire::CallHeader& header) {
                          peer.write(answer, header, encoded);
                        }))) {
    return *std::move(lost);
  }
  return {MutationResult{static_cast<std::uint64_t>(answer.affected),
                         static_cast<std::uint64_t>(answer.created)},
          decode_info(answer.header)};
}

Answered NodeClient::create_shard(const ShardCall& call, const CollectionSpec& spec) {
  QV_TRY(const auto text, encode_spec(spec));
  const Plan plan{Purpose::Control, Kind::Idempotent, call, &call};
  wire::Ack answer;
  if (auto lost = carry(plan, Talk([&](Connection::Wire& peer, const wire::CallHeader& header) {
                          peer.create_shard(answer, header, text);
                        }))) {
    return *std::move(lost);
  }
  return {Done{}, decode_info(answer.header)};
}

Answered NodeClient::drop_shard(const ShardCall& call) {
  const Plan plan{Purpose::Control, Kind::Idempotent, call, &call};
  wire::Ack answer;
  if (auto lost = carry(plan, Talk([&](Connection::Wire& peer, const wire::CallHeader& header) {
                          peer.drop_shard(answer, header);
                        }))) {
    return *std::move(lost);
  }
  return {Done{}, decode_info(answer.header)};
}

Reply<Checkpoint> NodeClient::begin_checkpoint(const ShardCall& call) {
  const Plan plan{Purpose::Bulk, Kind::Idempotent, call, &call};
  wire::CheckpointReply answer;
  if (auto lost = carry(plan, Talk([&](Connection::Wire& peer, const wire::CallHeader& header) {
                          peer.begin_checkpoint(answer, header);
                        }))) {
    return *std::move(lost);
  }
  auto checkpoint = decode_checkpoint(answer);
  if (!checkpoint.ok()) return malformed(checkpoint.error());
  return {std::move(checkpoint).value(), decode_info(answer.header)};
}

Reply<std::string> NodeClient::read_chunk(const ShardCall& call, const ChunkCall& chunk) {
  QV_TRY(const auto request, encode_chunk_call(chunk));
  const Plan plan{Purpose::Bulk, Kind::Read, call, &call};
  wire::ChunkReply answer;
  if (auto lost = carry(plan, Talk([&](Connection::Wire& peer, const wire::CallHeader& header) {
                          peer.read_chunk(answer, header, request);
                        }))) {
    return *std::move(lost);
  }
  auto info = decode_info(answer.header);
  auto bytes = decode_chunk(std::move(answer), chunk.length);
  if (!bytes.ok()) return malformed(bytes.error());
  return {std::move(bytes).value(), std::move(info)};
}

Answered NodeClient::end_checkpoint(const ShardCall& call, const std::string& checkpoint) {
  QV_CHECK(check_token_name(checkpoint, "checkpoint"));
  const Plan plan{Purpose::Bulk, Kind::Idempotent, call, &call};
  wire::Ack answer;
  if (auto lost = carry(plan, Talk([&](Connection::Wire& peer, const wire::CallHeader& header) {
                          peer.end_checkpoint(answer, header, checkpoint);
                        }))) {
    return *std::move(lost);
  }
  return {Done{}, decode_info(answer.header)};
}

Reply<LogPosition> NodeClient::hold_writes(const ShardCall& call, std::chrono::milliseconds hold) {
  const auto hold_ms = static_cast<std::int64_t>(hold.count());
  const Plan plan{Purpose::Control, Kind::Idempotent, call, &call};
  wire::HoldReply answer;
  if (auto lost = carry(plan, Talk([&](Connection::Wire& peer, const wire::CallHeader& header) {
                          peer.hold_writes(answer, header, hold_ms);
                        }))) {
    return *std::move(lost);
  }
  return {LogPosition{Term{static_cast<std::uint64_t>(answer.last_term)},
                      Seq{static_cast<std::uint64_t>(answer.last_seq)}},
          decode_info(answer.header)};
}

Answered NodeClient::release_writes(const ShardCall& call) {
  const Plan plan{Purpose::Control, Kind::Idempotent, call, &call};
  wire::Ack answer;
  if (auto lost = carry(plan, Talk([&](Connection::Wire& peer, const wire::CallHeader& header) {
                          peer.release_writes(answer, header);
                        }))) {
    return *std::move(lost);
  }
  return {Done{}, decode_info(answer.header)};
}

Answered NodeClient::hand_over(const ShardCall& call, const HandOverCall& request) {
  QV_TRY(const auto encoded, encode_hand_over(request));
  const Plan plan{Purpose::Control, Kind::Idempotent, call, &call};
  wire::Ack answer;
  if (auto lost = carry(plan, Talk([&](Connection::Wire& peer, const wire::CallHeader& header) {
                          peer.hand_over(answer, header, encoded);
                        }))) {
    return *std::move(lost);
  }
  return {Done{}, decode_info(answer.header)};
}

Reply<std::vector<CopyPosition>> NodeClient::copy_positions(const NodeCall& call,
                                                            const std::vector<CopyName>& copies) {
  const Plan plan{Purpose::Control, Kind::Read, call, nullptr};
  std::vector<CopyPosition> out;
  ReplyInfo info;
  std::span<const CopyName> rest(copies);
  do {
    const auto some = rest.first(std::min(rest.size(), kCopiesMax));
    QV_TRY(const auto request, encode_copies(some));
    wire::CopyPositionsReply answer;
    if (auto lost = carry(plan, Talk([&](Connection::Wire& peer, const wire::CallHeader& header) {
                            peer.copy_positions(answer, header, request);
                          }))) {
      return *std::move(lost);
    }
    auto positions = decode_positions(answer, some.size());
    if (!positions.ok()) return malformed(positions.error());
    out.insert(out.end(), positions->begin(), positions->end());
    info = decode_info(answer.header);
    rest = rest.subspan(some.size());
  } while (!rest.empty());
  return {std::move(out), std::move(info)};
}

Answered NodeClient::direct(const ShardCall& call, const PrimaryOrder& order) {
  QV_TRY(const auto encoded, encode_order(order));
  const Plan plan{Purpose::Control, Kind::Idempotent, call, &call};
  wire::Ack answer;
  if (auto lost = carry(plan, Talk([&](Connection::Wire& peer, const wire::CallHeader& header) {
                          peer.direct(answer, header, encoded);
                        }))) {
    return *std::move(lost);
  }
  return {Done{}, decode_info(answer.header)};
}

Reply<ContentSums> NodeClient::content_sums(const ShardCall& call) {
  const Plan plan{Purpose::Bulk, Kind::Read, call, &call};
  wire::ContentSumsReply answer;
  if (auto lost = carry(plan, Talk([&](Connection::Wire& peer, const wire::CallHeader& header) {
                          peer.content_sums(answer, header);
                        }))) {
    return *std::move(lost);
  }
  auto sums = decode_sums(answer);
  if (!sums.ok()) return malformed(sums.error());
  return {std::move(sums).value(), decode_info(answer.header)};
}

Reply<Welcome> NodeClient::join(const NodeCall& call, const JoinCall& request) {
  QV_TRY(const auto encoded, encode_join(request));
  const Plan plan{Purpose::Control, Kind::Idempotent, call, nullptr};
  wire::JoinReply answer;
  if (auto lost = carry(plan, Talk([&](Connection::Wire& peer, const wire::CallHeader& header) {
                          peer.join(answer, header, encoded);
                        }))) {
    return *std::move(lost);
  }
  auto welcome = decode_welcome(answer);
  if (!welcome.ok()) return malformed(welcome.error());
  return {std::move(welcome).value(), decode_info(answer.header)};
}

Reply<HeartbeatEcho> NodeClient::ping(const NodeCall& call, const Heartbeat& heartbeat) {
  QV_CHECK(check_name(heartbeat.state, "state"));
  wire::Heartbeat request;
  request.state = heartbeat.state;
  const Plan plan{Purpose::Health, Kind::Read, call, nullptr};
  wire::HeartbeatReply answer;
  if (auto lost = carry(plan, Talk([&](Connection::Wire& peer, const wire::CallHeader& header) {
                          peer.ping(answer, header, request);
                        }))) {
    return *std::move(lost);
  }
  auto echo = decode_echo(answer);
  if (!echo.ok()) return malformed(echo.error());
  return {std::move(echo).value(), decode_info(answer.header)};
}

Reply<NodeStatus> NodeClient::status(const NodeCall& call) {
  const Plan plan{Purpose::Control, Kind::Read, call, nullptr};
  wire::StatusReply answer;
  if (auto lost = carry(plan, Talk([&](Connection::Wire& peer, const wire::CallHeader& header) {
                          peer.status(answer, header);
                        }))) {
    return *std::move(lost);
  }
  auto status = decode_status(answer);
  if (!status.ok()) return malformed(status.error());
  return {std::move(status).value(), decode_info(answer.header)};
}

}  // namespace quiver::thrift
