#pragma once
// SCANMQ_ASSERT: checks for our own mistakes. Stays on in release builds; never depends on a peer's
// bytes.

#include <cstdio>
#include <cstdlib>

namespace scanmq::detail {
[[noreturn]] inline void assert_failed(const char* expression, const char* file,
                                       int line) noexcept {
    std::fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expression);
    std::abort();
}
}  // namespace scanmq::detail

#define SCANMQ_ASSERT(expression)        \
    ((expression) ? static_cast<void>(0) \
                  : ::scanmq::detail::assert_failed(#expression, __FILE__, __LINE__))
