#include <algorithm>

#include "core/limits.h"
#include "core/text.h"
#include "thrift/codec.h"
#include "thrift/limits.h"

namespace quiver::thrift {
namespace {

constexpr std::size_t kNodeIdBytesMax = 64;
constexpr std::size_t kTraceBytesMax = 64;
constexpr std::size_t kIdBytes = 32;

Error wrong(std::string_view what, const std::string& how) {
  return {ErrorCode::InvalidArgument, std::string(what) + ": " + how};
}

Status decode_common(const wire::CallHeader& header, std::chrono::steady_clock::time_point arrival,
                     NodeCall& call) {
  QV_CHECK(check_node_id(header.caller));
  if (header.deadline_ms < 1 || header.deadline_ms > kCallTimeMax.count()) {
    return wrong("deadline_ms", "1 to " + std::to_string(kCallTimeMax.count()) + ", got " +
                                    std::to_string(header.deadline_ms));
  }
  call.context.deadline = arrival + std::chrono::milliseconds(header.deadline_ms);
  if (header.__isset.request_id) {
    auto& bytes = call.context.request_id.bytes;
    if (header.request_id.size() != bytes.size()) {
      return wrong("request_id", std::to_string(bytes.size()) + " bytes, got " +
                                     std::to_string(header.request_id.size()));
    }
    std::copy(header.request_id.begin(), header.request_id.end(), bytes.begin());
  }
  if (header.trace_id.size() > kTraceBytesMax || !is_utf8(header.trace_id)) {
    return wrong("trace_id", "at most " + std::to_string(kTraceBytesMax) + " bytes of UTF-8");
  }
  call.trace = header.trace_id;
  call.caller = header.caller;
  call.epoch = static_cast<std::uint64_t>(header.epoch);
  call.term = Term{static_cast<std::uint64_t>(header.term)};
  return Done{};
}

Result<ReadTerms> decode_read_terms(const wire::CallHeader& header) {
  ReadTerms terms;
  if (header.__isset.read_level) {
    constexpr auto kFirst = static_cast<std::int32_t>(ReadLevel::Linearizable);
    constexpr auto kLast = static_cast<std::int32_t>(ReadLevel::Eventual);
    if (header.read_level < kFirst || header.read_level > kLast) {
      return wrong("read_level", "1 linearizable, 2 session or 3 eventual, got " +
                                     std::to_string(header.read_level));
    }
    terms.level = static_cast<ReadLevel>(header.read_level);
  }
  if (header.__isset.read_token) {
    if (terms.level != ReadLevel::Session) {
      return wrong("read_token", "only with read_level 2, session");
    }
    terms.token = Seq{static_cast<std::uint64_t>(header.read_token)};
  }
  return terms;
}

}  // namespace

Status check_name(std::string_view text, std::string_view what) {
  if (text.size() <= kNameBytesMax && is_utf8(text)) return Done{};
  return wrong(what, "at most " + std::to_string(kNameBytesMax) + " bytes of UTF-8, got " +
                         std::to_string(text.size()) + " bytes");
}

Status check_id(std::string_view id, std::string_view what) {
  const bool hexadecimal = std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
  if (hexadecimal && id.size() == kIdBytes) return Done{};
  return wrong(what, "an id of 32 hexadecimal digits");
}

Status check_node_id(std::string_view id) {
  const bool known = std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
  if (known && !id.empty() && id.size() <= kNodeIdBytesMax) return Done{};
  const Json shown = utf8_prefix(id, 80);
  return wrong("node id", "1 to 64 of the characters A-Z a-z 0-9 _ . -, got " +
                              shown.dump(-1, ' ', true, Json::error_handler_t::replace));
}

wire::NodeRecord encode_node(const NodeIdentity& node) {
  wire::NodeRecord out;
  out.id = node.id;
  out.incarnation = static_cast<std::int64_t>(node.incarnation);
  out.version = node.version;
  return out;
}

Result<NodeIdentity> decode_node(const wire::NodeRecord& node) {
  QV_CHECK(check_node_id(node.id));
  QV_CHECK(check_name(node.version, "version"));
  return NodeIdentity{node.id, static_cast<std::uint64_t>(node.incarnation), node.version};
}

wire::CallHeader encode_header(const std::string& cluster, const std::string& caller,
                               const NodeCall& call, const ShardCall* shard,
                               std::chrono::milliseconds time_left) {
  wire::CallHeader header;
  header.cluster = cluster;
  header.caller = caller;
  header.deadline_ms = std::clamp<std::int64_t>(time_left.count(), 1, kCallTimeMax.count());
  header.epoch = static_cast<std::int64_t>(call.epoch);
  header.term = static_cast<std::int64_t>(raw(call.term));
  if (shard != nullptr) {
    header.__set_collection(shard->collection);
    header.__set_shard(static_cast<std::int32_t>(raw(shard->shard)));
    if (!shard->copy.empty()) header.__set_copy(shard->copy.text);
    if (shard->read.level != ReadLevel::Linearizable) {
      header.__set_read_level(static_cast<std::int32_t>(shard->read.level));
    }
    if (shard->read.level == ReadLevel::Session && raw(shard->read.token) != 0) {
      header.__set_read_token(static_cast<std::int64_t>(raw(shard->read.token)));
    }
  }
  if (!call.context.request_id.empty()) {
    const auto& bytes = call.context.request_id.bytes;
    header.__set_request_id(std::string(bytes.begin(), bytes.end()));
  }
  if (!call.trace.empty()) header.__set_trace_id(call.trace);
  return header;
}

Result<NodeCall> decode_header(const wire::CallHeader& header,
                               std::chrono::steady_clock::time_point arrival) {
  NodeCall call;
  QV_CHECK(decode_common(header, arrival, call));
  return call;
}

Result<ShardCall> decode_shard_header(const wire::CallHeader& header,
                                      std::chrono::steady_clock::time_point arrival) {
  ShardCall call;
  QV_CHECK(decode_common(header, arrival, call));
  if (!header.__isset.collection || !check_id(header.collection, "").ok()) {
    return wrong("collection", "the id of a collection, 32 hexadecimal digits");
  }
  call.collection = header.collection;
  if (!header.__isset.shard || header.shard < 0 ||
      static_cast<std::uint32_t>(header.shard) >= limits::kShardsMax) {
    return wrong("shard", "0 to " + std::to_string(limits::kShardsMax - 1) + ", got " +
                              (header.__isset.shard ? std::to_string(header.shard) : "nothing"));
  }
  call.shard = ShardId{static_cast<std::uint32_t>(header.shard)};
  if (header.__isset.copy) {
    QV_CHECK(check_id(header.copy, "copy"));
    call.copy = {header.copy};
  }
  QV_TRY(call.read, decode_read_terms(header));
  return call;
}

wire::ReplyHeader encode_info(const ReplyInfo& info) {
  wire::ReplyHeader header;
  header.epoch = static_cast<std::int64_t>(info.epoch);
  header.term = static_cast<std::int64_t>(raw(info.term));
  if (raw(info.at) != 0) header.__set_at(static_cast<std::int64_t>(raw(info.at)));
  return header;
}

ReplyInfo decode_info(const wire::ReplyHeader& header) {
  ReplyInfo info;
  info.epoch = static_cast<std::uint64_t>(header.epoch);
  info.term = Term{static_cast<std::uint64_t>(header.term)};
  if (header.__isset.at) info.at = Seq{static_cast<std::uint64_t>(header.at)};
  return info;
}

wire::QuiverError encode_error(const Error& error, const ReplyInfo& info) {
  wire::QuiverError out;
  out.code = static_cast<std::int32_t>(error.code);
  out.message = utf8_prefix(error.message, kErrorBytesMax);
  out.retryable = traits(error.code).retryable;
  out.epoch = static_cast<std::int64_t>(info.epoch);
  out.term = static_cast<std::int64_t>(raw(info.term));
  out.primary = info.primary;
  out.retry_after_ms = static_cast<std::int32_t>(
      std::clamp<std::int64_t>(info.retry_after.count(), 0, kCallTimeMax.count()));
  return out;
}

RemoteError decode_error(const wire::QuiverError& error) {
  constexpr auto kLast = static_cast<std::int32_t>(ErrorCode::Internal);
  RemoteError out;
  out.error.code = error.code >= 1 && error.code <= kLast ? static_cast<ErrorCode>(error.code)
                                                          : ErrorCode::Internal;
  out.error.message = utf8_prefix(error.message, kErrorBytesMax);
  out.info.epoch = static_cast<std::uint64_t>(error.epoch);
  out.info.term = Term{static_cast<std::uint64_t>(error.term)};
  // A name that is none is no hint.
  if (check_node_id(error.primary).ok()) out.info.primary = error.primary;
  out.info.retry_after = std::chrono::milliseconds(
      std::clamp<std::int64_t>(error.retry_after_ms, 0, kCallTimeMax.count()));
  return out;
}

}  // namespace quiver::thrift
