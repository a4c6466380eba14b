#pragma once

#include <cstddef>
#include <vector>

#include "thrift/calls.h"
#include "thrift/limits.h"

namespace quiver::thrift {

/// Parts of a write that are small enough for one call each, in order; together they do what the
/// whole does, but not at once. The same write and `bytes` always give the same parts, so that a
/// repetition finds those that have taken effect. A write that fits is its only part.
///
/// Whoever splits must do so for copies on its own node too: a part that was applied under
/// part_id() is not found under the id of the whole.
///
/// `bytes`: what a part holds at most, unless a single point or payload is larger.
std::vector<WriteRequest> split_write(WriteRequest write, std::size_t bytes = kMessageBytesAim);

/// The request id of a part of an UpsertIf. It goes by the points: a write that is tried again
/// without the parts that took effect has other parts, which must not pass for those.
RequestId part_id(const RequestId& whole, const UpsertIf& part);

/// The request id of the part with number `part` out of `parts`: `whole` itself if it is the only
/// one, or is empty.
RequestId part_id(const RequestId& whole, std::size_t part, std::size_t parts);

}  // namespace quiver::thrift
