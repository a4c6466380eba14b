#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

/// Vectors and answers on disk, as all programs of the bench read and write them: little-endian,
/// row-major, without a header. The programs throw std::runtime_error and end with its message.
namespace quiver::bench {

/// Shape [rows, dim].
struct Matrix {
  std::size_t rows = 0;
  std::size_t dim = 0;
  std::vector<float> values;

  const float* row(std::size_t i) const noexcept { return values.data() + i * dim; }
};

Matrix read_matrix(const std::filesystem::path& file, std::size_t dim);
std::vector<std::int32_t> read_ints(const std::filesystem::path& file);
void write_ints(const std::filesystem::path& file, const std::vector<std::int32_t>& values);

/// The metadata field "bucket" of point `id`: 0 to 99, evenly spread and unrelated to the vector.
std::uint32_t bucket(std::uint64_t id) noexcept;

/// The filters of the recall table, with the suffix of their answer files.
struct BucketFilter {
  std::string name;
  std::string suffix;
  /// As vector_search takes it; empty: none.
  std::string json;
  bool (*passes)(std::uint32_t bucket);
};
const std::vector<BucketFilter>& bucket_filters();

inline constexpr std::int32_t kDeleted = -1;

/// What half of the points replaced and three in ten deleted leaves: for each id the row of the
/// base that is its vector then, or kDeleted. Replaced points exchange vectors among themselves,
/// so that every vector stays unique and an answer out of an old version is a wrong answer.
struct Churn {
  std::vector<std::int32_t> row_of;
  std::vector<std::uint32_t> replaced;
  std::vector<std::uint32_t> deleted;
};
Churn churn_of(std::size_t points);

double median(std::vector<double> values);
/// Seconds of a clock that never jumps.
double now_s();

}  // namespace quiver::bench
