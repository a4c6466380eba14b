// The built-in provider from its interface: inputs, windows, threads, cache, progress, deadlines.

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "core/limits.h"
#include "embedding/minilm/minilm_provider.h"
#include "embedding/minilm/windows.h"
#include "embedding/providers.h"
#include "tests/embedding/support.h"

namespace quiver::embedding::minilm {
namespace {

using Catch::Matchers::Contains;
using Texts = std::vector<std::string>;
using Vectors = std::vector<std::vector<float>>;

constexpr std::size_t kCacheBytes = std::size_t{1} << 20;

Vectors embed(Provider& provider, const Texts& texts, const CallContext& call = {}) {
  auto vectors = provider.embed(call, texts, Purpose::Document);
  if (!vectors.ok()) FAIL(vectors.error().message);
  return *std::move(vectors);
}

Error embed_error(Provider& provider, const Texts& texts, const CallContext& call = {}) {
  const auto vectors = provider.embed(call, texts, Purpose::Query);
  REQUIRE_FALSE(vectors.ok());
  return vectors.error();
}

/// Texts of 1 to 40 words, all different.
Texts various_texts(std::size_t count) {
  Texts texts;
  for (std::size_t i = 0; i < count; ++i) {
    std::string text = "Number " + std::to_string(i);
    for (std::size_t word = 0; word < i * 7 % 40; ++word) text += " word" + std::to_string(word);
    texts.push_back(text);
  }
  return texts;
}

std::string long_text(std::size_t words) {
  std::string text;
  for (std::size_t i = 0; i < words; ++i) text += "the year " + std::to_string(i % 90) + " ";
  return text;
}

/// The vector of `text` by the encoder alone, one window after the other.
std::vector<float> expected_vector(const std::string& text) {
  const Model& model = loaded_model();
  std::vector<float> sum(kHidden, 0.0F);
  for (const auto& window : cut_windows(model.tokenizer.tokenize(text), 101, 102)) {
    std::vector<float> vector(kHidden);
    const Window view(window);
    model.encoder.encode({&view, 1}, vector.data());
    for (std::size_t i = 0; i < kHidden; ++i) sum[i] += vector[i];
  }
  normalise(sum);
  return sum;
}

TEST_CASE("Providers: the built-in one is found, others are named as unknown",
          "[embedding][provider]") {
  const Providers providers(Options{}, "/nowhere");
  CHECK(providers.default_name() == "minilm");
  CHECK(providers.names() == std::vector<std::string>{"minilm"});
  const auto found = providers.find("minilm");
  REQUIRE(found.ok());
  CHECK((*found)->name() == "minilm");
  CHECK((*found)->dimension() == 384);
  const auto unknown = providers.find("openai");
  REQUIRE_FALSE(unknown.ok());
  CHECK(unknown.error().code == ErrorCode::InvalidArgument);
  CHECK(unknown.error().message == "no embedding provider \"openai\"; there are: minilm");
}

TEST_CASE("Providers: the model lies beside the program unless an option says otherwise",
          "[embedding][provider]") {
  const TempDir program;
  const Providers by_default(Options{}, program.path());
  const Error error = embed_error(**by_default.find("minilm"), {"text"});
  CHECK(error.code == ErrorCode::FailedPrecondition);
  CHECK_THAT(error.message, Contains((program.path() / "models/minilm/config.json").string()));
  CHECK_THAT(error.message, Contains("make setup"));

  Options options;
  options.model_dir = model_dir().string();
  const Providers elsewhere(options, program.path());
  CHECK(embed(**elsewhere.find("minilm"), {"text"}).size() == 1);
}

TEST_CASE("MiniLmProvider: a model that is installed later needs no restart",
          "[embedding][provider]") {
  const TempDir dir;
  MiniLmProvider provider(dir.path(), 1, 0);
  CHECK(embed_error(provider, {"text"}).code == ErrorCode::FailedPrecondition);
  for (const ModelFile& file : model_files()) {
    std::filesystem::create_symlink(model_dir() / file.name, dir.path() / file.name);
  }
  CHECK(embed(provider, {"text"}).size() == 1);
}

TEST_CASE("MiniLmProvider: unusable texts are refused by their place, before a model is needed",
          "[embedding][provider]") {
  MiniLmProvider provider("/nowhere", 1, kCacheBytes);
  const auto refused = [&](const std::string& text) {
    const Error error = embed_error(provider, {"good", text});
    CHECK(error.code == ErrorCode::InvalidArgument);
    return error.message;
  };
  CHECK_THAT(refused(""), Contains("texts[1]: is empty"));
  CHECK_THAT(refused("caf\xe9"), Contains("texts[1]: is not UTF-8"));
  CHECK_THAT(refused(std::string(limits::kTextBytesMax + 1, 'a')),
             Contains("texts[1]: must be at most 65536 bytes, got 65537"));
}

TEST_CASE("MiniLmProvider: a text without a word is refused", "[embedding][provider]") {
  MiniLmProvider provider(model_dir(), 1, kCacheBytes);
  const Error error = embed_error(provider, {"good", " \n\u200b"});
  CHECK(error.code == ErrorCode::InvalidArgument);
  CHECK_THAT(error.message, Contains("texts[1]: holds no word"));
}

TEST_CASE("MiniLmProvider: no texts, no vectors", "[embedding][provider]") {
  MiniLmProvider provider(model_dir(), 2, kCacheBytes);
  CHECK(embed(provider, {}).empty());
}

TEST_CASE("MiniLmProvider: vectors come in the order of the texts, those of the encoder",
          "[embedding][provider]") {
  MiniLmProvider provider(model_dir(), 2, kCacheBytes);
  const Texts texts = various_texts(25);
  const Vectors vectors = embed(provider, texts);
  REQUIRE(vectors.size() == texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    INFO(texts[i]);
    REQUIRE(vectors[i].size() == kHidden);
    CHECK(cosine(vectors[i], expected_vector(texts[i])) > 0.9999999);
  }
}

TEST_CASE("MiniLmProvider: a long text is the average of its windows", "[embedding][provider]") {
  MiniLmProvider provider(model_dir(), 3, 0);
  const std::string text = long_text(300);
  REQUIRE(loaded_model().tokenizer.tokenize(text).size() > 2 * kWindow);
  const Vectors vectors = embed(provider, {"before", text, "after"});
  CHECK(cosine(vectors[1], expected_vector(text)) > 0.9999999);
  // The end of the text counts: the model alone would have cut it off.
  const Vectors other = embed(provider, {text + " An entirely different matter: baking bread."});
  CHECK(cosine(vectors[1], other[0]) < 0.9999);
}

TEST_CASE("MiniLmProvider: the longest text there may be is embedded", "[embedding][provider]") {
  // One word that is too long to have pieces.
  const std::string text(limits::kTextBytesMax, 'a');
  MiniLmProvider provider(model_dir(), 2, 0);
  CHECK(embed(provider, {text})[0] == embed(provider, {"[UNK]"})[0]);
}

TEST_CASE("MiniLmProvider: threads do not change a bit", "[embedding][provider]") {
  Texts texts = various_texts(60);
  texts.push_back(long_text(200));
  MiniLmProvider one(model_dir(), 1, 0);
  MiniLmProvider several(model_dir(), 4, 0);
  const Vectors expected = embed(one, texts);
  CHECK(embed(several, texts) == expected);
  for (std::size_t i = 0; i < texts.size(); i += 15) {
    CHECK(embed(several, {texts[i]})[0] == expected[i]);
  }
}

TEST_CASE("MiniLmProvider: what was seen before comes from the cache, bit for bit",
          "[embedding][provider]") {
  MiniLmProvider provider(model_dir(), 2, kCacheBytes);
  const Texts texts = various_texts(10);
  const Vectors first = embed(provider, texts);
  int reports = 0;
  CallContext call;
  call.progress = [&](auto, auto, const auto&) { ++reports; };
  CHECK(embed(provider, texts, call) == first);
  // No work, no progress.
  CHECK(reports == 0);
  // One new text among known ones.
  Texts more = texts;
  more.insert(more.begin() + 3, "a new one");
  Vectors expected = first;
  expected.insert(expected.begin() + 3, embed(provider, {"a new one"})[0]);
  CHECK(embed(provider, more) == expected);
}

TEST_CASE("MiniLmProvider: progress rises to the number of texts, told by the caller's thread",
          "[embedding][provider]") {
  MiniLmProvider provider(model_dir(), 3, 0);
  const Texts texts = various_texts(50);
  std::vector<std::uint64_t> reports;
  const auto caller = std::this_thread::get_id();
  CallContext call;
  call.progress = [&](std::uint64_t done, std::uint64_t total, const std::string&) {
    CHECK(total == texts.size());
    CHECK(std::this_thread::get_id() == caller);
    reports.push_back(done);
  };
  embed(provider, texts, call);
  REQUIRE_FALSE(reports.empty());
  for (std::size_t i = 1; i < reports.size(); ++i) CHECK(reports[i] > reports[i - 1]);
  CHECK(reports.back() == texts.size());
}

TEST_CASE("MiniLmProvider: a call that is out of time or cancelled ends between windows",
          "[embedding][provider]") {
  MiniLmProvider provider(model_dir(), 1, kCacheBytes);
  CallContext late;
  late.deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1);
  CHECK(embed_error(provider, {"text"}, late).code == ErrorCode::DeadlineExceeded);

  const Texts texts = various_texts(50);
  CallContext call;
  call.cancel = CancelToken::make();
  std::uint64_t done_at_cancel = 0;
  call.progress = [&](std::uint64_t done, std::uint64_t, const std::string&) {
    done_at_cancel = done;
    call.cancel.cancel();
  };
  CHECK(embed_error(provider, texts, call).code == ErrorCode::DeadlineExceeded);
  CHECK(done_at_cancel > 0);
  CHECK(done_at_cancel < texts.size());

  // What was done is not lost: the repeated call begins after it.
  CallContext again;
  std::uint64_t first_report = 0;
  again.progress = [&](std::uint64_t done, std::uint64_t, const std::string&) {
    if (first_report == 0) first_report = done;
  };
  embed(provider, texts, again);
  CHECK(first_report > done_at_cancel);
}

TEST_CASE("MiniLmProvider: threads that meet at the first use all get vectors",
          "[embedding][provider]") {
  MiniLmProvider provider(model_dir(), 2, kCacheBytes);
  const Texts texts = various_texts(12);
  std::vector<Vectors> results(4);
  std::atomic<int> failed = 0;
  std::vector<std::thread> threads;
  for (Vectors& result : results) {
    threads.emplace_back([&] {
      auto vectors = provider.embed({}, texts, Purpose::Query);
      if (vectors.ok()) {
        result = *std::move(vectors);
      } else {
        ++failed;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  REQUIRE(failed == 0);
  for (const Vectors& result : results) CHECK(result == results[0]);
  CHECK(results[0].size() == texts.size());
}

TEST_CASE("MiniLmProvider: near in meaning is near in space", "[embedding][provider]") {
  MiniLmProvider provider(model_dir(), 1, 0);
  const Vectors vectors = embed(provider, {"reset my password", "forgot my login credentials",
                                           "a recipe for sourdough bread"});
  CHECK(cosine(vectors[0], vectors[1]) > 0.5);
  CHECK(cosine(vectors[0], vectors[2]) < 0.2);
}

}  // namespace
}  // namespace quiver::embedding::minilm
