#include "embedding/minilm/windows.h"

#include <numeric>

#include <catch2/catch.hpp>

namespace quiver::embedding::minilm {
namespace {

constexpr TokenId kCls = 1'000'001;
constexpr TokenId kSep = 1'000'002;

/// Windows of the tokens 0, 1, 2 ... count - 1.
std::vector<std::vector<TokenId>> windows_of(std::size_t count) {
  std::vector<TokenId> tokens(count);
  std::iota(tokens.begin(), tokens.end(), TokenId{0});
  return cut_windows(tokens, kCls, kSep);
}

TEST_CASE("Windows: what fits stays in one piece", "[embedding][windows]") {
  CHECK(windows_of(1) == std::vector<std::vector<TokenId>>{{kCls, 0, kSep}});
  const auto full = windows_of(254);
  REQUIRE(full.size() == 1);
  CHECK(full[0].size() == kWindow);
}

TEST_CASE("Windows: longer texts are cut with 40 pieces of overlap", "[embedding][windows]") {
  // 0-199, 160-359, 320-399
  const auto windows = windows_of(400);
  REQUIRE(windows.size() == 3);
  CHECK(windows[0].size() == 202);
  CHECK(windows[0][1] == 0);
  CHECK(windows[0][200] == 199);
  CHECK(windows[1].size() == 202);
  CHECK(windows[1][1] == 160);
  CHECK(windows[1][200] == 359);
  CHECK(windows[2].size() == 82);
  CHECK(windows[2][1] == 320);
  CHECK(windows[2][80] == 399);
}

TEST_CASE("Windows: no window repeats only what the one before had", "[embedding][windows]") {
  CHECK(windows_of(255).size() == 2);
  // 0-199 and 160-359 end exactly.
  CHECK(windows_of(360).size() == 2);
  CHECK(windows_of(361).size() == 3);
}

TEST_CASE("Windows: each is framed, fits the model, and together they hold every piece",
          "[embedding][windows]") {
  for (std::size_t count = 1; count <= 1500; ++count) {
    TokenId next = 0;
    for (const auto& window : windows_of(count)) {
      REQUIRE(window.size() <= kWindow);
      REQUIRE(window.size() >= 3);
      REQUIRE(window.front() == kCls);
      REQUIRE(window.back() == kSep);
      REQUIRE(window[1] <= next);
      REQUIRE(window[window.size() - 2] >= next);
      next = window[window.size() - 2] + 1;
    }
    REQUIRE(next == count);
  }
}

}  // namespace
}  // namespace quiver::embedding::minilm
