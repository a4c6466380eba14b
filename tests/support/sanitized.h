#pragma once

#if defined(__has_feature)
#define QV_HAS_FEATURE(feature) __has_feature(feature)
#else
#define QV_HAS_FEATURE(feature) 0
#endif

namespace quiver::test {

/// Beside an analyser a process takes many times the memory and the time of the code under test.
#if defined(__SANITIZE_THREAD__) || QV_HAS_FEATURE(thread_sanitizer) || \
    defined(__SANITIZE_ADDRESS__) || QV_HAS_FEATURE(address_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace quiver::test

#undef QV_HAS_FEATURE
