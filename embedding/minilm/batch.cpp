#include "embedding/minilm/batch.h"

#include <algorithm>
#include <new>
#include <utility>

#include "embedding/minilm/windows.h"

namespace quiver::embedding::minilm {
namespace {

/// Tokens at which a thread stops adding windows to its share: enough to use the processor well,
/// few enough to share a small batch among threads.
constexpr std::size_t kShareTokens = 64;

/// The mean of `windows` vectors of unit length, again of unit length.
std::vector<float> average(std::span<const float> vectors) {
  std::vector<float> mean(vectors.begin(), vectors.begin() + kHidden);
  if (vectors.size() == kHidden) return mean;
  for (std::size_t i = kHidden; i < vectors.size(); ++i) mean[i % kHidden] += vectors[i];
  normalise(mean);
  return mean;
}

}  // namespace

Batch::Batch(const Model& model, VectorCache& cache, std::span<const std::string> texts,
             std::span<const VectorCache::Key> keys)
    : model_(model), cache_(cache), texts_(texts), keys_(keys) {
  const WriteLock lock(mutex_);
  results_.resize(texts.size());
  progress_.resize(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    auto known = cache_.find(keys_[i]);
    if (!known) continue;
    results_[i] = *std::move(known);
    ++done_;
  }
  reported_ = done_;
}

void Batch::work(const CallContext& call, const ProgressSink& progress) {
  Status status = Done{};
  try {
    status = work_until_done(call, progress);
  } catch (const std::bad_alloc&) {
    status = Error{ErrorCode::ResourceExhausted, "not enough memory to embed the texts"};
  }
  if (status.ok()) return;
  const WriteLock lock(mutex_);
  if (!error_) error_ = std::move(status).error();
}

Status Batch::work_until_done(const CallContext& call, const ProgressSink& progress) {
  std::vector<Window> windows;
  std::vector<float> vectors;
  for (;;) {
    QV_CHECK(call.check());
    QV_TRY(const std::vector<Job> jobs, claim());
    if (jobs.empty()) return Done{};
    windows.assign(jobs.size(), {});
    std::transform(jobs.begin(), jobs.end(), windows.begin(),
                   [](const Job& job) { return Window(job.tokens); });
    vectors.resize(jobs.size() * kHidden);
    model_.encoder.encode(windows, vectors.data());
    deliver(jobs, vectors.data());
    report(progress);
  }
}

Result<std::vector<Batch::Job>> Batch::claim() {
  const WriteLock lock(mutex_);
  std::vector<Job> jobs;
  std::size_t tokens = 0;
  while (!error_ && tokens < kShareTokens) {
    if (waiting_.empty()) {
      if (next_text_ == texts_.size()) break;
      QV_CHECK(begin_next_text());
      continue;
    }
    if (!jobs.empty() && tokens + waiting_.front().tokens.size() > kWindow) break;
    tokens += waiting_.front().tokens.size();
    jobs.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  return jobs;
}

Status Batch::begin_next_text() {
  const std::size_t text = next_text_++;
  if (!results_[text].empty()) return Done{};
  const auto tokens = model_.tokenizer.tokenize(texts_[text]);
  if (tokens.empty()) {
    return Error{ErrorCode::InvalidArgument,
                 "texts[" + std::to_string(text) + "]: holds no word, only white space or marks"};
  }
  auto windows = cut_windows(tokens, model_.tokenizer.cls(), model_.tokenizer.sep());
  progress_[text].windows_left = windows.size();
  progress_[text].vectors.resize(windows.size() * kHidden);
  for (std::size_t i = 0; i < windows.size(); ++i) {
    waiting_.push_back({text, i, std::move(windows[i])});
  }
  return Done{};
}

void Batch::deliver(std::span<const Job> jobs, const float* vectors) {
  const WriteLock lock(mutex_);
  for (const Job& job : jobs) {
    Progress& progress = progress_[job.text];
    std::copy_n(vectors, kHidden, progress.vectors.data() + job.window * kHidden);
    vectors += kHidden;
    if (--progress.windows_left > 0) continue;
    // In the order of the windows, not of their completion: the sum must not depend on threads.
    results_[job.text] = average(std::exchange(progress.vectors, {}));
    cache_.put(keys_[job.text], results_[job.text]);
    ++done_;
  }
}

void Batch::report(const ProgressSink& progress) {
  if (!progress) return;
  std::size_t done = 0;
  {
    const ReadLock lock(mutex_);
    done = done_;
  }
  if (done == reported_) return;
  reported_ = done;
  progress(done, texts_.size(), "texts embedded");
}

std::size_t Batch::bytes_left() const {
  const ReadLock lock(mutex_);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    if (results_[i].empty()) bytes += texts_[i].size();
  }
  return bytes;
}

Result<std::vector<std::vector<float>>> Batch::take() {
  const WriteLock lock(mutex_);
  if (error_) return *error_;
  return std::move(results_);
}

}  // namespace quiver::embedding::minilm
