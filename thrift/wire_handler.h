#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <quiver_wire/NodeWire.h>

#include "core/mutex.h"
#include "thrift/framed.h"
#include "thrift/lanes.h"
#include "thrift/node_handler.h"
#include "thrift/refusal_log.h"
#include "thrift/security.h"
#include "thrift/server.h"
#include "thrift/stream.h"

namespace quiver::thrift {

/// What all connections of a server share. Outlives them.
struct ServerContext {
  const LocalNode self;
  const Security security;
  const ServerOptions options;
  NodeHandler& handler;
  const Admit admit;
  Lanes lanes;
  RefusalLog refusals;
  std::atomic<bool> stopping{false};
};

/// One connection as the generated processor sees it: the greeting, then calls for the handler.
///
///   new --hello--> greeted --prove--> open        (with a cluster token)
///   new --hello--> open                           (with certificates alone)
///
/// Anything else, in any other order, ends the connection.
///
/// Threads: the connection's own, but for cancel().
class WireHandler final : public wire::NodeWireIf {
 public:
  WireHandler(ServerContext& context, std::shared_ptr<Stream> stream,
              std::shared_ptr<FramedTransport> framed, Lanes::Place place);

  bool is_open() const noexcept { return state_ == State::Open; }
  /// The connection ends behind the reply that is being written.
  bool is_closing() const noexcept { return closing_; }
  /// Gives up the connection's place in its lane.
  void leave() noexcept { place_.reset(); }
  /// Tells the call that is running, and all later ones, that nobody waits for them.
  void cancel();

  void hello(wire::HelloReply& out, const wire::HelloRequest& request) override;
  void prove(wire::Ack& out, const std::string& proof) override;

  void search(wire::SearchReply& out, const wire::CallHeader& header,
              const wire::SearchRequest& request) override;
  void get(wire::GetReply& out, const wire::CallHeader& header,
           const wire::GetRequest& request) override;
  void scroll(wire::ScrollReply& out, const wire::CallHeader& header,
              const wire::ScrollRequest& request) override;
  void count(wire::CountReply& out, const wire::CallHeader& header,
             const wire::CountRequest& request) override;
  void fields(wire::FieldsReply& out, const wire::CallHeader& header, std::int32_t limit) override;
  void stats(wire::StatsReply& out, const wire::CallHeader& header) override;
  void write(wire::WriteReply& out, const wire::CallHeader& header,
             const wire::WriteRequest& request) override;
  void create_shard(wire::Ack& out, const wire::CallHeader& header,
                    const std::string& spec) override;
  void drop_shard(wire::Ack& out, const wire::CallHeader& header) override;
  void begin_checkpoint(wire::CheckpointReply& out, const wire::CallHeader& header) override;
  void read_chunk(wire::ChunkReply& out, const wire::CallHeader& header,
                  const wire::ChunkRequest& request) override;
  void end_checkpoint(wire::Ack& out, const wire::CallHeader& header,
                      const std::string& checkpoint) override;
  void hold_writes(wire::HoldReply& out, const wire::CallHeader& header,
                   std::int64_t hold_ms) override;
  void release_writes(wire::Ack& out, const wire::CallHeader& header) override;
  void hand_over(wire::Ack& out, const wire::CallHeader& header,
                 const wire::HandOverRequest& request) override;
  void deliver(wire::DeliverReply& out, const wire::CallHeader& header,
               const std::vector<wire::ParcelRecord>& parcels) override;
  void offer_snapshot(wire::Ack& out, const wire::CallHeader& header,
                      const wire::SnapshotRequest& request) override;
  void copy_positions(wire::CopyPositionsReply& out, const wire::CallHeader& header,
                      const std::vector<wire::CopyNameRecord>& copies) override;
  void direct(wire::Ack& out, const wire::CallHeader& header,
              const wire::PrimaryOrderRequest& request) override;
  void content_sums(wire::ContentSumsReply& out, const wire::CallHeader& header) override;
  void join(wire::JoinReply& out, const wire::CallHeader& header,
            const wire::JoinRequest& request) override;
  void ping(wire::HeartbeatReply& out, const wire::CallHeader& header,
            const wire::Heartbeat& request) override;
  void status(wire::StatusReply& out, const wire::CallHeader& header) override;

 private:
  enum class State : std::uint8_t { New, Greeted, Open };

  // -- greeting
  Status check_hello(const wire::HelloRequest& request);
  Status answer_hello(wire::HelloReply& out, const wire::HelloRequest& request);
  Status check_proof(const std::string& proof);
  /// Lets the peer in, on the lane of its purpose.
  Status open();
  /// Throws what the peer is told, and ends the connection behind it.
  [[noreturn]] void refuse(const Error& error);

  // -- calls
  using NodeWork = std::function<Answered(const NodeCall&)>;
  using ShardWork = std::function<Answered(const ShardCall&)>;
  void on_node(const wire::CallHeader& header, Purpose purpose, const NodeWork& work);
  void on_shard(const wire::CallHeader& header, Purpose purpose, const ShardWork& work);
  void check_call(const wire::CallHeader& header, Purpose purpose);
  /// Throws unless the work was done.
  void run(NodeCall& call, const std::function<Answered()>& work);
  CancelToken start_call();

  ServerContext& context_;
  const std::shared_ptr<Stream> stream_;
  const std::shared_ptr<FramedTransport> framed_;
  std::optional<Lanes::Place> place_;
  State state_ = State::New;
  bool closing_ = false;
  Greeting greeting_;
  Mutex mutex_;
  /// Of the last call; nothing before the first.
  std::optional<CancelToken> running_ QV_GUARDED_BY(mutex_);
  bool cancelled_ QV_GUARDED_BY(mutex_) = false;
};

}  // namespace quiver::thrift
