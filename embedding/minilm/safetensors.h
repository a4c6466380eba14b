#pragma once

#include <cstddef>
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace quiver::embedding::minilm {

/// The named tensors of a safetensors file: a table of contents over borrowed bytes.
///
/// Source: the format's description at github.com/huggingface/safetensors: 8 bytes header length
/// (little-endian), a JSON object of names, then the data without gaps.
///
/// Threads: any; unchanged after parse().
class Safetensors {
 public:
  /// `file` must outlive the result. Every length, shape and offset is checked against the bytes
  /// there are: what parses is safe to read.
  ///
  /// Errors: Corruption naming what is wrong with the header.
  static Result<Safetensors> parse(std::span<const std::byte> file);

  /// Elements of the 16-bit float tensor `name`, two bytes each, little-endian, at any address.
  ///
  /// Errors: Corruption if there is none, or it has another type or shape.
  Result<std::span<const std::byte>> halves(std::string_view name,
                                            std::initializer_list<std::size_t> shape) const;

 private:
  struct Tensor {
    std::string type;
    std::vector<std::size_t> shape;
    std::span<const std::byte> bytes;
  };

  std::map<std::string, Tensor, std::less<>> tensors_;
};

}  // namespace quiver::embedding::minilm
