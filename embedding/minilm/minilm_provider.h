#pragma once

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/mutex.h"
#include "embedding/minilm/model.h"
#include "embedding/provider.h"
#include "embedding/vector_cache.h"

namespace quiver::embedding::minilm {

class Batch;

/// The built-in model all-MiniLM-L6-v2: English, 384 elements, no network.
///
/// The thread that calls embed() works itself; up to `threads` - 1 more help it, shared by all
/// calls. A load that failed is tried again at the next call, so that installing the files needs no
/// restart.
///
/// Threads: any.
class MiniLmProvider final : public Provider {
 public:
  /// `threads`: 1 or more. `cache_bytes`: memory for vectors of texts seen before.
  MiniLmProvider(std::filesystem::path model_dir, std::size_t threads, std::size_t cache_bytes);

  std::string_view name() const noexcept override { return "minilm"; }
  std::size_t dimension() const noexcept override { return kHidden; }

  /// `purpose` makes no difference to this model.
  ///
  /// Errors: as Provider::embed(); InvalidArgument naming the text that is empty, has no word, is
  /// not UTF-8 or is longer than limits::kTextBytesMax.
  Result<std::vector<std::vector<float>>> embed(const CallContext& call,
                                                std::span<const std::string> texts,
                                                Purpose purpose) override;

 private:
  Result<const Model*> model() QV_EXCLUDES(model_mutex_);
  void run(Batch& batch, const CallContext& call);
  /// Takes up to `wanted` of the helpers that no other call has.
  std::size_t acquire_helpers(std::size_t wanted) noexcept;

  const std::filesystem::path model_dir_;
  VectorCache cache_;
  std::atomic<std::size_t> idle_helpers_;

  SharedMutex model_mutex_;
  /// Never changes once it is set.
  std::unique_ptr<const Model> model_ QV_GUARDED_BY(model_mutex_);
};

}  // namespace quiver::embedding::minilm
