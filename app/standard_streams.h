#pragma once

#include "app/fd.h"
#include "core/result.h"

namespace quiver::app {

/// Opens /dev/null in place of each of the descriptors 0 to 2 that is closed, so that no file that
/// is opened later lands there and gets what is meant for a stream.
Status ensure_standard_streams();

/// The descriptors that the protocol of `quiver mcp` runs over.
struct ProtocolStreams {
  Fd in;
  Fd out;
};

/// Takes stdin and stdout away from everybody else: afterwards 0 reads nothing, 1 is stderr, and a
/// stray print cannot corrupt the protocol.
Result<ProtocolStreams> claim_protocol_streams();

}  // namespace quiver::app
