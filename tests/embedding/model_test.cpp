#include "embedding/minilm/model.h"

#include <string>

#include <catch2/catch.hpp>

#include "tests/embedding/support.h"

namespace quiver::embedding::minilm {
namespace {

using Catch::Matchers::Contains;

/// A directory with the model's small files, and room for the large one.
void copy_small_files(const std::filesystem::path& to) {
  for (const char* name : {"config.json", "tokenizer.json"}) {
    std::filesystem::copy_file(model_dir() / name, to / name);
  }
}

Error load_error(const std::filesystem::path& dir) {
  const auto model = Model::load(dir);
  REQUIRE_FALSE(model.ok());
  return model.error();
}

TEST_CASE("Model: each missing file is named, with the way to install it", "[embedding][model]") {
  const TempDir dir;
  for (const ModelFile& file : model_files()) {
    const Error error = load_error(dir.path());
    CHECK(error.code == ErrorCode::FailedPrecondition);
    CHECK_THAT(error.message, Contains((dir.path() / file.name).string()));
    CHECK_THAT(error.message, Contains("make setup"));
    CHECK_THAT(error.message, Contains("embedding.model_dir"));
    std::filesystem::create_symlink(model_dir() / file.name, dir.path() / file.name);
  }
  CHECK(Model::load(dir.path()).ok());
}

TEST_CASE("Model: a directory in place of a file counts as missing", "[embedding][model]") {
  const TempDir dir;
  std::filesystem::create_directory(dir.path() / "config.json");
  CHECK(load_error(dir.path()).code == ErrorCode::FailedPrecondition);
}

TEST_CASE("Model: files of another size are damaged", "[embedding][model]") {
  const TempDir dir;
  copy_small_files(dir.path());
  const auto path = dir.path() / "model.fp16.safetensors";
  for (const std::size_t size : {std::size_t{0}, std::size_t{7}, weight_file().size() - 1}) {
    write_file(path, std::string_view(weight_file()).substr(0, size));
    const Error error = load_error(dir.path());
    CHECK(error.code == ErrorCode::Corruption);
    CHECK_THAT(error.message,
               Contains("has " + std::to_string(size) + " bytes instead of 45441937"));
  }
  write_file(path, weight_file() + "x");
  const Error error = load_error(dir.path());
  CHECK(error.code == ErrorCode::Corruption);
  CHECK_THAT(error.message, Contains("more than 45441937 bytes"));
  CHECK_THAT(error.message, Contains("make setup"));
}

TEST_CASE("Model: one changed bit in any file is noticed", "[embedding][model]") {
  const TempDir dir;
  for (const ModelFile& file : model_files()) {
    const std::string good = read_file(model_dir() / file.name);
    std::string damaged = good;
    damaged[damaged.size() / 2] ^= 1;
    const auto path = dir.path() / file.name;
    write_file(path, damaged);
    const Error error = load_error(dir.path());
    CHECK(error.code == ErrorCode::Corruption);
    CHECK_THAT(error.message, Contains(path.string()));
    CHECK_THAT(error.message, Contains("instead of " + std::string(file.sha256)));
    write_file(path, good);
  }
  CHECK(Model::load(dir.path()).ok());
}

}  // namespace
}  // namespace quiver::embedding::minilm
