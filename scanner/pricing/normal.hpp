#pragma once
// The standard normal distribution: density, cumulative, inverse.

namespace scanmq::pricing {

// n(x).
[[nodiscard]] double normal_pdf(double x) noexcept;
// N(x), relative accuracy about 1e-15 in both tails.
[[nodiscard]] double normal_cdf(double x) noexcept;
// N^-1(p) for p in (0, 1); -inf and +inf at the ends, NaN outside.
[[nodiscard]] double normal_inverse_cdf(double p) noexcept;

}  // namespace scanmq::pricing
