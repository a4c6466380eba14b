#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "embedding/minilm/model.h"

namespace quiver::embedding::minilm {

/// Where `make setup` puts the model's files.
std::filesystem::path model_dir();

/// The model, loaded once for the test program.
const Model& loaded_model();

/// A text and its vector by the independent engine of make_reference.mjs.
struct ReferenceText {
  std::string text;
  std::vector<float> vector;
};
std::vector<ReferenceText> reference_texts();

double cosine(std::span<const float> a, std::span<const float> b);

/// A new, empty directory that goes away with this object.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::string read_file(const std::filesystem::path& path);
void write_file(const std::filesystem::path& path, std::string_view bytes);

/// The weights as the file has them; read once for the test program.
const std::string& weight_file();

}  // namespace quiver::embedding::minilm
