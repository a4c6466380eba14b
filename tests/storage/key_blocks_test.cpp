// Compared with std::map under random changes, with keys that arrive in order and out of it.

#include "storage/key_blocks.h"

#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

namespace quiver::storage {
namespace {

using Model = std::map<std::string, int>;
using Pairs = std::vector<std::pair<std::string, int>>;

Pairs walked(const KeyBlocks<int>& blocks, std::string_view first, std::string_view last) {
  Pairs pairs;
  blocks.walk(first, last, [&](std::string_view key, int value) {
    pairs.emplace_back(key, value);
    return true;
  });
  return pairs;
}

Pairs expected(const Model& model, const std::string& first, const std::string& last) {
  if (first >= last) return {};
  return {model.lower_bound(first), model.lower_bound(last)};
}

TEST_CASE("KeyBlocks: is empty to begin with", "[storage]") {
  KeyBlocks<int> blocks;
  CHECK(blocks.empty());
  CHECK(blocks.find("a") == nullptr);
  CHECK(walked(blocks, "", "z").empty());
  blocks.erase("a");
  CHECK(blocks.size() == 0);
}

TEST_CASE("KeyBlocks: a walk stops when its visitor says so", "[storage]") {
  KeyBlocks<int> blocks;
  for (const char* key : {"c", "a", "b"}) blocks.find_or_insert(key) = 1;
  std::string seen;
  blocks.walk("", "z", [&](std::string_view key, int) {
    seen += key;
    return seen.size() < 2;
  });
  CHECK(seen == "ab");
}

TEST_CASE("KeyBlocks: keys in ascending order are found again", "[storage]") {
  KeyBlocks<int> blocks;
  for (int i = 1000; i < 2000; ++i) blocks.find_or_insert(std::to_string(i)) = i;
  CHECK(blocks.size() == 1000);
  for (int i = 1000; i < 2000; ++i) CHECK(*blocks.find(std::to_string(i)) == i);
  CHECK(walked(blocks, "1998", "3").size() == 2);
}

TEST_CASE("KeyBlocks: agrees with a map", "[storage]") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  KeyBlocks<int> blocks;
  Model model;
  const auto draw = [&] {
    std::string key = std::to_string(random() % 3000);
    if (random() % 8 == 0) key += std::string(30, '\xFF');
    return key;
  };
  for (int phase = 0; phase < 4; ++phase) {
    for (int i = 0; i < 8000; ++i) {
      const std::string key = draw();
      if ((random() % 8 == 0) != (phase % 2 == 0)) {
        blocks.find_or_insert(key) = i;
        model[key] = i;
      } else {
        blocks.erase(key);
        model.erase(key);
      }
      const std::string other = draw();
      const int* found = blocks.find(other);
      const auto wanted = model.find(other);
      if ((found == nullptr) != (wanted == model.end())) FAIL("find " << other);
      if (found != nullptr && *found != wanted->second) FAIL("value of " << other);
      if (i % 100 == 0) {
        const std::string first = draw();
        const std::string last = draw();
        CHECK(walked(blocks, first, last) == expected(model, first, last));
      }
    }
    CHECK(blocks.size() == model.size());
    CHECK(walked(blocks, "", "~") == Pairs(model.begin(), model.end()));
  }
}

}  // namespace
}  // namespace quiver::storage
