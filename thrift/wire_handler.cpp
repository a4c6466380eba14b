#include "thrift/wire_handler.h"

#include <chrono>
#include <exception>
#include <utility>

#include "core/limits.h"
#include "core/log.h"
#include "thrift/codec.h"
#include "thrift/codec_calls.h"
#include "thrift/codec_node.h"

namespace quiver::thrift {
namespace {

template <typename T>
Answered failed(const Reply<T>& reply) {
  return {reply.error(), reply.info};
}

Answered acknowledged(wire::Ack& out, const Answered& answered) {
  out.header = encode_info(answered.info);
  return answered;
}

}  // namespace

void WireHandler::cancel() {
  std::optional<CancelToken> running;
  {
    const MutexLock lock(mutex_);
    cancelled_ = true;
    running = running_;
  }
  // Without the lock: what waits for the token runs here.
  if (running) running->cancel();
}

CancelToken WireHandler::start_call() {
  // One for each call: a token keeps what waits for it as long as it lives.
  auto token = CancelToken::make();
  const MutexLock lock(mutex_);
  if (cancelled_) token.cancel();
  running_ = token;
  return token;
}

void WireHandler::check_call(const wire::CallHeader& header, Purpose purpose) {
  if (state_ != State::Open) {
    refuse({ErrorCode::PermissionDenied, "the connection begins with a greeting"});
  }
  if (header.cluster != greeting_.cluster || header.caller != greeting_.client.id) {
    refuse({ErrorCode::PermissionDenied, "the call does not come from who greeted"});
  }
  if (purpose != greeting_.purpose) {
    refuse({ErrorCode::InvalidArgument, "the connection was greeted for another purpose"});
  }
}

void WireHandler::run(NodeCall& call, const std::function<Answered()>& work) {
  call.context.cancel = start_call();
  const auto outcome = [&]() -> Answered {
    try {
      QV_CHECK(call.context.check());
      return work();
    } catch (const std::exception& problem) {
      QV_LOG_ERROR("node_call_failed caller={} trace={} why=\"{}\"", call.caller, call.trace,
                   problem.what());
      return Error{ErrorCode::Internal, std::string("the call failed: ") + problem.what()};
    }
  }();
  if (!outcome.ok()) throw encode_error(outcome.error(), outcome.info);
}

void WireHandler::on_node(const wire::CallHeader& header, Purpose purpose, const NodeWork& work) {
  check_call(header, purpose);
  auto call = decode_header(header, std::chrono::steady_clock::now());
  if (!call.ok()) throw encode_error(call.error(), {});
  run(*call, [&] { return work(*call); });
}

void WireHandler::on_shard(const wire::CallHeader& header, Purpose purpose, const ShardWork& work) {
  check_call(header, purpose);
  auto call = decode_shard_header(header, std::chrono::steady_clock::now());
  if (!call.ok()) throw encode_error(call.error(), {});
  run(*call, [&] { return work(*call); });
}

void WireHandler::search(wire::SearchReply& out, const wire::CallHeader& header,
                         const wire::SearchRequest& request) {
  on_shard(header, Purpose::Search, [&](const ShardCall& call) -> Answered {
    QV_TRY(const auto query, decode_search(request));
    const auto reply = context_.handler.search(call, query);
    if (!reply.ok()) return failed(reply);
    QV_TRY(out, encode_hits(reply.result.value(), query.projection.vector));
    out.header = encode_info(reply.info);
    return Done{};
  });
}

void WireHandler::get(wire::GetReply& out, const wire::CallHeader& header,
                      const wire::GetRequest& request) {
  on_shard(header, Purpose::Search, [&](const ShardCall& call) -> Answered {
    QV_TRY(const auto wanted, decode_get(request));
    const auto reply = context_.handler.get(call, wanted);
    if (!reply.ok()) return failed(reply);
    QV_TRY(out, encode_found(wanted.ids, reply.result.value(), wanted.projection.vector));
    out.header = encode_info(reply.info);
    return Done{};
  });
}

void WireHandler::scroll(wire::ScrollReply& out, const wire::CallHeader& header,
                         const wire::ScrollRequest& request) {
  on_shard(header, Purpose::Search, [&](const ShardCall& call) -> Answered {
    QV_TRY(const auto query, decode_scroll(request));
    const auto reply = context_.handler.scroll(call, query);
    if (!reply.ok()) return failed(reply);
    QV_TRY(out, encode_page(reply.result.value(), query.projection.vector));
    out.header = encode_info(reply.info);
    return Done{};
  });
}

void WireHandler::count(wire::CountReply& out, const wire::CallHeader& header,
                        const wire::CountRequest& request) {
  on_shard(header, Purpose::Search, [&](const ShardCall& call) -> Answered {
    QV_TRY(const auto filter, decode_filter_if(request.__isset.filter, request.filter));
    const auto reply = context_.handler.count(call, filter);
    if (!reply.ok()) return failed(reply);
    out.count = static_cast<std::int64_t>(reply.result.value());
    out.header = encode_info(reply.info);
    return Done{};
  });
}

void WireHandler::fields(wire::FieldsReply& out, const wire::CallHeader& header,
                         std::int32_t limit) {
  on_shard(header, Purpose::Search, [&](const ShardCall& call) -> Answered {
    if (limit < 0 || static_cast<std::size_t>(limit) > kFieldsMax) {
      return Error{ErrorCode::InvalidArgument,
                   "limit: 0 to " + std::to_string(kFieldsMax) + ", got " + std::to_string(limit)};
    }
    const auto reply = context_.handler.fields(call, static_cast<std::size_t>(limit));
    if (!reply.ok()) return failed(reply);
    QV_TRY(out, encode_fields(reply.result.value()));
    out.header = encode_info(reply.info);
    return Done{};
  });
}

void WireHandler::stats(wire::StatsReply& out, const wire::CallHeader& header) {
  on_shard(header, Purpose::Search, [&](const ShardCall& call) -> Answered {
    const auto reply = context_.handler.stats(call);
    if (!reply.ok()) return failed(reply);
    const auto& counts = reply.result.value();
    out.points = static_cast<std::int64_t>(counts.points);
    out.unindexed = static_cast<std::int64_t>(counts.unindexed);
    out.disk_bytes = static_cast<std::int64_t>(counts.disk_bytes);
    out.header = encode_info(reply.info);
    return Done{};
  });
}

void WireHandler::write(wire::WriteReply& out, const wire::CallHeader& header,
                        const wire::WriteRequest& request) {
  on_shard(header, Purpose::Write, [&](const ShardCall& call) -> Answered {
    QV_TRY(const auto wanted, decode_write(request));
    const auto reply = context_.handler.write(call, wanted);
    if (!reply.ok()) return failed(reply);
    out.affected = static_cast<std::int64_t>(reply.result->affected);
    out.created = static_cast<std::int64_t>(reply.result->created);
    out.header = encode_info(reply.info);
    return Done{};
  });
}

void WireHandler::create_shard(wire::Ack& out, const wire::CallHeader& header,
                               const std::string& spec) {
  on_shard(header, Purpose::Control, [&](const ShardCall& call) -> Answered {
    QV_TRY(const auto wanted, decode_spec(spec));
    if (wanted.id != call.collection || raw(call.shard) >= wanted.shard_count) {
      return Error{ErrorCode::InvalidArgument,
                   "spec: describes another collection, or one without shard " +
                       std::to_string(raw(call.shard))};
    }
    return acknowledged(out, context_.handler.create_shard(call, wanted));
  });
}

void WireHandler::drop_shard(wire::Ack& out, const wire::CallHeader& header) {
  on_shard(header, Purpose::Control, [&](const ShardCall& call) {
    return acknowledged(out, context_.handler.drop_shard(call));
  });
}

void WireHandler::begin_checkpoint(wire::CheckpointReply& out, const wire::CallHeader& header) {
  on_shard(header, Purpose::Bulk, [&](const ShardCall& call) -> Answered {
    const auto reply = context_.handler.begin_checkpoint(call);
    if (!reply.ok()) return failed(reply);
    QV_TRY(out, encode_checkpoint(reply.result.value()));
    out.header = encode_info(reply.info);
    return Done{};
  });
}

void WireHandler::read_chunk(wire::ChunkReply& out, const wire::CallHeader& header,
                             const wire::ChunkRequest& request) {
  on_shard(header, Purpose::Bulk, [&](const ShardCall& call) -> Answered {
    QV_TRY(const auto wanted, decode_chunk_call(request));
    auto reply = context_.handler.read_chunk(call, wanted);
    if (!reply.ok()) return failed(reply);
    QV_TRY(out, encode_chunk(std::move(*reply), wanted.length));
    out.header = encode_info(reply.info);
    return Done{};
  });
}

void WireHandler::end_checkpoint(wire::Ack& out, const wire::CallHeader& header,
                                 const std::string& checkpoint) {
  on_shard(header, Purpose::Bulk, [&](const ShardCall& call) -> Answered {
    QV_CHECK(check_token_name(checkpoint, "checkpoint"));
    return acknowledged(out, context_.handler.end_checkpoint(call, checkpoint));
  });
}

void WireHandler::hold_writes(wire::HoldReply& out, const wire::CallHeader& header,
                              std::int64_t hold_ms) {
  on_shard(header, Purpose::Control, [&](const ShardCall& call) -> Answered {
    if (hold_ms < 1 || hold_ms > kHoldTimeMax.count()) {
      return Error{ErrorCode::InvalidArgument, "hold_ms: 1 to " +
                                                   std::to_string(kHoldTimeMax.count()) + ", got " +
                                                   std::to_string(hold_ms)};
    }
    const auto reply = context_.handler.hold_writes(call, std::chrono::milliseconds(hold_ms));
    if (!reply.ok()) return failed(reply);
    out.last_term = static_cast<std::int64_t>(raw(reply.result->term));
    out.last_seq = static_cast<std::int64_t>(raw(reply.result->seq));
    out.header = encode_info(reply.info);
    return Done{};
  });
}

void WireHandler::release_writes(wire::Ack& out, const wire::CallHeader& header) {
  on_shard(header, Purpose::Control, [&](const ShardCall& call) {
    return acknowledged(out, context_.handler.release_writes(call));
  });
}

void WireHandler::hand_over(wire::Ack& out, const wire::CallHeader& header,
                            const wire::HandOverRequest& request) {
  on_shard(header, Purpose::Control, [&](const ShardCall& call) -> Answered {
    QV_TRY(const auto wanted, decode_hand_over(request));
    return acknowledged(out, context_.handler.hand_over(call, wanted));
  });
}

void WireHandler::copy_positions(wire::CopyPositionsReply& out, const wire::CallHeader& header,
                                 const std::vector<wire::CopyNameRecord>& copies) {
  on_node(header, Purpose::Control, [&](const NodeCall& call) -> Answered {
    QV_TRY(const auto asked, decode_copies(copies));
    const auto reply = context_.handler.copy_positions(call, asked);
    if (!reply.ok()) return failed(reply);
    out = encode_positions(reply.result.value());
    out.header = encode_info(reply.info);
    return Done{};
  });
}

void WireHandler::direct(wire::Ack& out, const wire::CallHeader& header,
                         const wire::PrimaryOrderRequest& request) {
  on_shard(header, Purpose::Control, [&](const ShardCall& call) -> Answered {
    QV_TRY(const auto order, decode_order(request));
    return acknowledged(out, context_.handler.direct(call, order));
  });
}

void WireHandler::content_sums(wire::ContentSumsReply& out, const wire::CallHeader& header) {
  on_shard(header, Purpose::Bulk, [&](const ShardCall& call) -> Answered {
    const auto reply = context_.handler.content_sums(call);
    if (!reply.ok()) return failed(reply);
    out = encode_sums(reply.result.value());
    out.header = encode_info(reply.info);
    return Done{};
  });
}

void WireHandler::join(wire::JoinReply& out, const wire::CallHeader& header,
                       const wire::JoinRequest& request) {
  on_node(header, Purpose::Control, [&](const NodeCall& call) -> Answered {
    QV_TRY(const auto wanted, decode_join(request));
    if (wanted.node != greeting_.client) {
      return Error{ErrorCode::PermissionDenied, "node: not the one that greeted"};
    }
    const auto reply = context_.handler.join(call, wanted);
    if (!reply.ok()) return failed(reply);
    QV_TRY(out, encode_welcome(reply.result.value()));
    out.header = encode_info(reply.info);
    return Done{};
  });
}

void WireHandler::ping(wire::HeartbeatReply& out, const wire::CallHeader& header,
                       const wire::Heartbeat& request) {
  on_node(header, Purpose::Health, [&](const NodeCall& call) -> Answered {
    QV_CHECK(check_name(request.state, "state"));
    const auto reply = context_.handler.ping(call, Heartbeat{request.state});
    if (!reply.ok()) return failed(reply);
    out.node = encode_node(reply.result->node);
    out.state = reply.result->state;
    out.header = encode_info(reply.info);
    return Done{};
  });
}

void WireHandler::status(wire::StatusReply& out, const wire::CallHeader& header) {
  on_node(header, Purpose::Control, [&](const NodeCall& call) -> Answered {
    const auto reply = context_.handler.status(call);
    if (!reply.ok()) return failed(reply);
    QV_TRY(out, encode_status(reply.result.value()));
    out.header = encode_info(reply.info);
    return Done{};
  });
}

}  // namespace quiver::thrift
