#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/call_context.h"
#include "core/mutex.h"
#include "core/result.h"
#include "embedding/minilm/model.h"
#include "embedding/vector_cache.h"

namespace quiver::embedding::minilm {

/// The texts of one call, on their way to vectors: hands their windows to the threads that work on
/// them and puts the windows' vectors together again.
///
/// Texts are cut into tokens when their turn comes, so memory beyond the result stays that of a
/// few texts. Vectors do not depend on the number of threads.
///
/// Threads: work() from any number of them; take() after all have returned.
class Batch {
 public:
  /// All arguments must outlive it. `texts` are UTF-8, not empty. `keys`: of `texts` in `cache`.
  /// Texts that `cache` knows are done at once.
  Batch(const Model& model, VectorCache& cache, std::span<const std::string> texts,
        std::span<const VectorCache::Key> keys);

  /// Embeds until nothing is left to begin, or `call` runs out of time, or another thread failed.
  void work(const CallContext& call) QV_EXCLUDES(mutex_) { work(call, nullptr); }
  /// The same, and tells `progress` after each share of work. From one thread only.
  void work(const CallContext& call, const ProgressSink& progress) QV_EXCLUDES(mutex_);
  /// Tells `progress` what has been done since it was told last, if anything. From that thread.
  void report(const ProgressSink& progress) QV_EXCLUDES(mutex_);

  /// Bytes of the texts that are not done.
  std::size_t bytes_left() const QV_EXCLUDES(mutex_);

  /// The vectors, in the order of the texts.
  ///
  /// Errors: InvalidArgument for a text without a word; what `call` said in work();
  /// ResourceExhausted if memory ran out.
  Result<std::vector<std::vector<float>>> take() QV_EXCLUDES(mutex_);

 private:
  /// One window of one text.
  struct Job {
    std::size_t text;
    std::size_t window;
    std::vector<TokenId> tokens;
  };
  /// A text of which some windows are at work.
  struct Progress {
    std::size_t windows_left = 0;
    /// [windows, kHidden]
    std::vector<float> vectors;
  };

  Status work_until_done(const CallContext& call, const ProgressSink& progress) QV_EXCLUDES(mutex_);
  /// Some windows that no other thread has; none if all have been handed out.
  Result<std::vector<Job>> claim() QV_EXCLUDES(mutex_);
  Status begin_next_text() QV_REQUIRES(mutex_);
  void deliver(std::span<const Job> jobs, const float* vectors) QV_EXCLUDES(mutex_);

  const Model& model_;
  VectorCache& cache_;
  const std::span<const std::string> texts_;
  const std::span<const VectorCache::Key> keys_;
  /// Texts in the last report, which only the reporting thread knows.
  std::size_t reported_ = 0;

  mutable SharedMutex mutex_;
  std::vector<std::vector<float>> results_ QV_GUARDED_BY(mutex_);
  std::vector<Progress> progress_ QV_GUARDED_BY(mutex_);
  std::deque<Job> waiting_ QV_GUARDED_BY(mutex_);
  std::size_t next_text_ QV_GUARDED_BY(mutex_) = 0;
  std::size_t done_ QV_GUARDED_BY(mutex_) = 0;
  std::optional<Error> error_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::embedding::minilm
