#include "tests/bench/dataset.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <numeric>
#include <random>
#include <stdexcept>

namespace quiver::bench {
namespace {

namespace fs = std::filesystem;

template <typename T>
std::vector<T> read_all(const fs::path& file) {
  std::error_code problem;
  const auto bytes = fs::file_size(file, problem);
  if (problem || bytes % sizeof(T) != 0) {
    throw std::runtime_error(file.string() + ": cannot be read as data of the bench");
  }
  std::vector<T> values(bytes / sizeof(T));
  std::ifstream in(file, std::ios::binary);
  in.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(bytes));
  if (!in) throw std::runtime_error(file.string() + ": cannot be read");
  return values;
}

}  // namespace

Matrix read_matrix(const fs::path& file, std::size_t dim) {
  Matrix matrix{0, dim, read_all<float>(file)};
  matrix.rows = matrix.values.size() / dim;
  if (matrix.rows == 0 || matrix.values.size() % dim != 0) {
    throw std::runtime_error(file.string() + ": not rows of " + std::to_string(dim) + " numbers");
  }
  return matrix;
}

std::vector<std::int32_t> read_ints(const fs::path& file) {
  return read_all<std::int32_t>(file);
}

void write_ints(const fs::path& file, const std::vector<std::int32_t>& values) {
  std::ofstream out(file, std::ios::binary);
  out.write(reinterpret_cast<const char*>(values.data()),
            static_cast<std::streamsize>(values.size() * sizeof(std::int32_t)));
  if (!out.flush()) throw std::runtime_error(file.string() + ": cannot be written");
}

std::uint32_t bucket(std::uint64_t id) noexcept {
  std::uint64_t x = id * 0x9E3779B97F4A7C15ULL;
  x ^= x >> 32U;
  return static_cast<std::uint32_t>(x % 100);
}

const std::vector<BucketFilter>& bucket_filters() {
  static const std::vector<BucketFilter> filters{
      {"none", "all", "", [](std::uint32_t) { return true; }},
      {"10 %", "p10", R"({"bucket":{"$lt":10}})", [](std::uint32_t b) { return b < 10; }},
      {"1 %", "p1", R"({"bucket":42})", [](std::uint32_t b) { return b == 42; }},
  };
  return filters;
}

Churn churn_of(std::size_t points) {
  std::vector<std::uint32_t> order(points);
  std::iota(order.begin(), order.end(), 0U);
  // std::shuffle differs between standard libraries; this does not.
  std::mt19937_64 random(20'261'122);
  const auto mix = [&] {
    for (std::size_t i = points; i > 1; --i) std::swap(order[i - 1], order[random() % i]);
  };
  Churn churn;
  churn.row_of.resize(points);
  std::iota(churn.row_of.begin(), churn.row_of.end(), 0);
  mix();
  churn.replaced.assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(points / 2));
  for (std::size_t i = 0; i < churn.replaced.size(); ++i) {
    const auto other = churn.replaced[(i + 1) % churn.replaced.size()];
    churn.row_of[churn.replaced[i]] = static_cast<std::int32_t>(other);
  }
  mix();
  churn.deleted.assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(points * 3 / 10));
  for (const auto id : churn.deleted) churn.row_of[id] = kDeleted;
  return churn;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace quiver::bench
