#pragma once

#include <span>
#include <vector>

#include "core/result.h"
#include "thrift/calls.h"

namespace quiver::cluster {

/// The copies of this server that keep to the rules of replication, for those who look after the
/// cluster. What of them is primary is for the copies themselves to know: a call is for the copy
/// that it names, whatever anybody's view says.
///
/// Threads: any. Local work only: no call waits for another server or for the store.
class CopyDesk {
 public:
  virtual ~CopyDesk() = default;

  /// In the order asked.
  ///
  /// Errors: Unavailable as long as not all copies that are here have been opened: then it is not
  /// known which are absent.
  virtual Result<std::vector<thrift::CopyPosition>> positions(
      std::span<const thrift::CopyName> copies) = 0;
  /// Leaves the order with the copy, which carries it out if it is primary and can.
  ///
  /// Errors: NotFound if the copy is not here.
  virtual Status direct(const thrift::CopyName& primary, const thrift::PrimaryOrder& order) = 0;
  /// What a copy here holds on its disk: reads all of it, and so takes its time.
  ///
  /// Errors: as CopyAudit::sums().
  virtual Result<ContentSums> content_sums(const CallContext& call,
                                           const thrift::CopyName& copy) = 0;
};

}  // namespace quiver::cluster
