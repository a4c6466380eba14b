#include "embedding/vector_cache.h"

#include <atomic>
#include <cstring>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "embedding/sha256.h"

namespace quiver::embedding {
namespace {

VectorCache::Key key_of(std::string_view text) {
  auto key = VectorCache::key("model", text);
  REQUIRE(key.ok());
  return *key;
}

TEST_CASE("Sha256: digests are those of FIPS 180-4", "[embedding][cache]") {
  CHECK(hex(*sha256("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hex(*sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("VectorCache: a hit has the very bits that were put", "[embedding][cache]") {
  VectorCache cache(10'000);
  const std::vector<float> vector{0.1F, -0.0F, std::numeric_limits<float>::denorm_min()};
  CHECK_FALSE(cache.find(key_of("a")));
  cache.put(key_of("a"), vector);
  const auto hit = cache.find(key_of("a"));
  REQUIRE(hit);
  CHECK(std::memcmp(hit->data(), vector.data(), 3 * sizeof(float)) == 0);
}

TEST_CASE("VectorCache: keys tell models and texts apart", "[embedding][cache]") {
  CHECK(*VectorCache::key("m", "text") == *VectorCache::key("m", "text"));
  CHECK_FALSE(*VectorCache::key("m", "text") == *VectorCache::key("n", "text"));
  CHECK_FALSE(*VectorCache::key("m", "text") == *VectorCache::key("m", "text "));
  CHECK_FALSE(*VectorCache::key("mt", "ext") == *VectorCache::key("m", "text"));
}

TEST_CASE("VectorCache: the one unused for longest makes room", "[embedding][cache]") {
  const std::vector<float> vector(8, 1.0F);
  VectorCache cache(3 * VectorCache::entry_bytes(8));
  for (const char* text : {"a", "b", "c"}) cache.put(key_of(text), vector);
  CHECK(cache.find(key_of("a")));
  cache.put(key_of("d"), vector);
  CHECK(cache.find(key_of("a")));
  CHECK_FALSE(cache.find(key_of("b")));
  CHECK(cache.find(key_of("c")));
  CHECK(cache.find(key_of("d")));
  CHECK(cache.bytes() == 3 * VectorCache::entry_bytes(8));
}

TEST_CASE("VectorCache: putting again replaces and counts once", "[embedding][cache]") {
  VectorCache cache(10'000);
  cache.put(key_of("a"), std::vector<float>(8, 1.0F));
  cache.put(key_of("a"), std::vector<float>(4, 2.0F));
  CHECK(cache.find(key_of("a")) == std::vector<float>(4, 2.0F));
  CHECK(cache.bytes() == VectorCache::entry_bytes(4));
}

TEST_CASE("VectorCache: the bound holds, also against one large vector", "[embedding][cache]") {
  VectorCache none(0);
  none.put(key_of("a"), {1.0F});
  CHECK_FALSE(none.find(key_of("a")));

  VectorCache cache(VectorCache::entry_bytes(8));
  cache.put(key_of("a"), std::vector<float>(8, 1.0F));
  cache.put(key_of("large"), std::vector<float>(9, 1.0F));
  CHECK_FALSE(cache.find(key_of("large")));
  CHECK(cache.find(key_of("a")));
}

TEST_CASE("VectorCache: threads see only whole vectors within the bound", "[embedding][cache]") {
  constexpr std::size_t kBytes = 5 * VectorCache::entry_bytes(16);
  VectorCache cache(kBytes);
  std::vector<VectorCache::Key> keys;
  for (int i = 0; i < 10; ++i) keys.push_back(key_of(std::to_string(i)));
  std::atomic<int> wrong = 0;
  const auto work = [&](std::size_t offset) {
    for (std::size_t i = 0; i < 5000; ++i) {
      const std::size_t n = (i * 7 + offset) % keys.size();
      if (const auto hit = cache.find(keys[n])) {
        if (*hit != std::vector<float>(16, static_cast<float>(n))) ++wrong;
      } else {
        cache.put(keys[n], std::vector<float>(16, static_cast<float>(n)));
      }
      if (cache.bytes() > kBytes) ++wrong;
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 3; ++i) threads.emplace_back(work, i);
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace quiver::embedding
