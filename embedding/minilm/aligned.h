#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace quiver::embedding::minilm {

/// Where a cache line begins.
inline constexpr std::align_val_t kLine{64};

struct AlignedDelete {
  void operator()(void* memory) const noexcept { ::operator delete(memory, kLine); }
};

/// An array of numbers that begins with a cache line.
template <typename T>
using Aligned = std::unique_ptr<T[], AlignedDelete>;

/// `count` numbers of any value.
template <typename T>
Aligned<T> make_aligned(std::size_t count) {
  return Aligned<T>(static_cast<T*>(::operator new(count * sizeof(T), kLine)));
}

}  // namespace quiver::embedding::minilm
