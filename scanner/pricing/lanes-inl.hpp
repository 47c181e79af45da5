// hn: highway, with the same bits on every target.
//
// Role:    included by highway sources (foreach_target.h) of the scanner, after hwy/highway.h; what the
//          scanner's kernels name hn. All of highway is in it, but for the operations whose results depend on
//          the target, which are our own here: multiply-add, which highway rounds twice where there is no
//          instruction for it, and the minimum and maximum of something that is not a number.
// Rules:   a row must not depend on its neighbours (no sum over lanes; a mask over lanes may only spare
//          work), no approximate operations, and no multiply fused with an add by the compiler
//          (-ffp-contract=off, scanner/CMakeLists.txt).
// Threads: pure functions.
// See:     docs/SCANNER.md, "The same on every machine".

#if defined(SCANMQ_SCANNER_PRICING_LANES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef SCANMQ_SCANNER_PRICING_LANES_INL
#undef SCANMQ_SCANNER_PRICING_LANES_INL
#else
#define SCANMQ_SCANNER_PRICING_LANES_INL
#endif

#include <hwy/highway.h>

#include <cstddef>

#include "scanner/pricing/portable_math.hpp"

HWY_BEFORE_NAMESPACE();
namespace scanmq::pricing::HWY_NAMESPACE::hn {

using namespace hwy::HWY_NAMESPACE;  // NOLINT(google-build-using-namespace): this is highway

#if HWY_NATIVE_FMA

template <class V>
HWY_INLINE V MulAdd(V a, V b, V c) {
    return hwy::HWY_NAMESPACE::MulAdd(a, b, c);
}
template <class V>
HWY_INLINE V NegMulAdd(V a, V b, V c) {
    return hwy::HWY_NAMESPACE::NegMulAdd(a, b, c);
}
template <class V>
HWY_INLINE V MulSub(V a, V b, V c) {
    return hwy::HWY_NAMESPACE::MulSub(a, b, c);
}
template <class V>
HWY_INLINE V NegMulSub(V a, V b, V c) {
    return hwy::HWY_NAMESPACE::NegMulSub(a, b, c);
}

#else

// Of doubles.
template <class V>
HWY_INLINE V MulAdd(V a, V b, V c) {
    const DFromV<V> d;
    HWY_ALIGN double in[3][MaxLanes(d)];
    hwy::HWY_NAMESPACE::Store(a, d, in[0]);
    hwy::HWY_NAMESPACE::Store(b, d, in[1]);
    hwy::HWY_NAMESPACE::Store(c, d, in[2]);
    for (std::size_t i = 0; i < Lanes(d); ++i) {
        in[0][i] = portable::fma(in[0][i], in[1][i], in[2][i]);
    }
    return hwy::HWY_NAMESPACE::Load(d, in[0]);
}
template <class V>
HWY_INLINE V NegMulAdd(V a, V b, V c) {
    return hn::MulAdd(hwy::HWY_NAMESPACE::Neg(a), b, c);
}
template <class V>
HWY_INLINE V MulSub(V a, V b, V c) {
    return hn::MulAdd(a, b, hwy::HWY_NAMESPACE::Neg(c));
}
template <class V>
HWY_INLINE V NegMulSub(V a, V b, V c) {
    return hn::MulAdd(hwy::HWY_NAMESPACE::Neg(a), b, hwy::HWY_NAMESPACE::Neg(c));
}

#endif

// The second where one is not a number or both are zero: what the instructions of AVX2 and AVX-512 do.
template <class V>
HWY_INLINE V Min(V a, V b) {
#if HWY_NATIVE_FMA && HWY_ARCH_X86
    return hwy::HWY_NAMESPACE::Min(a, b);
#else
    return hwy::HWY_NAMESPACE::IfThenElse(hwy::HWY_NAMESPACE::Lt(a, b), a, b);
#endif
}
template <class V>
HWY_INLINE V Max(V a, V b) {
#if HWY_NATIVE_FMA && HWY_ARCH_X86
    return hwy::HWY_NAMESPACE::Max(a, b);
#else
    return hwy::HWY_NAMESPACE::IfThenElse(hwy::HWY_NAMESPACE::Gt(a, b), a, b);
#endif
}

}  // namespace scanmq::pricing::HWY_NAMESPACE::hn
HWY_AFTER_NAMESPACE();

#endif
