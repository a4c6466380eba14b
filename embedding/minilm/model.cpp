#include "embedding/minilm/model.h"

#include <fstream>
#include <system_error>
#include <utility>

#include "embedding/sha256.h"

namespace quiver::embedding::minilm {
namespace {

constexpr ModelFile kConfig{"config.json", 612,
                            "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"};
constexpr ModelFile kTokenizer{"tokenizer.json", 466'247,
                               "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"};
constexpr ModelFile kWeights{"model.fp16.safetensors", 45'441'937,
                             "6638f625a0a60bdaa1e34c5fee0a17c705f13b98b43a7973e9d366106a55273d"};
constexpr ModelFile kFiles[] = {kConfig, kTokenizer, kWeights};

constexpr std::string_view kRemedy =
    "run `make setup`, which installs the model, or set embedding.model_dir to the directory that "
    "holds it";

Error damaged(const std::filesystem::path& path, const std::string& what) {
  return Error{ErrorCode::Corruption, "the embedding model's file " + path.string() + " " + what +
                                          ": it is damaged or of another version; " +
                                          std::string(kRemedy)};
}

}  // namespace

std::span<const ModelFile> model_files() {
  return kFiles;
}

Result<FileBytes> read_model_file(const std::filesystem::path& dir, const ModelFile& file) {
  const auto path = dir / file.name;
  std::error_code none;
  std::ifstream in;
  if (std::filesystem::is_regular_file(path, none)) in.open(path, std::ios::binary);
  if (!in.is_open()) {
    return Error{ErrorCode::FailedPrecondition, "the embedding model's file " + path.string() +
                                                    " is missing or cannot be read; " +
                                                    std::string(kRemedy)};
  }
  // One byte more than expected, to notice a file that goes on.
  FileBytes content{std::make_unique_for_overwrite<char[]>(file.bytes + 1), 0};
  in.read(content.bytes.get(), static_cast<std::streamsize>(file.bytes + 1));
  content.size = static_cast<std::size_t>(in.gcount());
  if (content.size != file.bytes) {
    const std::string has = content.size < file.bytes
                                ? "has " + std::to_string(content.size)
                                : "has more than " + std::to_string(file.bytes);
    return damaged(path, has + " bytes instead of " + std::to_string(file.bytes));
  }
  QV_TRY(const Sha256 digest, sha256(content.text()));
  if (hex(digest) != file.sha256) {
    return damaged(path, "has SHA-256 " + hex(digest) + " instead of " + std::string(file.sha256));
  }
  return content;
}

Result<std::unique_ptr<const Model>> Model::load(const std::filesystem::path& dir) {
  // Nothing is taken from config.json; that it is the known one vouches for shape.h.
  QV_TRY(const FileBytes config, read_model_file(dir, kConfig));
  QV_TRY(const FileBytes json, read_model_file(dir, kTokenizer));
  QV_TRY(auto tokenizer, Tokenizer::read(json.text()));
  QV_TRY(const FileBytes bytes, read_model_file(dir, kWeights));
  QV_TRY(const auto file, Safetensors::parse(bytes.data()));
  QV_TRY(auto weights, Weights::read(file));
  return std::unique_ptr<const Model>(
      new Model{std::move(tokenizer), Encoder(std::move(weights), *usable_kernels().front())});
}

}  // namespace quiver::embedding::minilm
