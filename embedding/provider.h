#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/call_context.h"
#include "core/result.h"

namespace quiver::embedding {

/// What a text is embedded for. Some models treat the two differently.
enum class Purpose { Document, Query };

/// Turns text into vectors.
///
/// name() and dimension() answer without loading anything; the model is loaded at the first
/// embed(), once.
///
/// Threads: any.
class Provider {
 public:
  virtual ~Provider() = default;

  /// What a collection remembers, such as "minilm".
  virtual std::string_view name() const noexcept = 0;
  virtual std::size_t dimension() const noexcept = 0;

  /// One vector of unit length, shape [dimension()], for each text, in order. A text longer than
  /// the model's window is embedded window by window and the windows' vectors are averaged.
  ///
  /// Errors: FailedPrecondition if the model's files are missing, naming the command that installs
  /// them; Corruption if they are damaged; DeadlineExceeded from `call`, checked between texts.
  virtual Result<std::vector<std::vector<float>>> embed(const CallContext& call,
                                                        std::span<const std::string> texts,
                                                        Purpose purpose) = 0;
};

}  // namespace quiver::embedding
