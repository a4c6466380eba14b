#include "embedding/minilm/minilm_provider.h"

#include <algorithm>
#include <chrono>
#include <system_error>
#include <thread>
#include <utility>

#include "core/limits.h"
#include "core/log.h"
#include "core/text.h"
#include "embedding/minilm/batch.h"

namespace quiver::embedding::minilm {
namespace {

/// Text for which another thread is worth starting: some 64 tokens, 10 ms of work.
constexpr std::size_t kBytesPerThread = 256;

Status check_text(std::string_view text, std::size_t index) {
  const auto wrong = [&](const std::string& what) {
    return Error{ErrorCode::InvalidArgument, "texts[" + std::to_string(index) + "]: " + what};
  };
  if (text.empty()) return wrong("is empty; there is nothing to embed");
  if (text.size() > limits::kTextBytesMax) {
    return wrong("must be at most " + std::to_string(limits::kTextBytesMax) + " bytes, got " +
                 std::to_string(text.size()));
  }
  if (!is_utf8(text)) return wrong("is not UTF-8");
  return Done{};
}

}  // namespace

MiniLmProvider::MiniLmProvider(std::filesystem::path model_dir, std::size_t threads,
                               std::size_t cache_bytes)
    : model_dir_(std::move(model_dir)),
      cache_(cache_bytes),
      idle_helpers_(std::max<std::size_t>(threads, 1) - 1) {}

Result<std::vector<std::vector<float>>> MiniLmProvider::embed(const CallContext& call,
                                                              std::span<const std::string> texts,
                                                              Purpose) {
  for (std::size_t i = 0; i < texts.size(); ++i) QV_CHECK(check_text(texts[i], i));
  QV_CHECK(call.check());
  QV_TRY(const Model* const loaded, model());
  std::vector<VectorCache::Key> keys(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    QV_TRY(keys[i], VectorCache::key(name(), texts[i]));
  }
  Batch batch(*loaded, cache_, texts, keys);
  run(batch, call);
  return batch.take();
}

void MiniLmProvider::run(Batch& batch, const CallContext& call) {
  const std::size_t helpers = acquire_helpers(batch.bytes_left() / kBytesPerThread);
  std::vector<std::jthread> threads;
  threads.reserve(helpers);
  for (std::size_t i = 0; i < helpers; ++i) {
    try {
      threads.emplace_back([&batch, &call] { batch.work(call); });
    } catch (const std::system_error&) {
      // The machine is out of threads: those there are do the work.
      break;
    }
  }
  batch.work(call, call.progress);
  threads.clear();
  batch.report(call.progress);
  idle_helpers_.fetch_add(helpers);
}

std::size_t MiniLmProvider::acquire_helpers(std::size_t wanted) noexcept {
  std::size_t idle = idle_helpers_.load();
  std::size_t taken = std::min(idle, wanted);
  while (!idle_helpers_.compare_exchange_weak(idle, idle - taken)) taken = std::min(idle, wanted);
  return taken;
}

Result<const Model*> MiniLmProvider::model() {
  {
    const ReadLock lock(model_mutex_);
    if (model_) return model_.get();
  }
  // Held while loading: others that need the model have nothing better to do than to wait for it.
  const WriteLock lock(model_mutex_);
  if (model_) return model_.get();
  const auto begin = std::chrono::steady_clock::now();
  QV_TRY(model_, Model::load(model_dir_));
  const auto taken = std::chrono::steady_clock::now() - begin;
  QV_LOG_INFO("embedding_model_loaded dir={} kernels={} ms={}", model_dir_.string(),
              model_->encoder.kernels_name(),
              std::chrono::duration_cast<std::chrono::milliseconds>(taken).count());
  return model_.get();
}

}  // namespace quiver::embedding::minilm
