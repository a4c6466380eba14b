// Random payloads, random filters: the index against Filter::matches() on every payload it holds,
// with puts and erases in between. A failing seed goes into kSeeds.

#include <map>
#include <random>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "storage/payload_index.h"

namespace quiver::storage {
namespace {

/// How wild the drawn values are.
struct Taste {
  bool long_strings = false;
  std::size_t array_max = 4;
};

/// Draws from few names and values, so that filters meet payloads.
class Generator {
 public:
  Generator(std::uint32_t seed, Taste taste) : random_(seed), taste_(taste) {}

  std::size_t below(std::size_t bound) { return random_() % bound; }
  bool one_in(std::size_t n) { return below(n) == 0; }

  std::string text() {
    static const std::vector<std::string> kTexts = {
        "",
        "a",
        "ab",
        "abc",
        "b",
        "10",
        "9",
        "\xC3\xA9",
        std::string("a\0b", 3),
        "2024-01-01",
        "2024-01-01T00:00:00Z",
        "2024-01-01T01:00:00+01:00",
        "2024-01-01T00:00:00.000000001Z",
        "2023-12-31T23:59:59.5",
        "2024-02-30",
        "1960-05-05",
    };
    if (taste_.long_strings && one_in(3)) {
      return std::string(255, 'x') + std::string("xyz").substr(below(2), below(3)) +
             std::string(below(3), 'w');
    }
    return kTexts[below(kTexts.size())];
  }
  Json number() {
    constexpr std::int64_t kPower = std::int64_t{1} << 53;
    switch (below(6)) {
      case 0: return static_cast<std::int64_t>(below(5)) - 2;
      case 1: return static_cast<double>(below(9)) / 2 - 2;
      case 2: return kPower + static_cast<std::int64_t>(below(4)) - 1;
      case 3: return static_cast<double>(kPower) + static_cast<double>(below(3)) * 2 - 2;
      case 4: return ~std::uint64_t{0} - below(2);
      default: return -static_cast<std::int64_t>(kPower) - static_cast<std::int64_t>(below(3));
    }
  }
  Json scalar() {
    switch (below(8)) {
      case 0: return nullptr;
      case 1: return below(2) == 0;
      case 2:
      case 3:
      case 4: return number();
      default: return text();
    }
  }
  Json value(std::size_t depth) {
    if (depth < 4 && one_in(4)) {
      Json array = Json::array();
      for (std::size_t n = below(taste_.array_max + 1); n > 0; --n)
        array.push_back(value(depth + 1));
      return array;
    }
    return depth < 4 && one_in(4) ? object(depth + 1) : scalar();
  }
  Json object(std::size_t depth) {
    static const std::vector<std::string> kKeys = {"a", "b", "c",   "d",  "a",
                                                   "b", "0", "a.b", "$a", ""};
    Json object = Json::object();
    for (std::size_t n = below(5); n > 0; --n) object[kKeys[below(kKeys.size())]] = value(depth);
    return object;
  }

  std::string path() {
    static const std::vector<std::string> kKeys = {"a", "b", "c", "d", "0"};
    std::string path = kKeys[below(kKeys.size())];
    while (one_in(3)) path += "." + kKeys[below(kKeys.size())];
    return path;
  }
  Json operators(std::size_t depth) {
    Json object = Json::object();
    for (std::size_t n = 1 + below(2); n > 0; --n) {
      switch (below(depth < 3 ? 8 : 7)) {
        case 0: object[one_in(2) ? "$eq" : "$ne"] = scalar(); break;
        case 1: object[one_in(2) ? "$gt" : "$gte"] = one_in(2) ? number() : Json(text()); break;
        case 2: object[one_in(2) ? "$lt" : "$lte"] = one_in(2) ? number() : Json(text()); break;
        case 3: object[one_in(2) ? "$in" : "$nin"] = scalars(); break;
        case 4: object["$exists"] = one_in(2); break;
        case 5: object["$prefix"] = text(); break;
        case 6: object["$gte"] = number(); break;
        default: object["$not"] = operators(depth + 1);
      }
    }
    return object;
  }
  Json scalars() {
    Json list = Json::array();
    for (std::size_t n = below(5); n > 0; --n) list.push_back(scalar());
    return list;
  }
  Json filter(std::size_t depth) {
    Json object = Json::object();
    for (std::size_t n = one_in(10) ? 0 : 1 + below(2); n > 0; --n) {
      if (depth < 3 && one_in(3)) {
        static const std::vector<std::string> kNames = {"$and", "$or", "$nor"};
        Json parts = Json::array();
        for (std::size_t m = 1 + below(3); m > 0; --m) parts.push_back(filter(depth + 1));
        object[kNames[below(kNames.size())]] = std::move(parts);
      } else if (depth < 3 && one_in(6)) {
        object["$not"] = filter(depth + 1);
      } else {
        object[path()] = one_in(3) ? scalar() : operators(0);
      }
    }
    return object;
  }

 private:
  std::mt19937 random_;
  Taste taste_;
};

using Payloads = std::map<std::uint32_t, Json>;

/// One comparison; true if the index was exact.
bool check_match(const PayloadIndex& index, const Payloads& payloads, const Json& json) {
  const auto filter = Filter::parse(json);
  if (!filter.ok()) FAIL(json.dump() << ": " << filter.error().message);
  const SlotMatch match = index.match(*filter);
  std::size_t matching = 0;
  for (const auto& [slot, payload] : payloads) {
    const bool wanted = filter->matches(payload);
    const bool got = match.slots.contains(Slot{slot});
    matching += wanted ? 1 : 0;
    if (wanted && !got) FAIL(json.dump() << " misses " << payload.dump());
    if (match.exact && got && !wanted) FAIL(json.dump() << " takes " << payload.dump());
  }
  // Nothing that is not in the index, either.
  if (match.exact && match.slots.size() != matching) FAIL(json.dump() << " finds erased slots");
  if (match.slots.size() > payloads.size()) FAIL(json.dump() << " finds erased slots");
  return match.exact;
}

struct Outcome {
  std::size_t matches = 0;
  std::size_t exact = 0;
};

Outcome run(std::uint32_t seed, Taste taste, const PayloadIndexBounds& bounds, int rounds) {
  INFO("seed " << seed);
  Generator draw(seed, taste);
  PayloadIndex index(bounds);
  Payloads payloads;
  std::uint32_t next_slot = 0;
  Outcome outcome;
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t n = draw.below(12); n > 0; --n) {
      if (payloads.size() > 40 || (!payloads.empty() && draw.one_in(3))) {
        auto victim = payloads.begin();
        std::advance(victim, draw.below(payloads.size()));
        index.erase(Slot{victim->first}, victim->second);
        payloads.erase(victim);
      } else {
        const Json& payload = payloads[next_slot] = draw.object(0);
        index.put(Slot{next_slot}, payload);
        next_slot += 1 + static_cast<std::uint32_t>(draw.below(100));
      }
    }
    for (int i = 0; i < 5; ++i) {
      ++outcome.matches;
      outcome.exact += check_match(index, payloads, draw.filter(0)) ? 1 : 0;
    }
  }
  for (const auto& [slot, payload] : payloads) index.erase(Slot{slot}, payload);
  CHECK(index.fields(1000).empty());
  CHECK(check_match(index, {}, Json::object()));
  return outcome;
}

/// Fixed ones find again what they found once; the last is new in every run.
std::vector<std::uint32_t> seeds() {
  return {1, 2, 3, 4, static_cast<std::uint32_t>(std::random_device{}())};
}

TEST_CASE("PayloadIndex: agrees with Filter::matches within its bounds", "[storage][property]") {
  for (const auto seed : seeds()) {
    // With at most one value in a field, ranges on it are answered by one walk.
    for (const std::size_t array_max : {4U, 1U}) {
      const Outcome outcome = run(seed, {false, array_max}, {}, 200);
      CHECK(outcome.exact == outcome.matches);
    }
  }
}

TEST_CASE("PayloadIndex: misses nothing beyond its bounds", "[storage][property]") {
  for (const auto seed : seeds()) {
    for (const auto& bounds : {PayloadIndexBounds{3, 10'000}, PayloadIndexBounds{1000, 2},
                               PayloadIndexBounds{6, 3}, PayloadIndexBounds{0, 0}}) {
      const Outcome outcome = run(seed, {true, 6}, bounds, 60);
      CHECK(outcome.exact < outcome.matches);
      CHECK(outcome.exact > 0);
    }
  }
}

TEST_CASE("PayloadIndex: long strings make few answers doubtful", "[storage][property]") {
  for (const auto seed : seeds()) {
    for (const std::size_t array_max : {4U, 1U}) {
      const Outcome outcome = run(seed, {true, array_max}, {}, 150);
      CHECK(outcome.exact > outcome.matches / 2);
    }
  }
}

}  // namespace
}  // namespace quiver::storage
