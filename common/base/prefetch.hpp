#pragma once
// prefetch: brings a record's lines of the cache near, for a look at it a little later.
//
// Threads: any. Effect: none but time; the address need not be valid.

namespace scanmq {

template <class T>
inline void prefetch(const T* record) noexcept {
    // The compiler takes a function that does nothing but prefetch for one without effect and drops
    // its calls (seen with GCC 12); an empty statement it may not reason about keeps them.
    asm volatile("" : : "r"(record));
    __builtin_prefetch(record);
    // A record not aligned to lines may end on the next one.
    if (alignof(T) < 64 && sizeof(T) > alignof(T)) {
        __builtin_prefetch(reinterpret_cast<const char*>(record + 1) - 1);
    }
}

}  // namespace scanmq
