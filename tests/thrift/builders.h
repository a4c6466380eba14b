#pragma once

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "core/point.h"
#include "thrift/calls.h"

namespace quiver::testing {

/// Random values of the kinds that travel. The seed decides everything.
class Builder {
 public:
  explicit Builder(std::uint64_t seed) : random_(seed) {}

  std::size_t below(std::size_t bound) { return random_() % bound; }
  bool coin() { return below(2) == 0; }

  std::string text(std::size_t bytes_max) {
    static const std::vector<std::string> kPieces{
        "a", "Z", "7", " ", "\"", "\\", "\n", "é", "日", "😀", std::string(1, '\0')};
    std::string out;
    for (std::size_t i = below(bytes_max / 4 + 1); i > 0; --i)
      out += kPieces[below(kPieces.size())];
    return out;
  }

  PointId id() {
    if (coin()) return PointId(random_());
    return PointId::from_text(std::to_string(random_()) + text(40)).value();
  }

  Json json(std::size_t depth) {
    switch (below(depth == 0 ? 6 : 8)) {
      case 0: return nullptr;
      case 1: return coin();
      case 2: return static_cast<std::int64_t>(random_());
      case 3: return random_();
      case 4: return std::ldexp(static_cast<double>(random_()), -static_cast<int>(below(80)));
      case 5: return text(30);
      case 6: {
        auto out = Json::array();
        for (std::size_t i = below(4); i > 0; --i) out.push_back(json(depth - 1));
        return out;
      }
      default: return object(depth - 1);
    }
  }

  Json object(std::size_t depth) {
    auto out = Json::object();
    for (std::size_t i = below(4); i > 0; --i) out[text(12)] = json(depth);
    return out;
  }

  std::vector<float> vector(std::size_t dimension) {
    std::vector<float> out(dimension);
    for (auto& value : out) {
      value = std::ldexp(static_cast<float>(below(1U << 24U)) - 8388608.0F,
                         static_cast<int>(below(100)) - 60);
    }
    return out;
  }

  Point point(std::size_t dimension) {
    Point out;
    out.id = id();
    if (dimension > 0) out.vector = vector(dimension);
    out.payload = object(3);
    if (coin()) out.text = text(60);
    out.created_at_ms = static_cast<std::int64_t>(random_() >> 20U);
    if (coin()) out.expires_at_ms = static_cast<std::int64_t>(random_() >> 20U);
    return out;
  }

  std::vector<Point> points(std::size_t count, std::size_t dimension) {
    std::vector<Point> out;
    for (std::size_t i = 0; i < count; ++i) out.push_back(point(dimension));
    return out;
  }

  std::uint64_t number() { return random_(); }

 private:
  std::mt19937_64 random_;
};

inline bool same(const Point& left, const Point& right) {
  return left.id == right.id && left.vector == right.vector && left.payload == right.payload &&
         left.text == right.text && left.created_at_ms == right.created_at_ms &&
         left.expires_at_ms == right.expires_at_ms;
}

inline bool same(const std::vector<Point>& left, const std::vector<Point>& right) {
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (!same(left[i], right[i])) return false;
  }
  return true;
}

inline const std::string kCollection = "0123456789abcdef0123456789abcdef";

inline thrift::ShardCall shard_call(std::uint32_t shard = 0) {
  thrift::ShardCall call;
  call.collection = kCollection;
  call.shard = ShardId{shard};
  return call;
}

}  // namespace quiver::testing
