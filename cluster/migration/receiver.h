#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "cluster/migration/hold_limits.h"
#include "cluster/migration/pace.h"
#include "storage/shard_store.h"
#include "thrift/node_handler.h"

namespace quiver::cluster {

/// What has been received of one copy. Kept between attempts, so that a later one goes on.
struct Transfer {
  /// An empty id: nothing yet.
  thrift::Checkpoint checkpoint;
  std::filesystem::path directory;
  /// Files before this one are complete.
  std::size_t file = 0;
  /// Bytes of that file.
  std::uint64_t offset = 0;
  std::uint64_t bytes_done = 0;
  std::uint64_t bytes_total = 0;
  /// Since when the shard's writes have waited for this checkpoint.
  std::chrono::steady_clock::time_point held_since;
  /// It cannot be done within the time that writes may wait: another attempt would end the same.
  bool hopeless = false;
};

/// Fetches the files of a copy from the server that has it, which holds back the shard's writes
/// meanwhile.
///
/// Threads: any; each transfer one at a time.
class Receiver {
 public:
  struct Options {
    /// Of all transfers to this server; never null.
    std::shared_ptr<Pace> pace = std::make_shared<Pace>(0);
    /// How long writes stay held back behind the latest sign of life.
    std::chrono::milliseconds hold = kHoldIdleMax;
    /// How long they may wait in all. A transfer that would take longer ends as soon as that shows:
    /// by its pace before it begins, by its speed behind a quarter of this time.
    std::chrono::milliseconds hold_total = kTransferMax;
    /// Of one call to the source.
    std::chrono::milliseconds call_time{30'000};
  };
  /// Called behind every chunk. An error ends the transfer.
  using Progress = std::function<Status(const Transfer&)>;

  /// `store` must outlive it.
  Receiver(storage::ShardStore& store, const Options& options);

  /// Fetches all files of the copy that `source` means, into the directory for `to_copy`, durably.
  /// Each call has a deadline of its own; the token of `source_copy` ends the transfer.
  ///
  /// Errors: those of the calls; Corruption if a chunk arrives damaged several times;
  /// ResourceExhausted if there is no room; DeadlineExceeded if it was cancelled, or, with
  /// Transfer::hopeless, if it takes longer than writes may wait; ResourceExhausted with it, if the
  /// source has no room for the checkpoint.
  Status receive(const thrift::ShardCall& source_copy, thrift::NodeHandler& source,
                 const CopyId& to_copy, Transfer& transfer, const Progress& progress);
  /// The same for a checkpoint that lies ready, for which no writes are held back, into
  /// Transfer::directory. One that broke off goes on where it was, if the checkpoint is the same.
  Status receive_offered(const thrift::ShardCall& source_copy, thrift::NodeHandler& source,
                         const thrift::Checkpoint& offered, Transfer& transfer,
                         const Progress& progress);
  /// Whether the writes have waited for as long as they may.
  bool is_overdue(const Transfer& transfer) const;
  /// What is_overdue() makes of a transfer. Sets Transfer::hopeless.
  Error give_up(Transfer& transfer) const;
  /// The same call with a deadline of its own.
  thrift::ShardCall timed(const thrift::ShardCall& call) const;

 private:
  Status fetch(const thrift::ShardCall& call, thrift::NodeHandler& source, const CopyId& to_copy,
               Transfer& transfer, const Progress& progress);
  static Status expect_files(const thrift::Checkpoint& checkpoint, Transfer& transfer);
  Status receive_files(const thrift::ShardCall& call, thrift::NodeHandler& source,
                       Transfer& transfer, const Progress& progress);
  Status check_time(Transfer& transfer) const;
  Status begin(const thrift::ShardCall& call, thrift::NodeHandler& source, const CopyId& to_copy,
               Transfer& transfer);
  Status receive_file(const thrift::ShardCall& call, thrift::NodeHandler& source,
                      Transfer& transfer, const Progress& progress);
  Result<std::string> read_chunk(const thrift::ShardCall& call, thrift::NodeHandler& source,
                                 const Transfer& transfer, std::size_t length) const;

  storage::ShardStore& store_;
  const Options options_;
};

}  // namespace quiver::cluster
