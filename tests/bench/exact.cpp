// Exact answers by brute force: the ten nearest of each query among the points that pass each
// filter, before and after the churn of dataset.h.
//
// Usage: bench_exact BASE QUERIES DIM PREFIX [churned]
// Writes PREFIX.{all,p10,p1}.i32: ids, nearest first, shape [queries, 10]. Vectors are of unit
// length, so that the largest inner product is the nearest.

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/dataset.h"

namespace quiver::bench {
namespace {

constexpr std::size_t kTop = 10;
constexpr std::size_t kLanes = 16;

/// Sums in lanes, which the compiler turns into vector instructions without reordering floats.
float dot(const float* a, const float* b, std::size_t dim) {
  std::array<float, kLanes> sums{};
  std::size_t i = 0;
  for (; i + kLanes <= dim; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  }
  double sum = 0;
  for (const float lane : sums) sum += static_cast<double>(lane);
  for (; i < dim; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return static_cast<float>(sum);
}

struct Hit {
  float score;
  std::int32_t id;
};

/// The best ten so far, best first.
class Best {
 public:
  void add(float score, std::int32_t id) {
    if (hits_.size() == kTop && score <= hits_.back().score) return;
    const auto at =
        std::find_if(hits_.begin(), hits_.end(), [&](const Hit& hit) { return score > hit.score; });
    hits_.insert(at, {score, id});
    if (hits_.size() > kTop) hits_.pop_back();
  }
  /// Padded with kDeleted where fewer passed.
  void write(std::int32_t* out) const {
    std::fill(out, out + kTop, kDeleted);
    for (const Hit& hit : hits_) *out++ = hit.id;
  }

 private:
  std::vector<Hit> hits_;
};

/// Which filters an id passes, as bits; computed once.
std::vector<std::uint8_t> passes_of(std::size_t points) {
  std::vector<std::uint8_t> passes(points, 0);
  const auto& filters = bucket_filters();
  for (std::size_t id = 0; id < points; ++id) {
    for (std::size_t f = 0; f < filters.size(); ++f) {
      if (filters[f].passes(bucket(id))) passes[id] |= static_cast<std::uint8_t>(1U << f);
    }
  }
  return passes;
}

using Answers = std::vector<std::vector<std::int32_t>>;

Answers answer(const Matrix& base, const Matrix& queries, const std::vector<std::int32_t>& row_of) {
  const auto filters = bucket_filters().size();
  const auto passes = passes_of(row_of.size());
  Answers answers(filters, std::vector<std::int32_t>(queries.rows * kTop));
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t q = next++; q < queries.rows; q = next++) {
      std::vector<Best> best(filters);
      for (std::size_t id = 0; id < row_of.size(); ++id) {
        if (row_of[id] == kDeleted) continue;
        const float* vector = base.row(static_cast<std::size_t>(row_of[id]));
        const float score = dot(queries.row(q), vector, base.dim);
        for (std::size_t f = 0; f < filters; ++f) {
          if ((passes[id] >> f & 1U) != 0) best[f].add(score, static_cast<std::int32_t>(id));
        }
      }
      for (std::size_t f = 0; f < filters; ++f) best[f].write(&answers[f][q * kTop]);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < std::max(1U, std::thread::hardware_concurrency()); ++i) {
    threads.emplace_back(work);
  }
  for (auto& thread : threads) thread.join();
  return answers;
}

int run(const std::vector<std::string>& args) {
  const bool churned = args.size() == 6 && args[5] == "churned";
  if (args.size() != 5 && !churned) {
    throw std::runtime_error("usage: bench_exact BASE QUERIES DIM PREFIX [churned]");
  }
  const std::size_t dim = std::stoul(args[3]);
  const Matrix base = read_matrix(args[1], dim);
  const Matrix queries = read_matrix(args[2], dim);
  Churn churn = churn_of(base.rows);
  if (!churned) {
    for (std::size_t id = 0; id < base.rows; ++id) {
      churn.row_of[id] = static_cast<std::int32_t>(id);
    }
  }
  const double start = now_s();
  const Answers answers = answer(base, queries, churn.row_of);
  for (std::size_t f = 0; f < answers.size(); ++f) {
    write_ints(args[4] + "." + bucket_filters()[f].suffix + ".i32", answers[f]);
  }
  std::cerr << "exact answers: " << queries.rows << " queries over " << base.rows << " points in "
            << now_s() - start << " s\n";
  return 0;
}

}  // namespace
}  // namespace quiver::bench

int main(int count, char** words) {
  try {
    return quiver::bench::run({words, words + count});
  } catch (const std::exception& problem) {
    std::cerr << "bench_exact: " << problem.what() << "\n";
    return 1;
  }
}
