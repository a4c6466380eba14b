#include "embedding/minilm/safetensors.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "core/json.h"

namespace quiver::embedding::minilm {
namespace {

constexpr std::size_t kLengthBytes = 8;
/// The format's own bound is 100 MB; a model of this size needs about 10 KB.
constexpr std::size_t kHeaderBytesMax = std::size_t{1} << 20;

Error corrupt(const std::string& what) {
  return Error{ErrorCode::Corruption, "safetensors: " + what};
}

std::optional<std::size_t> element_bytes(std::string_view type) {
  constexpr std::pair<std::string_view, std::size_t> kTypes[] = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F16", 2}, {"BF16", 2}, {"U16", 2}, {"I16", 2},
      {"F32", 4},  {"U32", 4}, {"I32", 4}, {"F64", 8}, {"U64", 8},  {"I64", 8},
  };
  for (const auto& [name, bytes] : kTypes) {
    if (name == type) return bytes;
  }
  return std::nullopt;
}

std::optional<std::size_t> as_size(const Json& value) {
  if (!value.is_number_unsigned()) return std::nullopt;
  return value.get<std::size_t>();
}

std::optional<std::vector<std::size_t>> as_sizes(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_array()) return std::nullopt;
  std::vector<std::size_t> sizes;
  for (const Json& element : *found) {
    const auto size = as_size(element);
    if (!size) return std::nullopt;
    sizes.push_back(*size);
  }
  return sizes;
}

/// bytes * shape[0] * shape[1] ..., none if that is more than `most`.
std::optional<std::size_t> size_of(std::size_t bytes, const std::vector<std::size_t>& shape,
                                   std::size_t most) {
  for (const std::size_t extent : shape) {
    if (extent != 0 && bytes > most / extent) return std::nullopt;
    bytes *= extent;
  }
  return bytes;
}

/// Whether the ranges follow one another from the first byte to the last.
bool cover(std::vector<std::pair<std::size_t, std::size_t>> ranges, std::size_t size) {
  std::sort(ranges.begin(), ranges.end());
  std::size_t at = 0;
  for (const auto& [begin, end] : ranges) {
    if (begin != at) return false;
    at = end;
  }
  return at == size;
}

}  // namespace

Result<Safetensors> Safetensors::parse(std::span<const std::byte> file) {
  if (file.size() < kLengthBytes) return corrupt("the file is shorter than its length field");
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    length |= std::to_integer<std::uint64_t>(file[i]) << (8 * i);
  }
  const std::size_t most = std::min(kHeaderBytesMax, file.size() - kLengthBytes);
  if (length > most) {
    return corrupt("the header claims " + std::to_string(length) + " bytes, at most " +
                   std::to_string(most) + " are possible");
  }
  const auto text = file.subspan(kLengthBytes, static_cast<std::size_t>(length));
  const auto data = file.subspan(kLengthBytes + text.size());
  const char* begin = reinterpret_cast<const char*>(text.data());
  const Json header = Json::parse(begin, begin + text.size(), nullptr, false);
  if (!header.is_object()) return corrupt("the header is not a JSON object");

  Safetensors result;
  std::vector<std::pair<std::size_t, std::size_t>> ranges;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    const auto wrong = [&name = name](const char* what) {
      return corrupt("tensor " + name + ": " + what);
    };
    if (!entry.is_object()) return wrong("is not an object");
    const auto type = entry.find("dtype");
    if (type == entry.end() || !type->is_string()) return wrong("dtype is not a string");
    const auto bytes = element_bytes(type->get_ref<const std::string&>());
    if (!bytes) return wrong("dtype is unknown");
    auto shape = as_sizes(entry, "shape");
    if (!shape) return wrong("shape is not an array of sizes");
    const auto offsets = as_sizes(entry, "data_offsets");
    if (!offsets || offsets->size() != 2) return wrong("data_offsets is not a pair of sizes");
    const std::size_t from = (*offsets)[0];
    const std::size_t to = (*offsets)[1];
    if (from > to || to > data.size()) return wrong("data_offsets lie outside the data");
    if (size_of(*bytes, *shape, data.size()) != to - from) return wrong("size is not its shape's");
    ranges.emplace_back(from, to);
    result.tensors_.emplace(
        name, Tensor{type->get<std::string>(), std::move(*shape), data.subspan(from, to - from)});
  }
  if (!cover(std::move(ranges), data.size())) return corrupt("tensors overlap or leave gaps");
  return result;
}

Result<std::span<const std::byte>> Safetensors::halves(
    std::string_view name, std::initializer_list<std::size_t> shape) const {
  const auto found = tensors_.find(name);
  const std::string label = "tensor " + std::string(name);
  if (found == tensors_.end()) return corrupt(label + " is missing");
  const Tensor& tensor = found->second;
  if (tensor.type != "F16") return corrupt(label + " has type " + tensor.type + " instead of F16");
  if (!std::equal(shape.begin(), shape.end(), tensor.shape.begin(), tensor.shape.end())) {
    return corrupt(label + " has an unexpected shape");
  }
  return tensor.bytes;
}

}  // namespace quiver::embedding::minilm
