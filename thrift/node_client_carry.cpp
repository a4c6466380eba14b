// How a call reaches the peer: connections, repetition, and what a failure means.

#include <algorithm>
#include <exception>
#include <random>
#include <thread>

#include <thrift/TApplicationException.h>
#include <thrift/transport/TTransportException.h>

#include "thrift/codec.h"
#include "thrift/connection_pool.h"
#include "thrift/node_client.h"
#include "thrift/talk.h"

namespace quiver::thrift {
namespace {

using apache::thrift::TApplicationException;
using apache::thrift::transport::TTransportException;
using TimePoint = std::chrono::steady_clock::time_point;

/// How often a pause looks whether the caller has gone away.
constexpr std::chrono::milliseconds kCancelPoll{20};

RemoteError failure(ErrorCode code, std::string message) {
  return {{code, std::move(message)}, {}};
}

RemoteError transport_failure(const TTransportException& problem) {
  switch (problem.getType()) {
    case TTransportException::TIMED_OUT:
    case TTransportException::INTERRUPTED:
      return failure(ErrorCode::DeadlineExceeded, problem.what());
    case TTransportException::BAD_ARGS: return failure(ErrorCode::InvalidArgument, problem.what());
    case TTransportException::CORRUPTED_DATA: return failure(ErrorCode::Internal, problem.what());
    default: return failure(ErrorCode::Unavailable, problem.what());
  }
}

/// Half of a pause is random: callers that failed together do not come back together.
std::chrono::milliseconds jittered(std::chrono::milliseconds pause) {
  std::minstd_rand random(std::random_device{}());
  std::uniform_int_distribution<std::int64_t> half(0, pause.count() / 2);
  return pause - std::chrono::milliseconds(half(random));
}

void pause_until(TimePoint until, const CancelToken& cancel) {
  for (auto now = std::chrono::steady_clock::now(); now < until && !cancel.cancelled();
       now = std::chrono::steady_clock::now()) {
    std::this_thread::sleep_until(std::min(until, now + kCancelPoll));
  }
}

}  // namespace

NodeClient::NodeClient(std::shared_ptr<const Dialer> dialer, const ClientOptions& options)
    : dialer_(std::move(dialer)), options_(options) {
  for (std::size_t i = 0; i < kPurposes; ++i) {
    const auto purpose = static_cast<Purpose>(i + 1);
    pools_[i] = std::make_unique<ConnectionPool>(dialer_, purpose, options_.connections.of(purpose),
                                                 options_.idle_time);
  }
}

NodeClient::~NodeClient() = default;

const PeerAddress& NodeClient::peer() const noexcept {
  return dialer_->peer();
}

std::size_t NodeClient::close_idle() {
  std::size_t open = 0;
  for (const auto& pool : pools_) open += pool->close_idle(std::chrono::steady_clock::now());
  return open;
}

Result<NodeIdentity> NodeClient::greet(const CallContext& call) {
  const auto until = call.deadline.value_or(std::chrono::steady_clock::now() + options_.call_time);
  // One that exists says who answered once, not that anybody does now.
  QV_TRY(const auto connection, dialer_->dial(Purpose::Control, until, call.cancel));
  return connection->peer();
}

struct NodeClient::Attempt {
  enum class End : std::uint8_t { Ok, Refused, Lost };
  End end = End::Ok;
  /// Why it was not done: what the peer answered, or how the call was lost.
  RemoteError failure;
  /// The peer may have received the whole request.
  bool sent = false;
};

NodeClient::Attempt NodeClient::carry_once(const Plan& plan, const Talk& talk, TimePoint until) {
  using End = Attempt::End;
  const auto& cancel = plan.call.context.cancel;
  const auto pool = static_cast<std::size_t>(plan.purpose) - 1;
  auto lease = pools_[pool]->acquire(until, cancel);
  if (!lease.ok()) return {End::Lost, {lease.error(), {}}, false};
  auto& connection = *lease;
  connection->stream().limit(until, cancel);
  const auto left =
      std::chrono::floor<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
  const auto before = connection->frames_sent();
  const auto sent = [&] { return connection->frames_sent() > before; };
  const auto& self = dialer_->self();
  try {
    talk(connection->wire(),
         encode_header(self.cluster, self.node.id, plan.call, plan.shard, left));
    connection.keep();
    return {};
  } catch (const wire::QuiverError& refusal) {
    // An answer like any other: the connection is as good as before.
    connection.keep();
    return {End::Refused, decode_error(refusal), false};
  } catch (const TTransportException& problem) {
    return {End::Lost, transport_failure(problem), sent()};
  } catch (const TApplicationException& problem) {
    const bool unknown = problem.getType() == TApplicationException::UNKNOWN_METHOD;
    const auto code = unknown ? ErrorCode::FailedPrecondition : ErrorCode::Internal;
    return {End::Lost,
            failure(code,
                    connection->stream().peer() + " cannot carry out the call: " + problem.what()),
            sent() && !unknown};
  } catch (const std::exception& problem) {
    return {
        End::Lost,
        failure(ErrorCode::Internal, connection->stream().peer() +
                                         " answered what cannot be understood: " + problem.what()),
        sent()};
  }
}

std::optional<RemoteError> NodeClient::carry(const Plan& plan, const Talk& talk) {
  const auto& context = plan.call.context;
  const auto until =
      context.deadline.value_or(std::chrono::steady_clock::now() + options_.call_time);
  const bool repeatable =
      plan.kind != Kind::Once && (plan.kind != Kind::Write || !context.request_id.empty());
  bool sent = false;
  auto backoff = options_.backoff;
  for (std::size_t attempt = 1;; ++attempt) {
    auto outcome = carry_once(plan, talk, until);
    if (outcome.end == Attempt::End::Ok) return std::nullopt;
    sent = sent || outcome.sent;
    auto& failed = outcome.failure;
    const bool may_pass = failed.error.code == ErrorCode::Unavailable ||
                          failed.error.code == ErrorCode::ResourceExhausted;
    const auto next = std::chrono::steady_clock::now() + jittered(backoff);
    if (outcome.end == Attempt::End::Lost && may_pass && (repeatable || !sent) &&
        attempt < options_.attempts && next < until && !context.cancel.cancelled()) {
      pause_until(next, context.cancel);
      backoff = std::min(2 * backoff, options_.backoff_max);
      continue;
    }
    if (plan.kind != Kind::Read && sent) {
      failed.info.outcome_unknown = true;
      if (outcome.end == Attempt::End::Lost && may_pass) {
        failed.error = {ErrorCode::DeadlineExceeded,
                        "whether it took effect is not known: " + failed.error.message};
      }
    }
    return std::move(failed);
  }
}

}  // namespace quiver::thrift
